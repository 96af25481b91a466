"""The component: what it refuses when a pipeline is built, and that pipelines with any number of anomalies run."""

from pathlib import Path

import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx import types
from tfx.components import Pusher
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration import metadata, pipeline
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts

from components import PushGate
from components.common.errors import MonitorError
from components.common.model_spec import ModelSpec
from components.common.records.decision import Decision
from tests.support.model_specs import digits_spec

STRICT = "canary: {num_classes: 4}"
LAX = "evaluation: {required: false}\nanomalies: {required: false}\n" + STRICT
NO_CANARY = LAX.replace(STRICT, "canary: {run: false}")


def channel(kind):
    return types.Channel(type=kind)


MODEL = channel(standard_artifacts.Model)
ANOMALIES = channel(standard_artifacts.ExampleAnomalies)
EVALUATION = channel(standard_artifacts.ModelEvaluation)
EXAMPLES = channel(standard_artifacts.Examples)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"policy": "canery: {}"}, "did you mean 'canary'"),
        ({"policy": STRICT, "anomalies": [ANOMALIES]}, "`evaluation` must be given"),
        ({"policy": STRICT, "evaluation": EVALUATION}, "`anomalies` must hold a channel"),
        ({}, "`policy` must be the text of a policy file, or be left out where `spec` is given"),
        (
            {"policy": LAX, "examples": EXAMPLES},
            "`spec` must be a ModelSpec.* where `examples` are given. Received: None",
        ),
        ({"policy": LAX, "spec": "monitor.yaml"}, "`spec` must be a ModelSpec.* Received: 'monitor.yaml'"),
        ({"policy": LAX, "spec": digits_spec()}, "`canary.num_classes` must be what the model's spec says, 10"),
        ({"spec": digits_spec()}, "`evaluation` must be given"),
    ],
)
def test_what_can_be_known_is_refused_when_the_pipeline_is_built(arguments, expected):
    with pytest.raises(MonitorError, match=expected):
        PushGate(MODEL, **arguments)


def test_a_channel_of_another_type_is_refused():
    with pytest.raises(TypeError, match="anomalies_1"):
        PushGate(MODEL, policy=STRICT, evaluation=EVALUATION, anomalies=[ANOMALIES, EVALUATION])


def test_inputs_are_those_given_and_none_is_optional():
    gate = PushGate(MODEL, policy=STRICT, evaluation=EVALUATION, anomalies=[ANOMALIES, ANOMALIES])
    assert set(gate.inputs) == {"model", "evaluation", "anomalies_0", "anomalies_1"}
    assert not any(gate.spec.is_optional_input(key) for key in gate.inputs)
    assert gate.outputs["blessing"].type is standard_artifacts.ModelBlessing
    assert set(PushGate(MODEL, policy=LAX).inputs) == {"model"}


def test_with_a_spec_the_policy_may_be_left_out_and_the_model_be_asked_about_examples():
    spec = digits_spec()
    gate = PushGate(MODEL, evaluation=EVALUATION, anomalies=[ANOMALIES], examples=EXAMPLES, spec=spec)
    assert set(gate.inputs) == {"model", "evaluation", "anomalies_0", "examples"}
    assert not any(gate.spec.is_optional_input(key) for key in gate.inputs)
    assert (gate.exec_properties["policy"], gate.exec_properties["spec"]) == ("", spec.to_json())


@pytest.fixture
def run(tmp_path, models, folder):
    """Runs importers, gate and TFX's own Pusher with the local runner; returns the decision and what was pushed."""

    def write(name: str, proto) -> str:
        path = tmp_path / name / "Split-train" / "SchemaDiff.pb"
        path.parent.mkdir(parents=True)
        path.write_bytes(proto.SerializeToString())
        return str(tmp_path / name)

    def go(*protos, policy):
        kinds = standard_artifacts
        model = Importer(source_uri=models["good"].uri, artifact_type=kinds.Model).with_id("model")
        found = [
            Importer(
                source_uri=write(f"validator_{n}", proto),
                artifact_type=kinds.ExampleAnomalies,
                properties={"split_names": '["train"]'},
            ).with_id(f"validator_{n}")
            for n, proto in enumerate(protos)
        ]
        gate = PushGate(model.outputs["result"], policy=policy, anomalies=[each.outputs["result"] for each in found])
        destination = pusher_pb2.PushDestination()
        destination.filesystem.base_directory = str(tmp_path / "serving")
        pusher = Pusher(
            model=model.outputs["result"], model_blessing=gate.outputs["blessing"], push_destination=destination
        )
        connection = metadata.sqlite_metadata_connection_config(str(tmp_path / "metadata.sqlite"))
        LocalDagRunner().run(
            pipeline.Pipeline(
                pipeline_name="gate",
                pipeline_root=str(tmp_path / "root"),
                components=[model, *found, gate, pusher],
                metadata_connection_config=connection,
            )
        )
        (reasons,) = (tmp_path / "root").glob("PushGate/blessing/*/reasons.json")
        return Decision.from_json(reasons.read_text()), list((tmp_path / "serving").glob("*/saved_model.pb"))

    return go


def test_a_pipeline_without_anomalies_runs(run):
    decision, pushed = run(policy=LAX)
    assert decision.blessed, decision.to_text()
    assert [v.name for v in decision.checks] == ["evaluation", "canary"]
    assert len(pushed) == 1


def test_a_pipeline_with_two_runs_and_names_the_one_that_objects(run):
    clean = anomalies_pb2.Anomalies(anomaly_name_format=anomalies_pb2.Anomalies.SERIALIZED_PATH)
    bad = anomalies_pb2.Anomalies(anomaly_name_format=anomalies_pb2.Anomalies.SERIALIZED_PATH)
    bad.anomaly_info["x"].description = "odd"
    decision, pushed = run(clean, bad, policy=NO_CANARY)
    assert decision.summary == "Not blessed. anomalies (validator_1, train): feature x: odd (UNKNOWN_TYPE, UNKNOWN)."
    assert pushed == []


def test_the_cifar10_policy_builds_a_gate():
    policy = Path(__file__).parents[3] / "schemas" / "cifar10" / "push_policy.yaml"
    spec = ModelSpec.load(policy.with_name("model_spec.yaml"))
    gate = PushGate(MODEL, policy=policy.read_text(), spec=spec, evaluation=EVALUATION, anomalies=[ANOMALIES])
    assert gate.exec_properties["policy"] == policy.read_text()
