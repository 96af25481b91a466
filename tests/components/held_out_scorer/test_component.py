import json

import pytest
from tfx import types
from tfx.types import standard_artifacts

from components import HeldOutScorer
from components.common.errors import MonitorError
from components.common.model_spec import ModelSpec
from tests.support.model_specs import digits_spec


def scorer(**changes):
    channels = [types.Channel(type=standard_artifacts.Examples), types.Channel(type=standard_artifacts.Model)]
    return HeldOutScorer(*channels, **{"spec": digits_spec(), **changes})


def test_it_gives_examples_of_the_split_eval_unless_told_otherwise():
    made = scorer()
    assert made.outputs["examples"].type is standard_artifacts.Examples
    assert ModelSpec.from_json(made.exec_properties["spec"]) == digits_spec()
    assert (json.loads(made.exec_properties["splits"]), made.exec_properties["logged"]) == (["eval"], 0)
    assert json.loads(scorer(splits=["a", "b"], logged=True).exec_properties["splits"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"spec": "monitor.yaml"}, r"`spec` must be a ModelSpec.* Received: 'monitor.yaml'"),
        ({"splits": "eval"}, r"`splits` must be a list of names of splits, such as \[\"eval\"\]. Received: 'eval'"),
        ({"splits": []}, r"`splits` must be a list"),
        ({"splits": [""]}, r"`splits` must be a list"),
    ],
)
def test_arguments_are_checked_when_the_pipeline_is_built(changes, expected):
    with pytest.raises(MonitorError, match=expected):
        scorer(**changes)
