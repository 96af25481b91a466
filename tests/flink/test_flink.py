"""On a Flink cluster of several processes components come to what they come to in one process, whoever is killed."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apache_beam as beam
import keras
import pytest
import tensorflow_model_analysis as tfma
from google.protobuf import text_format
from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from components.common.artifacts.files import local_files
from components.common.artifacts.tfrecord import frame
from components.common.beam.shard_writer import ShardWriter
from components.common.records.performance import Performance
from components.common.statistics.feature_sample import FILE_NAME, FeatureSample
from components.evaluator.executor import Executor as Evaluator
from components.held_out_scorer.executor import Executor as HeldOutScorer
from components.image_statistics_gen import record_batches
from components.image_statistics_gen.executor import Executor as ImageStatisticsGen
from components.performance_estimator.executor import Executor as PerformanceEstimator
from components.serving_log_example_gen.executor import Executor as ServingLogExampleGen
from components.serving_log_example_gen.read_options import ReadOptions
from components.threshold_calibrator.executor import Executor as ThresholdCalibrator
from pipelines.config import LOCAL_BEAM_ARGS
from tests.components.serving_log_example_gen.conftest import Result, make_good_log
from tests.support import foreign_data
from tests.support.flink import jars
from tests.support.flink.cluster import Cluster, flink_cluster, process_workers
from tests.support.model_specs import digits_spec
from tests.support.specs import model_spec
from tests.support.statistics_numbers import numbers_of_statistics
from tests.support.trainers import digits_trainer

pytestmark = pytest.mark.long

SPEC = digits_spec()
LOG_SPEC = model_spec((4, 5, 3), 3)
FEATURES = {"image": "image/encoded", "label": "image/class/label", "id": "image/id"}
EVAL_CONFIG = """
model_specs { signature_name: "serve_examples" label_key: "image/class/label" prediction_key: "dense_1" }
slicing_specs {}
metrics_specs {
  metrics { class_name: "ExampleCount" }
  metrics { class_name: "SparseCategoricalAccuracy" config: '"name": "accuracy"' }
}
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    if beam.__version__ != jars.BEAM:
        pytest.skip(f"the jars have the runner of Beam {jars.BEAM}, and this is Beam {beam.__version__}")
    try:
        fetched = jars.fetch()
    except jars.MissingError as error:
        pytest.skip(str(error))
    with flink_cluster(tmp_path_factory.mktemp("flink"), fetched) as started:
        yield started


@pytest.fixture(scope="module")
def here(tmp_path_factory) -> "Steps":
    """All that is run on Flink, run in this process."""
    steps = Steps(tmp_path_factory.mktemp("here"), list(LOCAL_BEAM_ARGS))
    steps.prepare()
    steps.run_all()
    return steps


class Steps:
    """A chain of components on real digits and made logs, in a folder, with some options for Beam."""

    def __init__(self, folder: Path, beam_args: list[str], data: Path | None = None) -> None:
        self.folder, self.beam_args, self.data = folder, beam_args, data or folder / "data"

    def prepare(self) -> None:
        digits = foreign_data.digits().part(0, 300)
        split = self.data / "examples" / "Split-eval"
        split.mkdir(parents=True)
        for number in range(6):
            part = digits.part(50 * number, 50 * number + 50)
            foreign_data.write_examples(split / f"data-{number}.gz", part, FEATURES)
        keras.utils.set_random_seed(5)
        image = keras.Input((28, 28, 1), name="input_image")
        network = keras.Model(image, keras.layers.Dense(10)(keras.layers.Flatten()(image)))
        digits_trainer.save(network, str(self.data / "model" / "Format-Serving"))
        logs = self.data / "logs" / "3"
        logs.mkdir(parents=True)
        for number in range(6):
            ids = [f"{number}-{request}" if request else "again" for request in range(40)]
            requests = [make_good_log(5, seed=number, request_id=each).SerializeToString() for each in ids]
            (logs / f"part-{number}").write_bytes(b"".join(map(frame, [*requests, b"\xff\xff"])))
        rows = [f"{identity},{label}" for identity, label in zip(digits.ids, digits.labels, strict=True)]
        wrong = [rows[0], f"{digits.ids[1]},{9 - digits.labels[1]}", "nobody,1", ",1", f"{digits.ids[2]},ten", "x"]
        (self.data / "labels.csv").write_text("\n".join(["id,label", *rows[:290], *wrong]))

    def run_all(self) -> None:
        self.score()
        self.describe()
        self.calibrate()
        self.evaluate()
        self.convert()
        self.estimate()

    def score(self) -> None:
        inputs = {"held_out_examples": [self._examples(self.data)], "model": [self._model()]}
        output = _artifact(standard_artifacts.Examples, self.folder / "scored")
        told = {"spec": SPEC.to_json(), "splits": '["eval"]', "logged": 0}
        self._run(HeldOutScorer, inputs, {"examples": [output]}, told)

    def describe(self, scored: Path | None = None) -> None:
        uri = scored or self.folder / "scored"
        examples = _artifact(standard_artifacts.Examples, uri, split_names='["eval"]')
        output = _artifact(standard_artifacts.ExampleStatistics, self.folder / "statistics")
        told = {"spec": SPEC.rows.to_json(), "exclude_splits": "[]", "sample_size": 200}
        self._run(ImageStatisticsGen, {"examples": [examples]}, {"statistics": [output]}, told)

    def calibrate(self) -> None:
        statistics = _artifact(standard_artifacts.ExampleStatistics, self.folder / "statistics", split_names='["eval"]')
        output = _artifact(standard_artifacts.Schema, self.folder / "schema")
        told = {"window_size": 100, "false_alarm_rate": 0.05, "split": "eval", "permutations": 199, "seed": 0,
                "monitored": "[]", "unmonitored": "[]"}  # fmt: skip
        ThresholdCalibrator().Do({"statistics": [statistics]}, {"schema": [output]}, told)

    def evaluate(self) -> None:
        outputs = {
            "evaluation": [_artifact(standard_artifacts.ModelEvaluation, self.folder / "evaluation")],
            "blessing": [_artifact(standard_artifacts.ModelBlessing, self.folder / "blessing")],
        }
        config = proto_utils.proto_to_json(text_format.Parse(EVAL_CONFIG, tfma.EvalConfig()))
        told = {"eval_config": config, "example_splits": '["eval"]', "fairness_indicator_thresholds": "null"}
        inputs = {"examples": [self._examples(self.data)], "model": [self._model()]}
        # TFMA's combiners and cloudpickle do not go together where several workers are in one process (docs/traps.md)
        self._run(Evaluator, inputs, outputs, told, "--pickle_library=dill")

    def convert(self) -> None:
        splits = [example_gen_pb2.Input.Split(name="serving", pattern="3/*")]
        told = {
            "input_base": str(self.data / "logs"),
            "input_config": proto_utils.proto_to_json(example_gen_pb2.Input(splits=splits)),
            **ReadOptions(spec=LOG_SPEC).to_properties(),
            "span": 3,
        }
        result = self.converted
        self._run(ServingLogExampleGen, {}, {"examples": [result.examples], "anomalies": [result.anomalies]}, told)

    def estimate(self) -> None:
        statistics = _artifact(standard_artifacts.ExampleStatistics, self.folder / "statistics", split_names='["eval"]')
        examples = _artifact(standard_artifacts.Examples, self.folder / "scored", split_names='["eval"]')
        output = _artifact(standard_artifacts.ExampleAnomalies, self.folder / "performance")
        inputs = {"statistics": [statistics], "baseline_statistics": [statistics], "examples": [examples]}
        told = {"labels_file": str(self.data / "labels.csv"), "split": "eval", "baseline_split": "eval", "seed": 0,
                "estimator": "atc_confidence", "max_accuracy_drop": 0.05, "spec": SPEC.to_json()}  # fmt: skip
        self._run(PerformanceEstimator, inputs, {"anomalies": [output]}, told)

    @property
    def performance(self) -> Performance:
        return Performance.from_json((self.folder / "performance" / "performance.json").read_text())

    @property
    def converted(self) -> Result:
        examples = _artifact(standard_artifacts.Examples, self.folder / "rows")
        return Result(examples, _artifact(standard_artifacts.ExampleAnomalies, self.folder / "anomalies"))

    @property
    def scored(self) -> list[bytes]:
        """Rows that carry an answer, in the order of their bytes."""
        files = (self.folder / "scored" / "Split-eval").iterdir()
        return sorted(record for path in files for record in local_files().records(str(path)))

    @property
    def sample(self) -> bytes:
        return FeatureSample.read(str(self.folder / "statistics" / "Split-eval" / FILE_NAME)).to_bytes()

    @property
    def statistics(self) -> dict[str, tuple[float, ...]]:
        return numbers_of_statistics(self.folder / "statistics" / "Split-eval" / "FeatureStats.pb")

    @property
    def metrics(self) -> dict[str, Any]:
        result = tfma.load_eval_result(str(self.folder / "evaluation"))
        return result.get_metrics_for_slice()

    @property
    def schema(self) -> str:
        return (self.folder / "schema" / "schema.pbtxt").read_text()

    @property
    def files(self) -> set[str]:
        """All files, without the numbers of shards."""
        found = (str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if self.data not in path.parents)
        return {name.split("-of-")[0].rstrip("-0123456789") for name in found}

    def _examples(self, folder: Path) -> Any:
        return _artifact(standard_artifacts.Examples, folder / "examples", split_names='["eval"]')

    def _model(self) -> Any:
        return _artifact(standard_artifacts.Model, self.data / "model")

    def _run(self, executor: Any, inputs: Any, outputs: Any, told: dict[str, Any], *beam_args: str) -> None:
        given = [*self.beam_args, *beam_args]
        context = executor.Context(beam_pipeline_args=given, tmp_dir=str(self.folder / "tmp"), unique_id="1")
        executor(context).Do(inputs, outputs, told)


def _artifact(kind: Any, uri: Path, **properties: Any) -> Any:
    artifact = kind()
    artifact.uri = str(uri)
    for name, value in properties.items():
        setattr(artifact, name, value)
    return artifact


def assert_same_statistics(one: Steps, other: Steps) -> None:
    assert one.sample == other.sample
    assert one.statistics.keys() == other.statistics.keys()
    for name, numbers in one.statistics.items():
        assert other.statistics[name] == pytest.approx(numbers, rel=1e-12), name


def assert_same_rows(one: Steps, other: Steps) -> None:
    assert one.converted.counts == other.converted.counts
    assert one.converted.rows == other.converted.rows
    assert one.converted.proto == other.converted.proto
    letters = [sorted(map(str, each.converted.dead_letters)) for each in (one, other)]
    assert letters[0] == letters[1]


def test_every_step_comes_to_the_same(cluster, here, tmp_path):
    there = Steps(tmp_path, cluster.beam_args("--environment_type=LOOPBACK"), here.data)
    there.run_all()
    assert_same_statistics(here, there)
    assert_same_rows(here, there)
    assert here.schema == there.schema
    assert here.metrics == there.metrics
    assert here.metrics["example_count"] == {"doubleValue": 300.0}
    labelled = here.performance.labelled
    assert labelled is not None
    assert (labelled.examples, labelled.used, labelled.rows) == (300, 289, 296)
    assert here.performance == there.performance
    assert here.files - {"data"} == there.files


def test_a_task_manager_is_killed_while_examples_are_read(cluster, here, tmp_path, monkeypatch):
    there = Steps(tmp_path, cluster.beam_args("--environment_type=LOOPBACK"), here.data)
    there.score()
    with killed_at(cluster, monkeypatch, record_batches, "_records", number=3):
        there.describe()
    assert cluster.restarts() > 0
    assert_same_statistics(here, there)
    assert {path.name for path in (tmp_path / "statistics").rglob("*")} == {"Split-eval", FILE_NAME, "FeatureStats.pb"}


def test_a_task_manager_is_killed_while_rows_are_written(cluster, here, tmp_path, monkeypatch):
    there = Steps(tmp_path, cluster.beam_args("--environment_type=LOOPBACK"), here.data)
    with killed_at(cluster, monkeypatch, ShardWriter, "_append", number=100):
        there.convert()
    assert cluster.restarts() > 0
    assert_same_rows(here, there)
    assert [path.name for path in (tmp_path / "rows").iterdir()] == ["Split-serving"]
    assert not list(tmp_path.rglob("*.tmp"))


def test_workers_of_their_own_come_to_the_same_when_a_task_manager_is_killed(cluster, here, tmp_path):
    there = Steps(tmp_path, cluster.beam_args(*process_workers(tmp_path)), here.data)
    with killed_when(cluster, lambda: any(tmp_path.glob("rows/.writing-*/serving/*.gz"))):
        there.convert()
    assert cluster.restarts() > 0
    assert_same_rows(here, there)
    there.describe(here.folder / "scored")
    assert_same_statistics(here, there)
    assert [path.name for path in (tmp_path / "rows").iterdir()] == ["Split-serving"]


def test_workers_of_their_own_ask_the_model_as_one_process_does(cluster, here, tmp_path):
    there = Steps(tmp_path, cluster.beam_args(*process_workers(tmp_path)), here.data)
    there.score()
    assert there.scored == here.scored
    there.describe()
    assert_same_statistics(here, there)
    there.estimate()
    assert here.performance == there.performance
    there.evaluate()
    assert here.metrics == there.metrics
    assert not list((tmp_path / "evaluation").glob("beam-temp-*"))


@contextmanager
def killed_at(cluster: Cluster, monkeypatch: Any, where: Any, name: str, *, number: int) -> Iterator[None]:
    """Kills a task manager at the n-th call of a function in a worker, which runs in this process; starts another."""
    original = getattr(where, name)
    calls, lock, last = iter(range(1, number + 1)), threading.Lock(), len(cluster.task_managers) - 1

    def call(*args: Any) -> Any:
        with lock:
            if next(calls, None) == number:
                cluster.kill(last)
                cluster.add_task_manager()
        return original(*args)

    with monkeypatch.context() as patch:
        patch.setattr(where, name, call)
        yield
    assert next(calls, None) is None
    cluster.wait_for(2)


@contextmanager
def killed_when(cluster: Cluster, happened: Callable[[], bool]) -> Iterator[None]:
    """Kills a task manager as soon as something has happened, and starts another."""
    ended, last = threading.Event(), len(cluster.task_managers) - 1

    def watch() -> None:
        while not ended.is_set() and not happened():
            time.sleep(0.002)
        if not ended.is_set():
            cluster.kill(last)
            cluster.add_task_manager()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    assert cluster.task_managers[last].poll() is not None
    cluster.wait_for(2)
