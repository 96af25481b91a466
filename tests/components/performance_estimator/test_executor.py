"""The executor on real files, and its outcome as the gate and TFDV read it."""

import gzip
import os
from pathlib import Path

import apache_beam as beam
import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
from apache_beam.options.pipeline_options import PipelineOptions
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.components.util import examples_utils
from tfx.dsl.components.common import importer
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_artifacts

from components.common.artifacts.anomalies import anomalies_by_split
from components.common.artifacts.tfrecord import frame
from components.common.errors import MonitorError
from components.common.records.performance import Performance
from components.common.statistics.feature_sample import FILE_NAME
from components.common.tfx_files import artifact_of, tfx_files
from components.common.verdict import Outcome
from components.performance_estimator import readers
from components.performance_estimator.component import PerformanceEstimator
from components.performance_estimator.executor import Executor
from components.push_gate import anomalies as gate
from components.push_gate.policy import AnomaliesPolicy
from pipelines.config import LOCAL_BEAM_ARGS
from tests.support.specs import model_spec

PROPERTIES = {
    "labels_file": "",
    "split": "serving",
    "baseline_split": "eval",
    "estimator": "atc_confidence",
    "max_accuracy_drop": 0.05,
    "spec": model_spec(classes=["cat", "dog", "frog", "ship"]).to_json(),
    "seed": 0,
}
SIZE = 12_000  # more than a feature sample holds


def new_artifact(kind, uri: Path, splits=()):
    made = kind()
    made.uri = str(uri)
    made.split_names = artifact_utils.encode_split_names(list(splits))
    uri.mkdir(parents=True, exist_ok=True)
    return made


def statistics(uri: Path, split: str, sample=None):
    made = new_artifact(standard_artifacts.ExampleStatistics, uri, [split])
    folder = uri / f"Split-{split}"
    folder.mkdir()
    if sample is not None:
        sample.write(str(folder / FILE_NAME))
    return made


def example(**features) -> bytes:
    made = tf.train.Example()
    for name, value in features.items():
        feature = made.features.feature[name]
        if isinstance(value, int):
            feature.int64_list.value.append(value)
        elif isinstance(value, list):
            feature.float_list.value.extend(value)
        else:
            feature.bytes_list.value.append(value.encode() if isinstance(value, str) else value)
    return made.SerializeToString()


def write_records(path: Path, records, compression="GZIP"):
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for record in records:
            writer.write(record)


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """Logged examples in two files, one gzipped; example n of class n % 4, half of them by probabilities only."""
    folder = tmp_path_factory.mktemp("examples")
    made = new_artifact(standard_artifacts.Examples, folder, ["serving"])
    examples_utils.set_payload_format(made, example_gen_pb2.PayloadFormat.FORMAT_TF_EXAMPLE)
    (folder / "Split-serving").mkdir()

    def record(number):
        by_class = {"class_id": number % 4}
        scores = {"probabilities": [0.7 if each == number % 4 else 0.1 for each in range(4)]}
        return example(id=f"e{number}", image=b"\x00" * 12, **(by_class if number % 2 else scores))

    for part, compression in enumerate(["GZIP", ""]):
        path = folder / "Split-serving" / f"part-{part}{'.gz' if compression else ''}"
        write_records(path, [record(number) for number in range(part, SIZE, 2)], compression)
    return made


@pytest.fixture
def run(tmp_path, sample):
    """Runs the executor; what is not given is 1,000 held-out examples of accuracy 0.9 and a window like them."""

    def execute(window=..., baseline=..., examples=None, context=None, **properties):
        baseline = sample(1000, right=0.9) if baseline is ... else baseline
        window = sample(600, right=0.9, seed=1, labels=False) if window is ... else window
        output = new_artifact(standard_artifacts.ExampleAnomalies, tmp_path / "anomalies")
        inputs = {
            "statistics": [statistics(tmp_path / "window", "serving", window)],
            "baseline_statistics": [statistics(tmp_path / "baseline", "eval", baseline)],
            **({"examples": [examples]} if examples else {}),
        }
        inputs["statistics"][0].span = 7
        Executor(context).Do(inputs, {"anomalies": [output]}, {**PROPERTIES, **properties})
        return output, Performance.from_json((tmp_path / "anomalies" / "performance.json").read_text())

    return execute


def verdict(artifact):
    """What PushGate makes of the artifact, with its strict policy."""
    ((split, found),) = anomalies_by_split(artifact_of(artifact), tfx_files()).items()
    return gate.judge(found, AnomaliesPolicy(), split)


def test_a_fine_window_has_no_anomaly_and_passes_the_gate(run):
    artifact, found = run()
    assert found.check.outcome is Outcome.PASSED
    assert verdict(artifact).outcome.value == "passed"
    assert artifact.get_string_custom_property("state") == "fine"
    assert artifact.get_float_custom_property("estimated_accuracy") == pytest.approx(0.9, abs=0.01)
    assert not artifact.has_custom_property("measured_accuracy")
    assert artifact.span == 7


def test_a_degraded_window_blocks_with_the_points(run, sample):
    artifact, found = run(window=sample(600, right=0.7, labels=False))
    assert found.check.outcome is Outcome.FAILED
    judged = verdict(artifact)
    assert judged.outcome.value == "failed"
    assert "the dataset: Estimated accuracy fell by 20.0 points, more than the 5 allowed" in judged.reason
    path = Path(artifact.uri) / "Split-serving" / "SchemaDiff.pb"
    proto = anomalies_pb2.Anomalies.FromString(path.read_bytes())
    info = proto.dataset_anomaly_info
    assert (info.short_description, info.severity) == ("Accuracy fell", anomalies_pb2.AnomalyInfo.ERROR)
    assert [reason.type for reason in info.reason] == [anomalies_pb2.AnomalyInfo.CUSTOM_VALIDATION]
    proto.anomaly_info["confidence"].short_description = "so that it is not alone, which TFDV 1.21 cannot show"
    table = tfdv.utils.display_util.get_anomalies_dataframe(proto)
    assert table.loc["[dataset anomaly]", "Anomaly short description"] == "Accuracy fell"


@pytest.mark.parametrize("given", [{"window": None}, {"baseline": None}])
def test_statistics_without_a_sample_are_undecided_and_block(run, given):
    artifact, found = run(**given)
    assert found.check.outcome is Outcome.UNDECIDED
    assert verdict(artifact).outcome.value == "undecided"


def test_too_few_examples_are_undecided_for_the_gate_too(run, sample):
    artifact, found = run(window=sample(10))
    assert found.check.outcome is Outcome.UNDECIDED
    assert verdict(artifact).outcome.value == "undecided"


def csv_text(count, right, label=str):
    rows = (f"e{n},{label(n % 4 if n < right else (n + 1) % 4)}\r\n" for n in range(count))
    return "id,label\r\n" + "".join(rows)


def test_labels_of_more_examples_than_the_sample_holds(run, examples, tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text(csv_text(SIZE, 9_000) + "e1,1\r\ne2,0\r\nnobody,1\r\n")
    artifact, found = run(examples=examples, labels_file=str(path))
    labelled = found.labelled
    assert (labelled.overall.count, labelled.overall.total) == (8_999, SIZE - 1)
    assert (labelled.rows, labelled.used, labelled.examples) == (SIZE + 3, SIZE - 1, SIZE)
    counts = {kind: problem.count for kind, problem in labelled.row_problems.items() if problem.count}
    assert counts == {"duplicate": 1, "conflicting": 2, "unknown_id": 1}
    assert labelled.row_problems["conflicting"].named == ("e2",)
    assert found.check.outcome is Outcome.FAILED
    assert found.check.reason.startswith("Accuracy on 11999 labelled examples fell by 15.0 points")
    assert artifact.get_float_custom_property("measured_accuracy") == pytest.approx(0.75, abs=0.001)


@pytest.mark.parametrize("runner", ["ProcessRunner", "FlinkRunner"])
def test_where_a_cluster_does_beams_work_labels_are_joined_with_beam(run, examples, tmp_path, runner):
    (tmp_path / "labels.csv").write_text(csv_text(SIZE, 9_000) + "e1,1\r\ne2,0\r\nnobody,1\r\n")
    made = []

    def make():
        made.append(beam.Pipeline(options=PipelineOptions(list(LOCAL_BEAM_ARGS))))
        return made[-1]

    context = Executor.Context([f"--runner={runner}"], make_beam_pipeline_fn=make)
    artifact, found = run(examples=examples, labels_file=str(tmp_path / "labels.csv"), context=context)
    assert len(made) == (runner == "FlinkRunner")
    labelled = found.labelled
    assert (labelled.overall.count, labelled.overall.total, labelled.rows) == (8_999, SIZE - 1, SIZE + 3)
    assert sorted(path.name for path in Path(artifact.uri).iterdir()) == ["Split-serving", "performance.json"]


def test_every_format_of_labels_gives_the_same(run, examples, tmp_path):
    names = ["cat", "dog", "frog", "ship"]
    (tmp_path / "numbers.csv").write_text(csv_text(400, 360))
    (tmp_path / "names.csv.gz").write_bytes(gzip.compress(csv_text(400, 360, names.__getitem__).encode()))
    truth = [n % 4 if n < 360 else (n + 1) % 4 for n in range(400)]
    numbers = [example(id=f"e{n}", label=each) for n, each in enumerate(truth)]
    words = [example(id=f"e{n}", label=names[each]) for n, each in enumerate(truth)]
    write_records(tmp_path / "labels.tfrecord", numbers, "")
    write_records(tmp_path / "data_tfrecord-00000-of-00001.gz", words)
    found = []
    for name in ("numbers.csv", "names.csv.gz", "labels.tfrecord", "data_tfrecord-00000-of-00001.gz"):
        for folder in ("window", "baseline"):
            (tmp_path / folder).exists() and (tmp_path / folder).rename(tmp_path / f"{folder}-before-{name}")
        found.append(run(examples=examples, labels_file=str(tmp_path / name))[1].labelled)
    assert [each.overall.count for each in found] == [360] * 4
    assert found[0] == found[1] == found[2] == found[3]
    assert found[0].example_problems["unlabelled"].count == SIZE - 400


def test_records_that_hold_no_label_are_counted(run, examples, tmp_path):
    path = tmp_path / "labels.tfrecord"
    write_records(path, [b"\xff\xff", example(id="e1"), example(label=1), example(id=b"\xff\xfe", label=0)], "")
    _, found = run(examples=examples, labels_file=str(path))
    counts = {kind: problem.count for kind, problem in found.labelled.row_problems.items() if problem.count}
    assert counts == {"malformed": 3, "unknown_id": 1}
    assert found.labelled.row_problems["unknown_id"].named == ("\\xff\\xfe",)
    assert found.check.outcome is Outcome.UNDECIDED


# A kilobyte or two each, of which a thousand times as much comes.
BOMB = gzip.compress(b"id,label\n" + bytes(2_000_000))
RECORDS = gzip.compress(frame(b"") * 100_000)


def pipe(folder: Path) -> str:
    os.mkfifo(folder / "pipe.csv")
    return str(folder / "pipe.csv")


def damaged(folder: Path, name: str, content: bytes) -> str:
    (folder / name).write_bytes(content)
    return str(folder / name)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (lambda folder: str(folder / "none.csv"), "`labels_file` must be a file that is there"),
        (lambda folder: damaged(folder, "a.csv.gz", gzip.compress(b"id,label\n" * 99)[:-9]), "must be a whole gzip"),
        (lambda folder: damaged(folder, "a.csv.gz", BOMB), r"a\.csv\.gz must unpack to at most 1\.0 MB to be read"),
        (lambda folder: damaged(folder, "tfrecord", RECORDS), "tfrecord must unpack to at most 1.0 MB to be read"),
        (lambda folder: damaged(folder, "a.csv", bytes(1_000_001)), r"a\.csv must have at most 1\.0 MB to be read"),
        (pipe, r"pipe\.csv must be a regular file. Received: a named pipe"),
        (lambda folder: damaged(folder, "a.csv", b"a,b\n"), "begin with a header"),
        (lambda folder: damaged(folder, "a.tfrecord", b"no record of any kind"), "must be a whole TFRecord"),
    ],
)
def test_a_labels_file_that_cannot_be_read_is_an_error(run, examples, tmp_path, path, message, monkeypatch):
    monkeypatch.setattr(readers, "MOST_LABEL_BYTES", 1_000_000)
    with pytest.raises(MonitorError, match=message):
        run(examples=examples, labels_file=path(tmp_path))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"split": "servng"}, "`split` must be one of serving"),
        ({"baseline_split": "x"}, "`baseline_split` must be one"),
    ],
)
def test_a_split_that_is_not_there_is_named(run, given, message):
    with pytest.raises(MonitorError, match=message):
        run(**given)


def test_samples_of_another_number_of_classes_than_the_model_are_an_error(run):
    with pytest.raises(MonitorError, match=r"must have probabilities of 3 classes, as the spec. Received: \[4\]"):
        run(spec=model_spec(classes=3).to_json())


def test_a_damaged_sample_is_an_error(run, tmp_path, sample):
    made = statistics(tmp_path / "broken", "serving", sample(100))
    (tmp_path / "broken" / "Split-serving" / FILE_NAME).write_bytes(b"PK")
    known = statistics(tmp_path / "known", "eval", sample(100))
    output = new_artifact(standard_artifacts.ExampleAnomalies, tmp_path / "out")
    with pytest.raises(MonitorError, match=FILE_NAME):
        Executor().Do({"statistics": [made], "baseline_statistics": [known]}, {"anomalies": [output]}, PROPERTIES)


def test_it_runs_in_a_pipeline(tmp_path, sample, examples):
    statistics(tmp_path / "window", "serving", sample(600, right=0.9, seed=1, labels=False))
    statistics(tmp_path / "baseline", "eval", sample(1000, right=0.9))
    (tmp_path / "labels.csv").write_text(csv_text(400, 300))

    def imported(name, uri, kind, split):
        properties = {"split_names": artifact_utils.encode_split_names([split])}
        custom = {"payload_format": "FORMAT_TF_EXAMPLE"} if kind is standard_artifacts.Examples else {}
        made = importer.Importer(str(uri), kind, properties=properties, custom_properties=custom)
        return made.with_id(name)

    window = imported("Window", tmp_path / "window", standard_artifacts.ExampleStatistics, "serving")
    known = imported("Baseline", tmp_path / "baseline", standard_artifacts.ExampleStatistics, "eval")
    logs = imported("Logs", examples.uri, standard_artifacts.Examples, "serving")
    performance = PerformanceEstimator(
        window.outputs["result"],
        known.outputs["result"],
        spec=model_spec(classes=4),
        examples=logs.outputs["result"],
        labels_file=str(tmp_path / "labels.csv"),
    )
    store = metadata.sqlite_metadata_connection_config(str(tmp_path / "store.sqlite"))
    LocalDagRunner().run(Pipeline("performance", str(tmp_path / "root"), store, [window, known, logs, performance]))
    (path,) = (tmp_path / "root").glob("PerformanceEstimator/anomalies/*/performance.json")
    found = Performance.from_json(path.read_text())
    assert found.check.outcome is Outcome.FAILED
    with metadata.Metadata(store) as handle:
        (artifact,) = handle.store.get_artifacts_by_type("ExampleAnomalies")
    assert artifact.custom_properties["state"].string_value == "degraded"
    assert artifact.custom_properties["measured_accuracy"].double_value == pytest.approx(0.75)
