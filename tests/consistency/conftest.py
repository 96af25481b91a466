"""Runs of one check each, with real artifacts in a real store, and everything that says what became of a run."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.common.errors import MonitorError
from components.common.records.decision import REASONS_JSON, Decision
from components.common.records.drift_report import DRIFT_REPORT_JSON
from components.common.records.performance import PERFORMANCE_JSON, STATES, accuracy_check
from components.common.verdict import Check, Effect, Finding, Outcome, Verdict, worst
from tests.support.example_runs import Story, _drift_report, _performance, _too_few

PASSED, FAILED, UNDECIDED = Outcome.PASSED, Outcome.FAILED, Outcome.UNDECIDED
RUN, SPAN = "the-run", 3
_SEVERITIES = anomalies_pb2.AnomalyInfo
# What may be in the anomalies of one split, and what everything has to say of it.
ANOMALIES = {
    "error": FAILED,
    "warning": PASSED,
    "unknown_severity": FAILED,
    "none": PASSED,
    "too_few": UNDECIDED,
    "nothing_to_compare_with": UNDECIDED,
    "data_missing": UNDECIDED,
    "unreadable": UNDECIDED,
    "empty": UNDECIDED,
    "missing": UNDECIDED,
}


def anomalies_content(variant: str) -> bytes | None:
    """A `SchemaDiff.pb`; None where there is none."""
    plain = {"unreadable": b"\xff\xff hello", "empty": b"", "missing": None}
    if variant in plain:
        return plain[variant]
    made = anomalies_pb2.Anomalies(anomaly_name_format=anomalies_pb2.Anomalies.SERIALIZED_PATH)
    made.data_missing = variant == "data_missing"
    kinds = {
        "error": (_SEVERITIES.ERROR, _SEVERITIES.FLOAT_TYPE_HAS_NAN),
        "warning": (_SEVERITIES.WARNING, _SEVERITIES.FLOAT_TYPE_HAS_NAN),
        "unknown_severity": (_SEVERITIES.UNKNOWN, _SEVERITIES.FLOAT_TYPE_HAS_NAN),
        "too_few": (_SEVERITIES.ERROR, _SEVERITIES.COMPARATOR_LOW_NUM_EXAMPLES),
        "nothing_to_compare_with": (_SEVERITIES.ERROR, _SEVERITIES.COMPARATOR_CONTROL_DATA_MISSING),
    }
    if variant in kinds:
        severity, kind = kinds[variant]
        info = made.anomaly_info["image_noise"]
        info.path.step.append("image_noise")
        info.severity, info.short_description, info.description = severity, "Strange values", "Strange values: 7."
        info.reason.add(type=kind, short_description=info.short_description, description=info.description)
    return made.SerializeToString()


@dataclass
class Case:
    """A run whose other checks pass, and the one artifact that the run depends on."""

    story: Story
    artifact: mlmd.Artifact
    gated: bool = False  # whether the artifact is a gate's own decision

    @property
    def metadata(self) -> Path:
        return self.story.metadata


def write(artifact: mlmd.Artifact, name: str, content: bytes | str | None) -> None:
    path = Path(artifact.uri) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def example_validator(story: Story, variant: str) -> Case:
    """ExampleValidator's anomalies in two splits, the second of which has them."""
    artifact = story._artifact("ExampleValidator", "anomalies", "ExampleAnomalies", ("eval", "train"))
    write(artifact, "Split-eval/SchemaDiff.pb", anomalies_content("none"))
    write(artifact, "Split-train/SchemaDiff.pb", anomalies_content(variant))
    return _of_data(story, "ExampleValidator", artifact)


def transform(story: Story, variant: str) -> Case:
    """Transform's, which lie in no split."""
    artifact = story._artifact("Transform", "post_transform_anomalies", "ExampleAnomalies")
    write(artifact, "SchemaDiff.pb", anomalies_content(variant))
    return _of_data(story, "Transform", artifact)


def distribution_validator(story: Story, variant: str) -> Case:
    """DistributionValidator's, in the folder of a pair of splits."""
    artifact = story._artifact("DistributionValidator", "anomalies", "ExampleAnomalies", ("train_eval",), blessed="{}")
    write(artifact, "SplitPair-train_eval/SchemaDiff.pb", anomalies_content(variant))
    return _of_data(story, "DistributionValidator", artifact)


def serving_logs(story: Story, variant: str) -> Case:
    """ServingLogExampleGen's, beside its counts."""
    return _of_span(story, logs=variant)


def drift(story: Story, variant: str) -> Case:
    """SkewDriftValidator's anomalies and its report, as it writes them together; or one of the two damaged."""
    return _of_span(story, data=variant)


def accuracy(story: Story, variant: str) -> Case:
    """PerformanceEstimator's anomalies and its record, likewise."""
    return _of_span(story, accuracy=variant)


# What a record may say, what lies in its file, and what lies in the anomalies beside it.
RECORDS = {
    "passed": PASSED,
    "failed": FAILED,
    "undecided": UNDECIDED,
    "record_unreadable": UNDECIDED,
    "record_empty": UNDECIDED,
    "record_missing": UNDECIDED,
    "anomalies_unreadable": UNDECIDED,
    "anomalies_missing": UNDECIDED,
}
_BESIDE = {
    "failed": "error",
    "undecided": "too_few",
    "anomalies_unreadable": "unreadable",
    "anomalies_missing": "missing",
}


def _write_record(artifact: mlmd.Artifact, file: str, text: str, variant: str) -> None:
    damaged = {"record_unreadable": b"{\xff", "record_empty": b"", "record_missing": None}
    write(artifact, file, damaged.get(variant, text))
    write(artifact, "Split-serving/SchemaDiff.pb", anomalies_content(_BESIDE.get(variant, "none")))


def _of_data(story: Story, node: str, artifact: mlmd.Artifact) -> Case:
    run = story.writer.pipeline_run("data", RUN)
    run.node(node, outputs={"anomalies": [artifact]})
    return Case(story, artifact)


def _of_span(story: Story, *, logs: str = "none", data: str = "passed", accuracy: str = "passed") -> Case:
    run = story.writer.pipeline_run("monitoring", RUN)
    of = {"splits": ("serving",), "span": SPAN}
    gen = story._artifact("ServingLogExampleGen", "anomalies", "ExampleAnomalies", **of)
    write(gen, "counts.json", '{"records": 10, "problems": {}, "dead_letters": 0}')
    write(gen, "Split-serving/SchemaDiff.pb", anomalies_content(logs))
    examples = story._artifact("ServingLogExampleGen", "examples", "Examples", **of)
    run.node("ServingLogExampleGen", outputs={"examples": [examples], "anomalies": [gen]})
    report = {"failed": _drift_report(("image_noise",)), "undecided": _too_few()}.get(data, _drift_report(()))
    assert report.outcome.value == (data if data in ("failed", "undecided") else "passed")
    p_value = -1.0 if report.p_value is None else report.p_value
    says = {"state": report.state.value, "outcome": report.outcome.value, "sentence": report.sentence}
    skew = story._artifact("SkewDriftValidator", "anomalies", "ExampleAnomalies", **of, **says, p_value=p_value)
    _write_record(skew, DRIFT_REPORT_JSON, report.to_json(), data)
    run.node("SkewDriftValidator", outputs={"anomalies": [skew]})
    performance = _performance(accuracy == "failed")
    if accuracy == "undecided":
        unknown = accuracy_check(UNDECIDED, "Too few examples", "COMPARATOR_LOW_NUM_EXAMPLES")
        performance = replace(performance, check=unknown, estimate_check=unknown)
    estimate = story._artifact("PerformanceEstimator", "anomalies", "ExampleAnomalies", **of,
                               state=STATES[performance.check.outcome], reason=performance.check.reason)  # fmt: skip
    _write_record(estimate, PERFORMANCE_JSON, performance.to_json(), accuracy)
    run.node("PerformanceEstimator", outputs={"anomalies": [estimate]})
    changed = gen if logs != "none" else skew if data != "passed" else estimate
    return Case(story, changed)


# What a gate may have decided, and what became of its files.
DECISIONS = {
    "passed": PASSED,
    "failed": FAILED,
    "undecided": UNDECIDED,
    "reasons_unreadable": UNDECIDED,
    "reasons_contradict_themselves": UNDECIDED,
    "reasons_bless_and_the_file_does_not": UNDECIDED,
    "gone": UNDECIDED,
}


def push_gate(story: Story, variant: str) -> Case:
    """PushGate's decision about a model that was then pushed or not."""
    effect = {"failed": [Effect.FAIL], "undecided": [Effect.UNDECIDED]}.get(variant, [])
    findings = [Finding("accuracy", "", each, "accuracy is 0.3, below 0.5") for each in effect]
    decision = Decision("/model", (Check.of("evaluation", findings, passed="every threshold was met"),))
    return _of_push(story, "PushGate", decision, variant)


# What the Evaluator's blessing may say, by its property and by its file.
BLESSINGS = {
    "blessed": PASSED,
    "not_blessed": FAILED,
    "no_threshold": UNDECIDED,
    "blessed_without_a_file": UNDECIDED,
    "blessed_with_the_other_file": UNDECIDED,
    "gone": UNDECIDED,
}


def evaluator(story: Story, variant: str) -> Case:
    """The Evaluator's blessing, where no gate of ours is."""
    return _of_push(story, "Evaluator", None, variant)


def _of_push(story: Story, node: str, decision: Decision | None, variant: str) -> Case:
    """A run of a pipeline that does not push: what it comes to is what its gate says."""
    blessed = decision.blessed if decision else variant not in ("not_blessed", "no_threshold")
    says = {} if variant == "no_threshold" else {"blessed": int(blessed)}
    artifact = story._artifact(node, "blessing", "ModelBlessing", **says, current_model="/model")
    refused = variant in ("reasons_bless_and_the_file_does_not", "blessed_with_the_other_file") or not blessed
    if variant not in ("no_threshold", "blessed_without_a_file"):
        write(artifact, "NOT_BLESSED" if refused else "BLESSED", b"")
    if decision:
        text = decision.to_json()
        text = text.replace('"blessed": true', '"blessed": false') if "contradict" in variant else text
        write(artifact, REASONS_JSON, b"\xff{" if variant == "reasons_unreadable" else text)
    if variant == "gone":
        for path in Path(artifact.uri).iterdir():
            path.unlink()
        Path(artifact.uri).rmdir()
    story.writer.pipeline_run("training", RUN).node(node, outputs={"blessing": [artifact]})
    return Case(story, artifact, gated=True)


def guard_fails(says: Verdict, fail_on: list[str]) -> bool:
    """Whether VerdictGuard ends a run in failure whose report has this verdict."""
    from components import HtmlReport
    from components.verdict_guard.executor import Executor

    report = HtmlReport()
    report.uri = "/report"
    properties = {"outcome": says.outcome.value, "states": ",".join(says.states), "verdict": says.sentence}
    for name, value in properties.items():
        report.set_string_custom_property(name, value)
    try:
        Executor().Do({"report": [report]}, {}, {"fail_on": json.dumps(fail_on)})
    except MonitorError:
        return True
    return False


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path / "root")


@pytest.fixture(scope="session")
def gate():
    """The real PushGate: the outcome of the check that it makes of a case's artifact."""
    from tfx.types import standard_artifacts

    from components.push_gate.executor import Executor

    def taken(artifact: mlmd.Artifact, made: object) -> object:
        made.uri = artifact.uri
        made.id = artifact.id
        for key, value in artifact.custom_properties.items():
            made.mlmd_artifact.custom_properties[key].CopyFrom(value)
        for key, value in artifact.properties.items():
            made.mlmd_artifact.properties[key].CopyFrom(value)
        return made

    def judge(case: Case) -> Outcome:
        blessing = standard_artifacts.ModelBlessing()
        blessing.uri = str(case.metadata.parent / "blessing")
        model = standard_artifacts.Model()
        model.uri = "/model"
        inputs = {"model": [model]}
        if case.gated:
            inputs["model_blessing"] = [taken(case.artifact, standard_artifacts.ModelBlessing())]
        else:
            inputs["anomalies_0"] = [taken(case.artifact, standard_artifacts.ExampleAnomalies())]
        policy = "{evaluation: {required: false}, anomalies: {required: false}, canary: {run: false}}"
        Executor().Do(inputs, {"blessing": [blessing]}, {"policy": policy, "anomalies_sources": "{}"})
        decision = Decision.from_json((Path(blessing.uri) / REASONS_JSON).read_text())
        return worst(check.outcome for check in decision.checks)

    return judge
