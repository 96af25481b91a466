import json

import pytest
from tfx import types
from tfx.types import standard_artifacts

from components import ImageStatisticsGen
from components.common.errors import MonitorError
from components.image_statistics_gen.executor import read_spec
from tests.support.specs import image_spec, model_spec

EXAMPLES = types.Channel(type=standard_artifacts.Examples)


def test_defaults():
    component = ImageStatisticsGen(EXAMPLES, spec=image_spec())
    assert component.outputs["statistics"].type == standard_artifacts.ExampleStatistics
    assert set(component.inputs) == {"examples"}
    assert component.exec_properties == {
        "spec": image_spec().to_json(),
        "sample_size": 10_000,
        "exclude_splits": "[]",
    }


def test_all_arguments():
    schema = types.Channel(type=standard_artifacts.Schema)
    component = ImageStatisticsGen(EXAMPLES, schema, spec=model_spec(), sample_size=0, exclude_splits=("eval",))
    assert component.inputs["schema"] is schema
    assert json.loads(component.exec_properties["exclude_splits"]) == ["eval"]
    assert all(isinstance(value, str | int) for value in component.exec_properties.values())


@pytest.mark.parametrize("spec", [image_spec(), model_spec(), model_spec(image={"range": [-1, 1]}).rows])
def test_the_spec_travels_as_json(spec):
    assert read_spec(ImageStatisticsGen(EXAMPLES, spec=spec).exec_properties["spec"]) == spec


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"spec": "model_spec.yaml"}, "`spec` must be a ModelSpec or an ImageSpec. Received: 'model_spec.yaml'"),
        ({"spec": None}, "`spec` must be a ModelSpec or an ImageSpec. Received: None"),
        ({"exclude_splits": "eval"}, "`exclude_splits` must be a list of names. Received: 'eval'"),
        ({"sample_size": -1}, "`sample_size` must be a whole number, 0 or more. Received: -1"),
        ({"sample_size": True}, "`sample_size` must be a whole number, 0 or more. Received: True"),
        ({"sample_size": 1e4}, r"`sample_size` must be a whole number, 0 or more. Received: 10000.0"),
        ({"exclude_splits": [1]}, r"`exclude_splits` must be a list of names. Received: \[1\]"),
    ],
)
def test_what_cannot_work_is_refused_when_the_pipeline_is_built(arguments, message):
    with pytest.raises(MonitorError, match=message):
        ImageStatisticsGen(EXAMPLES, **{"spec": image_spec(), **arguments})
