import dataclasses
import functools
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest

from components.common import baseline_bundle
from components.common.baseline_bundle import BUNDLE, Manifest, Reference, choose_baseline, newest, read, versions
from components.common.errors import MonitorError
from tests.support.pushed_version import MANIFEST, write_version


@pytest.fixture
def push(tmp_path):
    """Writes a version with its bundle: (number, manifest's changes) -> its folder."""
    return functools.partial(write_version, tmp_path / "serving")


@pytest.fixture
def serving(tmp_path):
    return str(tmp_path / "serving")


def test_manifest_there_and_back():
    assert Manifest.from_json(MANIFEST.to_json(), "f") == MANIFEST
    other = dataclasses.replace(MANIFEST, reference=REFERENCE, parts=("evaluation", "reference_statistics"))
    assert Manifest.from_json(other.to_json(), "f") == other


REFERENCE = Reference("20-40", "2026-11-26T01:02:03+00:00", 21_000, "/runs/examples/7")
RECORD = json.loads(MANIFEST.to_json())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "f is damaged"),
        ('{"a":', "f is damaged"),
        ("[]", "f` must hold a JSON object"),
        ("{}", "format_version in f` must be one of 3, 4, 5. Received: None"),
        (json.dumps({**RECORD, "format_version": 6}), "must be one of 3, 4, 5. Received: 6"),
        (
            json.dumps({**RECORD, "format_version": 2}),
            "of format 2, .* Push the model again, or .*`model-monitor adopt`",
        ),
        (json.dumps({**RECORD, "spec": None}), "spec in f` must be of type dict. Received: None"),
        (json.dumps({**RECORD, "spec": {"image": {}}}), "spec in f: `image.feature` must be given"),
        (json.dumps({**RECORD, "parts": ["more"]}), "parts in f` must be a list of some of statistics, evaluation"),
        (json.dumps({k: v for k, v in RECORD.items() if k != "run_key"}), "must hold run_key"),
        (json.dumps({**RECORD, "more": 1}), r"nothing but .* Received: \['more'\]"),
        (json.dumps({**RECORD, "model_version": "1"}), "model_version in f` must be of type int. Received: '1'"),
        (json.dumps({**RECORD, "model_version": True}), "model_version in f` must be of type int"),
        (json.dumps({**RECORD, "reference": {"windows": "1"}}), "reference in f` must be an object of windows, since"),
        (json.dumps({**RECORD, "reference": asdict(REFERENCE)}), "say the reference where `parts` has reference_stat"),
        (
            json.dumps({**RECORD, "parts": ["reference_statistics"]}),
            "say the reference where `parts` has reference_statistics",
        ),
        (json.dumps({**RECORD, "judged_against": 7}), "judged_against in f` must be of type str. Received: 7"),
    ],
)
def test_damaged_manifests_say_where_and_what(text, expected):
    with pytest.raises(MonitorError, match=expected):
        Manifest.from_json(text, "f")


def test_versions_are_what_a_server_takes_for_versions(push, serving, tmp_path):
    made = [push(9), push(10)]
    for name in (".push-abc", "latest", "-3", "1.5", "١٢"):
        (tmp_path / "serving" / name).mkdir()
    (tmp_path / "serving" / "99").touch()
    assert versions(serving) == made
    assert versions(serving + "/nowhere") == []


def test_newest_is_by_number_not_by_name(push, serving):
    push(9)
    last = push(10)
    bundle = newest(serving)
    assert bundle.version_dir == last
    assert bundle.splits("statistics") == ["eval", "train"]
    assert bundle.splits() == ["eval"]
    assert newest(serving + "/nowhere") is None


def damage(push, part: str):
    path = push(2) + "/" + BUNDLE + "/" + part
    shutil.rmtree(path, ignore_errors=True)
    if part == "manifest.json":
        Path(path).write_text("{")


@pytest.mark.parametrize("part", ["manifest.json", "statistics", "baseline_statistics", "evaluation", "schema", ""])
def test_a_damaged_newest_is_an_error_and_no_older_one_is_taken(push, serving, part):
    push(1)
    damage(push, part)
    with pytest.raises(MonitorError, match=r"serving/2"):
        newest(serving)
    with pytest.raises(MonitorError, match=r"serving/2"):
        choose_baseline(serving, "another")


def test_a_version_that_was_pushed_by_something_else_is_an_error(push, serving, tmp_path):
    push(1)
    (tmp_path / "serving" / "2").mkdir()
    with pytest.raises(MonitorError, match="AtomicPusher did not push it"):
        newest(serving)


def test_a_version_without_a_model_is_an_error(push, tmp_path):
    folder = push(1)
    (tmp_path / "serving" / "1" / "saved_model.pb").unlink()
    with pytest.raises(MonitorError, match="hold a SavedModel"):
        read(folder)
    with pytest.raises(MonitorError, match="must be a folder"):
        read(folder + "0")


def test_nothing_pushed_is_no_baseline(serving):
    assert choose_baseline(serving, "key") == ""


def test_another_run_is_judged_against_the_newest_push(push, serving):
    push(1, run_key="a")
    last = push(2, run_key="b")
    assert choose_baseline(serving, "c") == last
    assert choose_baseline(serving, "a") == last


def test_the_run_that_made_the_newest_push_is_judged_as_then(push, serving):
    first = push(1, run_key="a")
    assert choose_baseline(serving, "a") == ""
    push(2, run_key="b", judged_against=first)
    assert choose_baseline(serving, "b") == first
    # and again when the same run was pushed a second time
    push(3, run_key="b", judged_against=first)
    assert choose_baseline(serving, "b") == first


def test_a_baseline_that_was_deleted_gives_way_to_the_newest(push, serving):
    first = push(1, run_key="a")
    last = push(2, run_key="b", judged_against=first)
    shutil.rmtree(first)
    assert choose_baseline(serving, "b") == last


def test_runs_without_a_key_are_never_taken_for_the_same(push, serving):
    last = push(1, run_key="")
    assert choose_baseline(serving, "") == last


@pytest.mark.parametrize(
    ("name", "number"), [("/serving/3", 3), ("/serving/0179/", 179), ("my_model", 0), ("v3", 0), ("/models/1.5", 0)]
)
def test_the_name_of_a_folder_is_its_version_if_it_is_a_number(name, number):
    assert baseline_bundle.version_of(name) == number


def test_an_adopted_model_has_neither_training_nor_evaluation(push, serving):
    folder = Path(push(1, parts=()))
    for part in ("statistics", "evaluation"):
        shutil.rmtree(folder / BUNDLE / part)
    bundle = newest(serving)
    assert bundle.splits("statistics") == []
    assert not bundle.has("statistics")
    assert bundle.has("baseline_statistics")


def test_it_needs_neither_tfx_nor_tensorflow():
    import subprocess
    import sys

    code = (
        "import sys, components.common.baseline_bundle; print({'tensorflow', 'tfx', 'apache_beam'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
    assert baseline_bundle.FORMAT_VERSION == 5


def test_serving_is_compared_with_the_reference_where_there_is_one(push, serving):
    known = {"reference": REFERENCE, "parts": ("statistics", "evaluation", "reference_statistics")}
    folder = Path(push(1, **known))
    with pytest.raises(MonitorError, match="have a folder reference_statistics"):
        read(str(folder))
    (folder / BUNDLE / "reference_statistics" / "Split-eval").mkdir(parents=True)
    assert read(str(folder)).compared_part == "reference_statistics"
    assert read(push(2)).compared_part == "baseline_statistics"


def test_a_bundle_from_before_there_were_copies_or_references_is_read():
    record = {**json.loads(MANIFEST.to_json()), "format_version": 4}
    del record["reference"]
    assert Manifest.from_json(json.dumps(record), "manifest.json") == MANIFEST
    del record["copied_from"]
    assert Manifest.from_json(json.dumps({**record, "format_version": 3}), "manifest.json") == MANIFEST
