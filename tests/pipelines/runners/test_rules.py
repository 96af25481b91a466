"""What cannot run on Kubeflow Pipelines is refused when a pipeline is compiled, by node and by rule."""

import json

import pytest
from tfx import types
from tfx.components import ImportExampleGen, InfraValidator, Pusher, StatisticsGen, Trainer
from tfx.components.distribution_validator.component import DistributionValidator
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.components.base import base_component, base_driver, base_executor, executor_spec
from tfx.dsl.components.common.importer import Importer
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.experimental.conditionals.conditional import Cond
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import LatestBlessedModelStrategy
from tfx.orchestration.data_types import RuntimeParameter
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import distribution_validator_pb2, infra_validator_pb2, pusher_pb2, trainer_pb2
from tfx.types import artifact, channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.common.errors import MonitorError
from pipelines.runners.compiling import specification
from pipelines.runners.kubeflow import compile_pipeline
from tests.support.kubeflow.compiled import IMAGE


def compiled(*nodes, name: str = "p") -> str:
    return compile_pipeline(Pipeline(name, components=list(nodes)), image=IMAGE)


def broken(*nodes, name: str = "p") -> str:
    with pytest.raises(MonitorError) as refused:
        compiled(*nodes, name=name)
    return str(refused.value)


def examples_from(place: str = "gs://data") -> ImportExampleGen:
    return ImportExampleGen(place)


class Executor(base_executor.BaseExecutor):
    def Do(self, *_):
        raise NotImplementedError


def node(kind=standard_artifacts.Examples, executor=Executor, parameters=None, driver=None, **given):
    """A node with one output and parameters."""
    spec = type("Spec", (ComponentSpec,), {
        "PARAMETERS": parameters or {key: ExecutionParameter(type=str) for key in given}, "INPUTS": {},
        "OUTPUTS": {"made": ChannelParameter(type=kind)},
    })  # fmt: skip
    attributes = {"SPEC_CLASS": spec, "EXECUTOR_SPEC": executor_spec.ExecutorClassSpec(executor)}
    attributes |= {"DRIVER_CLASS": driver} if driver else {}
    kinds = type("Node", (base_component.BaseComponent,), attributes)
    return kinds(spec(**given, made=types.Channel(type=kind)))


class Drawing(artifact.Artifact):
    TYPE_NAME = "Drawing"


class Painting(artifact.Artifact):
    TYPE_NAME = "gallery.Painting"


class Driver(base_driver.BaseDriver):
    pass


@component
def count(examples: InputArtifact[standard_artifacts.Examples], found: OutputArtifact[standard_artifacts.Integer]):
    del examples, found


@component
def take(number: Parameter[int]):
    del number


def resolver():
    kinds = {"model": standard_artifacts.Model, "model_blessing": standard_artifacts.ModelBlessing}
    return Resolver(LatestBlessedModelStrategy, **{key: channel.Channel(type=kind) for key, kind in kinds.items()})


def test_what_open_source_kubeflow_does_not_run_or_tfx_does_not_compile_is_refused():
    examples = examples_from()
    model = types.Channel(type=standard_artifacts.Model)
    statistics = StatisticsGen(examples.outputs["examples"])
    serving = infra_validator_pb2.ServingSpec(tensorflow_serving={"tags": ["1"]}, local_docker={})
    described, config = statistics.outputs["statistics"], distribution_validator_pb2.DistributionValidatorConfig()
    validator = DistributionValidator(described, described, config)
    said = broken(examples, statistics, resolver(), validator, InfraValidator(model, serving_spec=serving))
    assert "LatestBlessedModelStrategy" in said or "Resolver must not be a Resolver" in said
    for name in ("DistributionValidator must not be TFX's DistributionValidator", "InfraValidator must not be"):
        assert f"\n  {name}" in said, "all at once, a line each"


def test_a_module_file_is_packed_on_this_machine_and_refused(tmp_path):
    (tmp_path / "trainer.py").write_text("def run_fn(arguments): pass\n")
    trainer = Trainer(
        examples=types.Channel(type=standard_artifacts.Examples), module_file=str(tmp_path / "trainer.py"),
        train_args=trainer_pb2.TrainArgs(), eval_args=trainer_pb2.EvalArgs(),
    )  # fmt: skip
    assert "Trainer must have no `module_" in broken(trainer)


def test_an_executor_that_the_image_cannot_have_is_refused():
    class Local(base_executor.BaseExecutor):
        def Do(self, *_):
            raise NotImplementedError

    assert "Node must have an executor that can be imported by its name" in broken(node(executor=Local))


def test_a_driver_of_one_s_own_is_refused():
    assert "Node must have no driver of its own" in broken(node(driver=Driver))


@pytest.mark.parametrize(
    ("kind", "rule"), [(Drawing, "is named as package.Class"), (Painting, "can be imported by its name")]
)
def test_a_type_of_artifact_that_steps_could_not_import_is_refused(kind, rule):
    assert f"Node must have a type of artifact for `made` that {rule}" in broken(node(kind))


def test_outputs_of_several_nodes_as_one_input_are_refused():
    several = [examples_from("gs://a").with_id("A"), examples_from("gs://b").with_id("B")]
    joined = StatisticsGen(channel.union([each.outputs["examples"] for each in several]))
    assert "StatisticsGen must have one channel as input `examples`" in broken(*several, joined)


def test_what_another_node_finds_out_is_refused_as_a_property():
    examples = examples_from()
    counted = count(examples=examples.outputs["examples"])
    taker = take(number=counted.outputs["found"].future()[0].value)
    assert "take must not have an output of another node as `number`" in broken(examples, counted, taker)


def on_condition(of):
    """Nodes, the last of which is run on a condition on what the second has found."""
    examples = examples_from()
    counted = count(examples=examples.outputs["examples"])
    with Cond(of(counted.outputs["found"].future()[0])):
        return examples, counted, StatisticsGen(examples.outputs["examples"])


def test_conditions_are_on_properties_of_artifacts():
    said = broken(*on_condition(lambda found: found.value == 3))
    assert "StatisticsGen must have conditions on properties of artifacts, not on their values" in said
    assert "StatisticsGen" in compiled(*on_condition(lambda found: found.custom_property("found") == 3))


def test_a_node_of_another_pipeline_is_refused():
    examples = examples_from()
    compiled(examples)
    assert "ImportExampleGen must be made for this pipeline" in broken(examples)


def test_a_name_that_kubeflow_does_not_take_is_refused():
    assert "the pipeline 'Not A Name' must have a name of lower case letters" in broken(
        examples_from(), name="Not A Name"
    )


def test_a_message_that_is_kept_as_one_is_refused():
    parameters = {"splits": ExecutionParameter(type=trainer_pb2.TrainArgs, use_proto=True)}
    made = node(parameters=parameters, splits=trainer_pb2.TrainArgs(num_steps=3))
    assert "Node must not have `splits` declared with `use_proto`" in broken(made)


def test_runtime_parameters_agree_and_are_no_part_of_a_text():
    rates = [node(rate=RuntimeParameter("rate", str, default)).with_id(f"N{default}") for default in ("1", "2")]
    assert "N2 must have the runtime parameter `rate` with the default and the type" in broken(*rates)
    inside = node(config=json.dumps({"place": "x"}).replace('"x"', repr(RuntimeParameter("place", str))))
    assert "Node must not have a runtime parameter inside the text of `config`" in broken(inside)


def test_files_of_the_machine_that_compiles_are_refused_wherever_they_are_named(tmp_path):
    rule = "that names no file of the machine that compiles"
    assert f"Node must have a `vocabulary` {rule}" in broken(node(vocabulary=str(tmp_path)))
    assert f"Node must have a `config` {rule}" in broken(node(config=json.dumps({"files": [str(tmp_path)]})))
    assert "vocabulary" in compiled(node(vocabulary="/not/on/this/machine"))


def test_a_push_or_an_import_that_only_this_machine_sees_is_refused():
    destination = pusher_pb2.PushDestination(filesystem={"base_directory": "/serving"})
    pusher = Pusher(model=types.Channel(type=standard_artifacts.Model), push_destination=destination)
    assert "Pusher must have a `push_destination` that is in an object store or on a volume" in broken(pusher)
    imported = Importer("file:///models/7", artifact_type=standard_artifacts.Model).with_id("Imported")
    assert "Imported must have a `artifact_uri` that begins with one of gs://" in broken(imported)


def test_an_argument_that_linux_does_not_take_is_refused():
    said = broken(node(config="x" * 60_000, more="y" * 60_000))
    assert "Node must be told at most 102,400 bytes, for Linux takes no longer argument. Received: 120,000" in said


def test_what_kubeflow_would_refuse_of_a_specification_is_said():
    task = {"inputs": {"parameters": {"n": {"runtimeValue": {"constantValue": {"intValue": 3}}}}},
            "dependentTasks": ["B_task"]}  # fmt: skip
    executors = {"A_executor": {"resolver": {}}}
    spec = {"schemaVersion": "2.0.0", "root": {"dag": {"tasks": {"A": task}}},
            "deploymentSpec": {"executors": executors}}  # fmt: skip
    assert [str(each) for each in specification.violations_of(spec)] == [
        "the specification must be of schema 2.1.0",
        "A must take nothing of B_task, which is no node",
        "A must have constants as schema 2.1 writes them",
        "A_executor must not be a resolver, which open-source Kubeflow Pipelines does not run",
    ]
