"""Beam joins labels and examples as one process does, whoever reads what of them."""

import gzip
from pathlib import Path

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from components.common.artifacts import record_parts
from components.common.artifacts.files import Artifact, local_files
from components.common.artifacts.tfrecord import frame
from components.common.beam.hand_back import HandBack, scratch_folder
from components.common.errors import MonitorError
from components.performance_estimator import delayed_labels, join_labels, partitions, readers
from components.performance_estimator.join_labels import JoinLabels, accuracy_of
from components.serving_log_writer.prediction_log_encoding import example_bytes
from pipelines.config import LOCAL_BEAM_ARGS, MonitoringConfig
from tests.support.specs import model_spec

SPEC = model_spec(classes=["cat", "dog", "frog"])
MULTI = MonitoringConfig(beam_runner="multi", beam_args=("--direct_num_workers=2",)).beam_options


def example(identity: str, predicted: int, scored: bool = False) -> bytes:
    features = {
        "id": [identity.encode()] if identity else [],
        "class_id": [predicted] if predicted >= 0 else [],
        "probabilities": [0.125, 0.125, 0.75] if scored else [],
    }
    return example_bytes({name: values for name, values in features.items() if values})


@pytest.fixture(scope="module")
def examples(tmp_path_factory) -> Artifact:
    """9,000 examples in three files, one of them gzipped, with all that can be wrong with some."""
    folder = tmp_path_factory.mktemp("examples")
    (folder / "Split-serving").mkdir()
    draw = np.random.default_rng(7)
    for number in range(3):
        ids = [f"e{each}" if each > 50 else "" for each in draw.integers(6_000, size=3_000)]
        predicted, scored = draw.integers(-1, 3, 3_000).tolist(), draw.choice([True, False], 3_000)
        records = b"".join(map(frame, map(example, ids, predicted, scored)))
        name, content = (f"part-{number}.gz", gzip.compress(records)) if number == 1 else (f"part-{number}", records)
        (folder / "Split-serving" / name).write_bytes(content)
    return Artifact(str(folder), properties={"split_names": '["serving"]'})


@pytest.fixture(scope="module")
def labels(tmp_path_factory) -> str:
    """12,000 rows: duplicates, contradictions, strangers, no ids, no labels; one id has a thousand of them."""
    draw = np.random.default_rng(8)
    given = draw.choice(["0", "1", "2", "frog", "3", "cow"], 11_000)
    rows = [(f"e{identity}", label) for identity, label in zip(draw.integers(7_000, size=11_000), given, strict=True)]
    rows += [("e17", "1")] * 1_000 + [("", "1"), ("e1", "0,2")]
    path = tmp_path_factory.mktemp("labels") / "labels.csv"
    path.write_text("id,label\n" + "".join(f"{identity},{label}\n" for identity, label in rows))
    return str(path)


def here(examples: Artifact, labels: str) -> delayed_labels.LabelledAccuracy:
    logged = readers.logged_examples(examples, "serving", local_files())
    return delayed_labels.join(readers.label_rows(labels, local_files()), logged, SPEC)


def by_beam(examples: Artifact, labels: str, folder: Path, args=LOCAL_BEAM_ARGS) -> delayed_labels.LabelledAccuracy:
    paths = readers.split_paths(examples, "serving", local_files())
    with scratch_folder(str(folder)) as scratch:
        joined = HandBack(scratch, "joined")
        with beam.Pipeline(options=PipelineOptions(list(args))) as pipeline:
            _ = pipeline | beam.Create(paths) | JoinLabels(labels, SPEC) | joined
        found = accuracy_of(joined.take())
    assert list(folder.iterdir()) == []
    return found


def test_beam_comes_to_what_one_process_comes_to(examples, labels, tmp_path, monkeypatch):
    whole = here(examples, labels)
    assert (whole.examples, whole.rows) == (9_000, 12_002)
    assert whole.overall is not None
    assert whole.overall.total > 1_000
    assert all(each.count for each in whole.row_problems.values())
    assert all(each.count for each in whole.example_problems.values())
    assert whole.repeated_ids.count > 1_000
    assert whole.disagreeing > 100
    monkeypatch.setattr(partitions, "MOST_HELD", 1_000)
    assert here(examples, labels) == whole
    assert by_beam(examples, labels, tmp_path) == whole
    # files in many parts, and ids in many groups, of which some have more than one group holds
    monkeypatch.setattr("components.common.beam.records.PART_BYTES", 20_000)
    monkeypatch.setattr(record_parts, "PIECE_BYTES", 5_000)
    monkeypatch.setattr(join_labels, "_SETTLED_AT_ONCE", 100)
    assert by_beam(examples, labels, tmp_path) == whole


@pytest.mark.long
def test_processes_come_to_what_one_process_comes_to(examples, labels, tmp_path):
    assert by_beam(examples, labels, tmp_path, MULTI) == here(examples, labels)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "`labels_file` must be a file that is there"),
        (b"a,b\n", r".*labels\.csv` must begin with a header"),
        (b"id,label\ne1,1\n\xff,1\n", r".*labels\.csv` must be a CSV file in UTF-8. Received: byte 0xff"),
    ],
)
def test_why_a_labels_file_cannot_be_read_arrives_whole(examples, tmp_path, content, message):
    path, scratch = tmp_path / "labels.csv", tmp_path / "out"
    scratch.mkdir()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MonitorError, match=f"^{message}"):
        by_beam(examples, str(path), scratch)
    assert list(scratch.iterdir()) == []


def test_a_damaged_file_of_examples_is_an_error_that_names_it(labels, tmp_path):
    folder = tmp_path / "Split-serving"
    folder.mkdir()
    (folder / "part-0").write_bytes(frame(example("e1", 1)))
    (folder / "part-1").write_bytes(frame(example("e2", 1))[:-1])
    (tmp_path / "out").mkdir()
    damaged = Artifact(str(tmp_path), properties={"split_names": '["serving"]'})
    with pytest.raises(MonitorError, match=r"part-1 must be a whole TFRecord file"):
        by_beam(damaged, labels, tmp_path / "out")


def test_a_split_without_examples_and_a_file_without_rows_come_to_nothing(tmp_path):
    (tmp_path / "Split-serving").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "labels.csv").write_text("id,label\n")
    empty = Artifact(str(tmp_path), properties={"split_names": '["serving"]'})
    found = by_beam(empty, str(tmp_path / "labels.csv"), tmp_path / "out")
    assert (found.examples, found.rows, found.overall) == (0, 0, None)
    assert found == here(empty, str(tmp_path / "labels.csv"))
