"""Versions in a store are read as those of a folder are, but for what is still being uploaded."""

from pathlib import Path

import pytest

from components.baseline_importer import step as baseline_importer
from components.common import baseline_bundle
from components.common.errors import MonitorError
from components.common.object_store import places
from components.common.object_store.address import parse
from components.common.object_store.places import copy_out
from components.common.step import Output, Step
from tests.support.pushed_version import write_version


@pytest.fixture
def serving(bucket) -> str:
    return f"{bucket}/serving"


@pytest.fixture
def push(serving, tmp_path):
    """Writes a version with its bundle into the store: (number, manifest's changes) -> its folder."""

    def write(version: int, **changes) -> str:
        folder = Path(write_version(tmp_path / "here", version, **changes))
        for empty in [path for path in folder.rglob("*") if path.is_dir() and not list(path.iterdir())]:
            (empty / "FeatureStats.pb").write_text(empty.name)  # a store has no empty folders
        copy_out(str(folder), f"{serving}/{version}")
        return f"{serving}/{version}"

    return write


def test_the_newest_is_the_highest_that_servers_load(serving, push):
    assert (baseline_bundle.versions(serving), baseline_bundle.newest(serving)) == ([], None)
    pushed = [push(9), push(10)]
    store = places.bucket_of(parse(serving))
    store.create("serving/11/variables/variables.index", b"still being uploaded")
    store.create("serving/12", b"no folder")
    store.create("serving/newest.json", b"{}")
    assert baseline_bundle.versions(serving) == pushed
    found = baseline_bundle.newest(serving)
    assert (found.version_dir, found.manifest.model_version) == (pushed[-1], 10)
    assert (found.splits("statistics"), found.splits()) == (["eval", "train"], ["eval"])


def test_a_run_is_judged_against_the_newest_or_what_that_was_judged_against(serving, push):
    first, second = push(1), push(2, run_key="k", judged_against=f"{serving}/1")
    assert baseline_bundle.choose_baseline(serving, "other") == second
    assert baseline_bundle.choose_baseline(serving, "k") == first
    push(3, run_key="k", judged_against=f"{serving}/0")
    assert baseline_bundle.choose_baseline(serving, "k") == f"{serving}/3"  # that one is gone


@pytest.mark.parametrize(
    ("lost", "sentence"),
    [
        ("manifest.json", "has no baseline bundle"),
        ("schema/schema.pbtxt", "must have a file schema/schema.pbtxt"),
        ("baseline_statistics/Split-eval/FeatureStats.pb", "must have a folder baseline_statistics"),
    ],
)
def test_what_a_bundle_lacks_is_said(serving, push, lost, sentence):
    version = push(7)
    places.bucket_of(parse(serving)).delete([f"serving/7/assets.extra/baseline/{lost}"])
    with pytest.raises(MonitorError, match=sentence):
        baseline_bundle.read(version)


def test_what_cannot_be_asked_is_no_serving_folder_without_versions(serving, push, monkeypatch):
    push(7)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("MODEL_MONITOR_STORE_SECONDS", "0.2")
    for look in (baseline_bundle.newest, baseline_bundle.versions, baseline_bundle.read):
        with pytest.raises(MonitorError, match="must be in reach"):
            look(serving)


def test_baseline_importer_brings_a_version_from_a_store(serving, push, tmp_path):
    version = push(7)
    kinds = ("model", "statistics", "baseline_statistics", "reference_statistics", "schema")
    outputs = {key: Output(str(tmp_path / key)) for key in kinds}
    (tmp_path / "model" / "Format-Serving").mkdir(parents=True)
    (tmp_path / "model" / "Format-Serving" / "old").touch()
    baseline_importer.run(Step({}, {key: [each] for key, each in outputs.items()}, {"bundle_uri": version}))
    assert [path.name for path in (tmp_path / "model" / "Format-Serving").rglob("*")] == ["saved_model.pb"]
    assert (tmp_path / "statistics" / "Split-train" / "FeatureStats.pb").read_text() == "Split-train"
    assert (tmp_path / "schema" / "schema.pbtxt").is_file()
    assert outputs["statistics"].split_names == ["eval", "train"]
    assert outputs["model"].properties == {"pushed_version": "7", "bundle_uri": version}


def test_a_destination_that_cannot_be_reached_is_said_before_anything_is_trained_for_it(serving):
    assert baseline_importer.chosen("none", serving) is None
    with pytest.raises(MonitorError, match="s3://no-such-bucket must be a bucket that exists"):
        baseline_importer.chosen("none", "s3://no-such-bucket/serving")
