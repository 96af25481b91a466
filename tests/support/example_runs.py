"""Made-up runs with real files: of a stock TFX pipeline (TFX's penguin example), and of a monitoring pipeline.

What is written are the messages that TFX, TFDV and TFMA write, without running any of them.
"""

import contextlib
import json
import shutil
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ml_metadata.proto import metadata_store_pb2 as mlmd
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from components.common.artifacts.tfma_messages import message_class
from components.common.artifacts.tfrecord import frame
from components.common.proportion import Proportion
from components.common.records.decision import REASONS_JSON, Decision
from components.common.records.drift_report import DRIFT_REPORT_JSON, DriftReport, Measurement, Side, State
from components.common.records.performance import PERFORMANCE_JSON, STATES, Examples, Performance, accuracy_check
from components.common.verdict import Check, Effect, Finding, Outcome
from tests.support.metadata_store import RunWriter, StoreWriter

PENGUIN, MONITORING, GATED = "penguin", "monitoring", "gated"
FEATURES = ("body_mass_g", "culmen_depth_mm", "culmen_length_mm", "flipper_length_mm")
_SPLITS = ("train", "eval")
_LOWEST_ACCURACY = 0.6


@dataclass
class Story:
    """A store and a folder of artifacts that runs are added to."""

    root: Path

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.writer = StoreWriter(self.metadata)
        self._made = 0

    @property
    def metadata(self) -> Path:
        return self.root / "metadata.sqlite"

    def copied(self, root: Path) -> "Story":
        """The same runs with files of their own, in a folder that is not there yet."""
        shutil.copytree(self.root, root)
        old, new = str(self.root), str(root)
        with contextlib.closing(sqlite3.connect(root / self.metadata.name)) as store, store:
            store.execute("UPDATE Artifact SET uri = replace(uri, ?, ?)", (old, new))
            for table in ("ArtifactProperty", "ExecutionProperty"):
                store.execute(f"UPDATE {table} SET string_value = replace(string_value, ?, ?)", (old, new))  # noqa: S608
        copy = Story(root)
        copy._made = self._made
        return copy

    def penguin(
        self, run_id: str, *, accuracy: float = 0.9, missing: str = "", failed: str = "", pipeline: str = PENGUIN
    ) -> None:
        """A run of the stock pipeline.

        Args:
          run_id: its id.
          accuracy: of the model; below 0.6 it is not blessed.
          missing: a feature that the evaluation split lacks, against the schema.
          failed: the node at which the run stopped; "" for none.
          pipeline: its name.

        """
        run = self.writer.pipeline_run(pipeline, run_id)
        examples = self._examples(run)
        if failed == "StatisticsGen":
            run.node("StatisticsGen", inputs={"examples": examples}, state="FAILED")
            return
        statistics = [self._artifact("StatisticsGen", "statistics", "ExampleStatistics", splits=_SPLITS)]
        for split in _SPLITS:
            _write(statistics[0], f"Split-{split}/FeatureStats.pb", _statistics(missing if split == "eval" else ""))
        run.node("StatisticsGen", inputs={"examples": examples}, outputs={"statistics": statistics})
        schema = self._schema(run, statistics)
        self._validated(run, statistics, schema, missing)
        self._model(run, examples, schema, accuracy)

    def gated(self, run_id: str, *, missing: str = "") -> None:
        """A run whose push is decided by PushGate, which lets it pass unless the data lack a feature."""
        run = self.writer.pipeline_run(GATED, run_id)
        examples = self._examples(run)
        statistics = [self._artifact("StatisticsGen", "statistics", "ExampleStatistics", splits=_SPLITS)]
        for split in _SPLITS:
            _write(statistics[0], f"Split-{split}/FeatureStats.pb", _statistics(missing if split == "eval" else ""))
        run.node("StatisticsGen", inputs={"examples": examples}, outputs={"statistics": statistics})
        anomalies = self._validated(run, statistics, self._schema(run, statistics), missing)
        model = [self._artifact("Trainer", "model", "Model")]
        run.node("Trainer", inputs={"examples": examples}, outputs={"model": model})
        self._push(run, model, self._decided(run, model, anomalies, missing), not missing)

    def span(
        self, run_id: str, span: int, *, changed: Sequence[str] = (), bundle: str = "/serving/1", few: bool = False
    ) -> None:
        """A monitoring run on a span in which some features have changed, or which has too few examples to say."""
        run = self.writer.pipeline_run(MONITORING, run_id)
        baseline = [self._artifact("BaselineImporter", "schema", "Schema", bundle_uri=bundle)]
        run.node("BaselineImporter", "components.baseline_importer.component.BaselineImporter",
                 outputs={"schema": baseline}, parameters={"bundle_uri": bundle})  # fmt: skip
        examples = self._examples(run, "ServingLogExampleGen", ("serving",), span)
        statistics = [self._artifact("ImageStatisticsGen", "statistics", "ExampleStatistics", ("serving",), span=span)]
        _write(statistics[0], "Split-serving/FeatureStats.pb", _statistics(""))
        run.node("ImageStatisticsGen", inputs={"examples": examples}, outputs={"statistics": statistics})
        inputs = {"statistics": statistics, "schema": baseline}
        report, degraded = _too_few() if few else _drift_report(changed), len(changed) > 1
        drift = [self._artifact("SkewDriftValidator", "anomalies", "ExampleAnomalies", ("serving",), span=span,
                                state=report.state.value, outcome=report.outcome.value, sentence=report.sentence,
                                p_value=-1.0 if report.p_value is None else report.p_value)]  # fmt: skip
        _write(drift[0], DRIFT_REPORT_JSON, report.to_json().encode())
        _write(drift[0], "Split-serving/SchemaDiff.pb", _anomalies(""))
        run.node("SkewDriftValidator", inputs=inputs, outputs={"anomalies": drift})
        performance = _performance(degraded)
        accuracy = [self._artifact("PerformanceEstimator", "anomalies", "ExampleAnomalies", ("serving",), span=span,
                                   state=STATES[performance.check.outcome], reason=performance.check.reason,
                                   estimated_accuracy=0.4 if degraded else 0.9)]  # fmt: skip
        _write(accuracy[0], PERFORMANCE_JSON, performance.to_json().encode())
        _write(accuracy[0], "Split-serving/SchemaDiff.pb", _anomalies(""))
        run.node("PerformanceEstimator", inputs=inputs, outputs={"anomalies": accuracy})

    def _artifact(
        self, node: str, key: str, type_name: str, splits: Sequence[str] = (), **properties: int | float | str
    ) -> mlmd.Artifact:
        """An artifact in a folder of its own."""
        self._made += 1
        folder = self.root / "artifacts" / node / key / str(self._made)
        folder.mkdir(parents=True)
        named = {"split_names": json.dumps(list(splits))} if splits else {}
        return self.writer.artifact(type_name, folder, **named, **properties)

    def _examples(
        self, run: RunWriter, node: str = "CsvExampleGen", splits: Sequence[str] = _SPLITS, span: int = 0
    ) -> list[mlmd.Artifact]:
        fingerprint = f"split:{splits[0]},num_files:1,total_bytes:13161,xor_checksum:{self._made},sum_checksum:1"
        found = [self._artifact(node, "examples", "Examples", splits, span=span, input_fingerprint=fingerprint)]
        for split in splits:
            _write(found[0], f"Split-{split}/data_tfrecord-00000-of-00001.gz", b"not read")
        place = str(self.root / "data")
        run.node(node, outputs={"examples": found}, parameters={"input_base": place, "span": span})
        return found

    def _validated(
        self, run: RunWriter, statistics: list[mlmd.Artifact], schema: list[mlmd.Artifact], missing: str
    ) -> list[mlmd.Artifact]:
        anomalies = [self._artifact("ExampleValidator", "anomalies", "ExampleAnomalies", splits=_SPLITS)]
        for split in _SPLITS:
            _write(anomalies[0], f"Split-{split}/SchemaDiff.pb", _anomalies(missing if split == "eval" else ""))
        run.node("ExampleValidator", inputs={"statistics": statistics, "schema": schema},
                 outputs={"anomalies": anomalies})  # fmt: skip
        return anomalies

    def _decided(
        self, run: RunWriter, model: list[mlmd.Artifact], anomalies: list[mlmd.Artifact], missing: str
    ) -> list[mlmd.Artifact]:
        """What PushGate makes of the anomalies."""
        message = f"{missing}: Column is completely missing"
        found = [Finding("SCHEMA_MISSING_COLUMN", missing, Effect.FAIL, message)] if missing else []
        checks = (
            Check.of("anomalies", found, passed="no anomaly", subject="ExampleValidator, eval"),
            Check.of("evaluation", [], passed="every threshold was met"),
            Check.of("canary", [], passed="signature serving_default answered 8 batches properly"),
        )
        decision = Decision(model[0].uri, checks)
        blessing = [self._artifact("PushGate", "blessing", "ModelBlessing", blessed=int(decision.blessed),
                                   reason=decision.summary, current_model=model[0].uri)]  # fmt: skip
        _write(blessing[0], REASONS_JSON, decision.to_json().encode())
        _write(blessing[0], "BLESSED" if decision.blessed else "NOT_BLESSED", b"")
        run.node("PushGate", "components.push_gate.component.PushGate",
                 inputs={"model": model, "anomalies_0": anomalies}, outputs={"blessing": blessing})  # fmt: skip
        return blessing

    def _schema(self, run: RunWriter, statistics: list[mlmd.Artifact]) -> list[mlmd.Artifact]:
        schema = [self._artifact("SchemaGen", "schema", "Schema")]
        _write(schema[0], "schema.pbtxt", str(_schema()).encode())
        run.node("SchemaGen", inputs={"statistics": statistics}, outputs={"schema": schema})
        return schema

    def _model(
        self, run: RunWriter, examples: list[mlmd.Artifact], schema: list[mlmd.Artifact], accuracy: float
    ) -> None:
        """Transform, Tuner, Trainer, Evaluator and Pusher."""
        inputs = {"examples": examples, "schema": schema}
        graph = [self._artifact("Transform", "transform_graph", "TransformGraph")]
        _write(graph[0], "transform_fn/saved_model.pb", b"graph")
        run.node("Transform", inputs=inputs, outputs={"transform_graph": graph})
        best = [self._artifact("Tuner", "best_hyperparameters", "HyperParameters")]
        _write(
            best[0], "best_hyperparameters.txt", b'{"space": [], "values": {"learning_rate": 0.01, "num_layers": 2}}'
        )
        run.node("Tuner", inputs={"examples": examples}, outputs={"best_hyperparameters": best})
        model = [self._artifact("Trainer", "model", "Model")]
        _write(model[0], "Format-Serving/saved_model.pb", b"model")
        run.node("Trainer", inputs={**inputs, "transform_graph": graph, "hyperparameters": best},
                 outputs={"model": model})  # fmt: skip
        good = accuracy >= _LOWEST_ACCURACY
        evaluation = [self._artifact("Evaluator", "evaluation", "ModelEvaluation")]
        _write(evaluation[0], "metrics-00000-of-00001.tfrecord", _metrics(accuracy))
        _write(evaluation[0], "validations.tfrecord", _validation(accuracy))
        blessing = [self._artifact("Evaluator", "blessing", "ModelBlessing", blessed=int(good),
                                   current_model=model[0].uri)]  # fmt: skip
        _write(blessing[0], "BLESSED" if good else "NOT_BLESSED", b"")
        run.node("Evaluator", inputs={"examples": examples, "model": model},
                 outputs={"evaluation": evaluation, "blessing": blessing})  # fmt: skip
        self._push(run, model, blessing, good)

    def _push(self, run: RunWriter, model: list[mlmd.Artifact], blessing: list[mlmd.Artifact], good: bool) -> None:
        properties: dict[str, int | str] = {"pushed": int(good)}
        if good:
            version = str(1_700_000_000 + self._made)
            folder = self.root / "serving" / version
            folder.mkdir(parents=True)
            properties |= {"pushed_version": version, "pushed_destination": str(folder)}
        pushed = [self._artifact("Pusher", "pushed_model", "PushedModel", **properties)]
        run.node("Pusher", inputs={"model": model, "model_blessing": blessing}, outputs={"pushed_model": pushed})


def _write(artifact: mlmd.Artifact, name: str, content: bytes) -> None:
    path = Path(artifact.uri) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _statistics(missing: str) -> bytes:
    found = statistics_pb2.DatasetFeatureStatisticsList()
    dataset = found.datasets.add(num_examples=100)
    for number, name in enumerate(FEATURES):
        feature = dataset.features.add(type=statistics_pb2.FeatureNameStatistics.FLOAT)
        feature.path.step.append(name)
        stats = feature.num_stats
        stats.mean, stats.std_dev, stats.min, stats.median, stats.max = number + 0.5, 0.25, 0, number + 0.5, number + 1
        stats.common_stats.num_missing = 100 if name == missing else 0
    species = dataset.features.add(type=statistics_pb2.FeatureNameStatistics.STRING)
    species.path.step.append("species")
    species.string_stats.unique = 3
    species.string_stats.top_values.add(value="Adelie", frequency=44)
    return bytes(found.SerializeToString())


def _schema() -> schema_pb2.Schema:
    schema = schema_pb2.Schema()
    for name in FEATURES:
        feature = schema.feature.add(name=name, type=schema_pb2.FLOAT)
        feature.presence.min_fraction = 1
        feature.float_domain.min = 0
        feature.drift_comparator.jensen_shannon_divergence.threshold = 0.1
    species = schema.feature.add(name="species", type=schema_pb2.BYTES, domain="species")
    species.presence.min_count = 1
    schema.string_domain.add(name="species", value=["Adelie", "Chinstrap", "Gentoo"])
    return schema


def _anomalies(missing: str) -> bytes:
    found = anomalies_pb2.Anomalies(baseline=_schema(), anomaly_name_format=anomalies_pb2.Anomalies.SERIALIZED_PATH)
    if missing:
        info = found.anomaly_info[missing]
        info.path.step.append(missing)
        info.severity = anomalies_pb2.AnomalyInfo.ERROR
        info.short_description = "Column dropped"
        info.description = "Column is completely missing"
        info.reason.add(type=anomalies_pb2.AnomalyInfo.SCHEMA_MISSING_COLUMN, description=info.description)
    return bytes(found.SerializeToString())


def _metrics(accuracy: float) -> bytes:
    records = []
    for species in (None, "Adelie", "Gentoo"):
        sliced = message_class("MetricsForSlice")()
        if species:
            sliced.slice_key.single_slice_keys.add(column="species", bytes_value=species.encode())
        for name, value in (("binary_accuracy", accuracy), ("example_count", 100.0)):
            pair = sliced.metric_keys_and_values.add()
            pair.key.name = name
            pair.value.double_value.value = value
        records.append(frame(sliced.SerializeToString()))
    return b"".join(records)


def _validation(accuracy: float) -> bytes:
    result = message_class("ValidationResult")(validation_ok=accuracy >= _LOWEST_ACCURACY)
    result.validation_details.slicing_details.add(num_matching_slices=1).slicing_spec.SetInParent()
    if not result.validation_ok:
        failure = result.metric_validations_per_slice.add().failures.add()
        failure.metric_key.name = "binary_accuracy"
        failure.metric_value.double_value.value = accuracy
        failure.metric_threshold.value_threshold.lower_bound.value = _LOWEST_ACCURACY
    return frame(result.SerializeToString())


def _drift_report(changed: Sequence[str]) -> DriftReport:
    found = [
        Measurement(
            "skew", name, "kolmogorov_smirnov", 0.8 if name in changed else 0.01, 0.1, 0.001, 0.001, 1.0, 0.5, 0.9
        )
        for name in (*changed, *(f"image_property_{number}" for number in range(60)))
    ]
    sentence = f"The window differs from the baseline in {', '.join(changed)}" if changed else "No difference"
    return DriftReport(
        state=State.CHANGED if changed else State.FINE,
        outcome=Outcome.FAILED if changed else Outcome.PASSED,
        sentence=sentence,
        p_value=0.001 if changed else 0.4,
        false_alarm_rate=0.01,
        skew_p_value=0.001 if changed else 0.4,
        drift_p_value=None,
        window=Side(800, 800, 0),
        baseline=Side(2000, 2000, 0),
        previous=None,
        measurements=tuple(found),
    )


def _too_few() -> DriftReport:
    sentence = "The window has 10 examples, fewer than the 30 that are needed"
    return replace(_drift_report(()), state=State.TOO_FEW_EXAMPLES, outcome=Outcome.UNDECIDED, sentence=sentence,
                   p_value=None, skew_p_value=None, window=Side(10, 10, 0), measurements=())  # fmt: skip


def _performance(degraded: bool) -> Performance:
    failed = accuracy_check(Outcome.FAILED, "Estimated accuracy fell by 50 points", "CUSTOM_VALIDATION")
    check = failed if degraded else accuracy_check(Outcome.PASSED, "It is 0.9")
    value = 0.4 if degraded else 0.9
    return Performance(
        check=check,
        estimate_check=check,
        labels_check=None,
        estimator="atc_confidence",
        max_accuracy_drop=0.05,
        baseline=Proportion.of(900, 1000),
        baseline_by_class=(),
        estimate=Proportion(value, value - 0.05, value + 0.05, 800),
        labelled=None,
        baseline_examples=Examples(1000, 1000, 1000),
        window_examples=Examples(800, 800, 800),
    )
