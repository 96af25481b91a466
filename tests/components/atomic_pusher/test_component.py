import pytest
from tfx import types
from tfx.components import Pusher
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts

from components import AtomicPusher
from components.common.errors import MonitorError

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
    arguments = {**inputs, "push_destination": destination, **changes}
    return AtomicPusher(types.Channel(type=standard_artifacts.Model), **arguments)


def test_it_is_a_pusher_whose_inputs_are_all_required():
    made = pusher("/serving", run_key="k")
    assert isinstance(made, Pusher)
    assert set(made.inputs) == {"model", *INPUTS}
    assert not any(made.spec.is_optional_input(key) for key in made.inputs)
    assert made.outputs["pushed_model"].type is standard_artifacts.PushedModel
    assert made.exec_properties["run_key"] == "k"


@pytest.mark.parametrize("key", INPUTS)
def test_none_may_be_left_out(key):
    with pytest.raises((TypeError, ValueError), match=key):
        pusher("/serving", **{key: None})


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
    with pytest.raises(MonitorError, match="object stores"):
        pusher("gs://bucket/serving")
