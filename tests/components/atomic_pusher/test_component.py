import pytest
from tfx import types
from tfx.components import Pusher
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts

from components import AtomicPusher
from components.common.errors import MonitorError
from components.common.model_spec import ModelSpec
from tests.support.model_specs import digits_spec

INPUTS = {
    "model_blessing": standard_artifacts.ModelBlessing,
    "statistics": standard_artifacts.ExampleStatistics,
    "baseline_statistics": standard_artifacts.ExampleStatistics,
    "schema": standard_artifacts.Schema,
    "evaluation": standard_artifacts.ModelEvaluation,
}


def pusher(folder: str, **changes):
    inputs = {key: types.Channel(type=kind) for key, kind in INPUTS.items()}
    destination = pusher_pb2.PushDestination()
    destination.filesystem.base_directory = folder
    arguments = {"spec": digits_spec(), **inputs, "push_destination": destination, **changes}
    return AtomicPusher(types.Channel(type=standard_artifacts.Model), **arguments)


def test_it_is_a_pusher_whose_inputs_are_all_required():
    made = pusher("/serving", run_key="k")
    assert isinstance(made, Pusher)
    assert set(made.inputs) == {"model", *INPUTS}
    assert not any(made.spec.is_optional_input(key) for key in made.inputs)
    assert made.outputs["pushed_model"].type is standard_artifacts.PushedModel
    assert made.exec_properties["run_key"] == "k"
    assert ModelSpec.from_json(made.exec_properties["spec"]) == digits_spec()


@pytest.mark.parametrize("key", ["model_blessing", "baseline_statistics", "schema"])
def test_without_a_blessing_or_a_baseline_there_is_no_push(key):
    with pytest.raises((TypeError, ValueError), match=key):
        pusher("/serving", **{key: None})


@pytest.mark.parametrize("key", ["statistics", "evaluation"])
def test_a_model_that_was_not_trained_or_evaluated_here_can_be_pushed(key):
    assert set(pusher("/serving", **{key: None}).inputs) == {"model", *INPUTS} - {key}


def test_the_spec_must_be_one():
    with pytest.raises(MonitorError, match=r"`spec` must be a ModelSpec.* Received: 'monitor.yaml'"):
        pusher("/serving", spec="monitor.yaml")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"push_destination": pusher_pb2.PushDestination()}, "must have a filesystem"),
        ({"push_destination": "not json"}, "must be a PushDestination"),
        ({"push_destination": 7}, "must be a PushDestination"),
    ],
)
def test_destinations_are_checked_when_the_pipeline_is_built(changes, expected):
    with pytest.raises(MonitorError, match=expected):
        pusher("/serving", **changes)
    with pytest.raises(MonitorError, match="or a folder of an object store"):
        pusher("hdfs://node/serving")
    pusher("gs://bucket/serving")
