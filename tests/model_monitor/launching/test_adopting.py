"""What `adopt` refuses before anything runs, where it looks for files, and what it notes for `monitor`."""

import gzip
import os
from pathlib import Path

import pytest
import yaml

from components.common.artifacts.tfrecord import frame
from components.common.baseline_bundle import BUNDLE, Bundle
from components.common.errors import MonitorError
from model_monitor.launching import adopting, monitoring
from pipelines.config import AdoptionConfig, load
from tests.support.model_specs import digits_spec


@pytest.fixture
def model(tmp_path) -> Path:
    folder = tmp_path / "models" / "3"
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").touch()
    return folder


@pytest.fixture
def held_out(tmp_path) -> Path:
    folder = tmp_path / "held_out"
    folder.mkdir()
    (folder / "a.tfrecord").write_bytes(frame(b"record"))
    (folder / "b.tfrecord.gz").write_bytes(gzip.compress(frame(b"record")))
    return folder


def test_a_model_and_examples_are_all_that_is_needed(model, held_out):
    adopting.check(model, str(held_out / "*"), replace=False)


def test_a_baseline_that_is_there_is_left_alone_unless_told(model, held_out):
    (model / BUNDLE).mkdir(parents=True)
    with pytest.raises(MonitorError, match=r"is there already: the model has a baseline\. --force puts another"):
        adopting.check(model, str(held_out / "*"), replace=False)
    adopting.check(model, str(held_out / "*"), replace=True)


def test_what_is_no_model_is_refused(tmp_path, held_out):
    with pytest.raises(MonitorError, match=r"`--saved-model` must be a folder with a saved_model\.pb"):
        adopting.check(tmp_path / "nowhere", str(held_out / "*"), replace=False)


@pytest.mark.parametrize(("name", "content"), [("c.gz", b"plain"), ("c.tfrecord", gzip.compress(b"zipped", mtime=0))])
def test_files_whose_name_does_not_say_how_they_are_packed_are_refused(model, held_out, name, content):
    (held_out / name).write_bytes(content)
    with pytest.raises(
        MonitorError, match=r"`--examples` must name gzipped files \*.gz, and only these. Received: .*c\."
    ):
        adopting.check(model, str(held_out / "*"), replace=False)


def test_hidden_files_are_left_out_of_the_pattern_that_tfx_gets(model, held_out):
    for name in (".a.tfrecord.crc", "_SUCCESS", ".DS_Store"):
        (held_out / name).write_bytes(b"\0\0\0\1Bud1")
    adopting.check(model, str(held_out / "*"), replace=False)
    import tensorflow as tf

    names = tf.io.gfile.glob("/".join(adopting.split_pattern(str(held_out / "*"))))
    assert sorted(Path(name).name for name in names) == ["a.tfrecord", "b.tfrecord.gz"]


@pytest.mark.parametrize("make", [lambda path: path.write_text("{}"), os.mkfifo, Path.mkdir])
def test_what_lies_beside_is_left_out_by_name_and_of_the_pattern_that_tfx_gets(model, held_out, make, caplog):
    for name in ("b.manifest", "manifest.json"):
        make(held_out / name)
    for pattern in ("*", "[abm]*"):
        adopting.check(model, str(held_out / pattern), replace=False)
        read = adopting._named_by(adopting.narrowed(str(held_out / pattern)))
        assert [Path(file).name for file in read] == ["a.tfrecord", "b.tfrecord.gz"]
    assert "manifest.json: a side file" in caplog.text


def test_shards_are_told_from_what_lies_beside_whatever_they_are_called(model, held_out):
    content = (held_out / "b.tfrecord.gz").read_bytes()
    for number in range(3):
        (held_out / f"part-{number}-of-3.gz").write_bytes(content)
        (held_out / f"part-{number}-of-3.gz.md5").write_text("0" * 32)
    read = adopting._named_by(adopting.narrowed(str(held_out / "part*")))
    assert [Path(file).name for file in read] == [f"part-{number}-of-3.gz" for number in range(3)]


def test_one_file_is_named_as_it_is(model, held_out):
    (held_out / "a.tfrecord").unlink()
    (held_out / "manifest.json").write_text("{}")
    assert adopting.narrowed(str(held_out / "*")) == str(held_out / "b.tfrecord.gz")


def test_what_tfx_would_read_beside_them_by_any_pattern_is_refused(model, held_out):
    (held_out / "a.tfrecord.manifest.b.tfrecord").write_text("{}")
    (held_out / "a.tfrecord.z.b.tfrecord").write_bytes((held_out / "a.tfrecord").read_bytes())
    with pytest.raises(MonitorError, match=r"must name TFRecord files only.*manifest"):
        adopting.narrowed(str(held_out / "*"))


def test_a_file_of_another_format_is_said_to_be_one_before_anything_runs(model, held_out):
    (held_out / "c.tfrecord").write_text("id,label\n1,cat\n")
    with pytest.raises(MonitorError, match=r"c\.tfrecord must be a whole TFRecord file.*it looks like CSV"):
        adopting.check(model, str(held_out / "*"), replace=False)


def test_a_pattern_that_names_nothing_is_refused(model, tmp_path):
    with pytest.raises(MonitorError, match="name TFRecord files"):
        adopting.check(model, str(tmp_path / "none*"), replace=False)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("/data/held_out/*.gz", ("/data/held_out", "[!._]*.gz")),
        ("/data/held_out/?.gz", ("/data/held_out", "[!._].gz")),
        ("/data/*/part-?", ("/data", "*/part-?")),
        ("/data/one.tfrecord", ("/data", "one.tfrecord")),
        ("/data/../other/x[0-9]", ("/other", "x[0-9]")),
    ],
)
def test_a_pattern_is_split_where_it_begins_to_be_one(pattern, expected):
    assert adopting.split_pattern(pattern) == expected


def test_a_pattern_is_relative_to_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert adopting.split_pattern("held_out/*") == (str(tmp_path / "held_out"), "[!._]*")


def test_the_note_keeps_what_a_person_wrote_and_adds_what_was_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    note = tmp_path / "runs" / monitoring.REMEMBERED
    note.parent.mkdir()
    note.write_text(yaml.safe_dump({"labels": "later.csv", "monitor": {"min_examples": 50}}))
    config = load(AdoptionConfig, None, ["monitor.window_size=500"])
    bundle = Bundle("/models/3", manifest=None)
    assert adopting.remember(config, bundle) == note
    assert yaml.safe_load(note.read_text()) == {
        "labels": "later.csv",
        "monitor": {"min_examples": 50, "window_size": 500},
        "bundle": "/models/3",
    }


def test_the_note_is_settings_of_monitoring(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    adopting.remember(AdoptionConfig(), Bundle("/models/3", manifest=None))
    assert monitoring.configuration(None, (), {}).bundle == "/models/3"


def test_the_pipeline_describes_what_the_model_answered(tmp_path):
    from pipelines import adopting as wiring

    config = AdoptionConfig(root=str(tmp_path))
    made = wiring.create_pipeline(config, spec=digits_spec(), model="/models/3", folder="/data", pattern="*")
    nodes = {node.id: node for node in made.components}
    assert [*nodes][:4] == ["ImportExampleGen", "ServedModel", "HeldOutScorer", "BaselineStatisticsGen"]
    assert "ThresholdCalibrator" in nodes
