import json

import pytest
from tfx import types
from tfx.types import standard_artifacts

from components import ImageStatisticsGen
from components.common.errors import MonitorError

EXAMPLES = types.Channel(type=standard_artifacts.Examples)


def test_defaults():
    component = ImageStatisticsGen(EXAMPLES)
    assert component.outputs["statistics"].type == standard_artifacts.ExampleStatistics
    assert set(component.inputs) == {"examples"}
    assert component.exec_properties == {
        "image_key": "image",
        "image_format": "raw",
        "image_shape": "[32, 32, 3]",
        "prediction_key": "",
        "embedding_key": "",
        "label_key": "",
        "id_key": "id",
        "sample_size": 10_000,
        "exclude_splits": "[]",
    }


def test_all_arguments():
    schema = types.Channel(type=standard_artifacts.Schema)
    component = ImageStatisticsGen(
        EXAMPLES, schema, image_key="x", image_format="encoded", image_shape=[1, 1, 1], exclude_splits=("eval",)
    )
    assert component.inputs["schema"] is schema
    assert component.exec_properties["image_shape"] == "[1, 1, 1]"
    assert json.loads(component.exec_properties["exclude_splits"]) == ["eval"]
    assert all(isinstance(value, str | int) for value in component.exec_properties.values())


def test_predictions_and_sample():
    component = ImageStatisticsGen(
        EXAMPLES, prediction_key="p", embedding_key="e", label_key="y", id_key="", sample_size=0
    )
    keys = ("prediction_key", "embedding_key", "label_key", "id_key", "sample_size")
    assert [component.exec_properties[key] for key in keys] == ["p", "e", "y", "", 0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_key": ""}, "`image_key` must be a feature's name. Received: ''"),
        ({"image_format": "Raw"}, r"`image_format` must be one of encoded, raw. Received: 'Raw' \(did you mean 'raw'"),
        ({"image_shape": (32, 32, 2)}, r"`image_shape` must be \(height, width, channels\)"),
        ({"image_shape": 32}, r"`image_shape` must be .* Received: 32"),
        ({"exclude_splits": "eval"}, "`exclude_splits` must be a list of names. Received: 'eval'"),
        ({"prediction_key": None}, "`prediction_key` must be a feature's name, or empty. Received: None"),
        ({"embedding_key": "e"}, "`embedding_key` must be empty without `prediction_key`. Received: 'e'"),
        (
            {"label_key": "image"},
            r"`image_key` must be the name of another feature than every other key. Received: \['image'",
        ),
        ({"prediction_key": "p", "label_key": "p"}, "must be the name of another feature than every other key"),
        ({"sample_size": -1}, "`sample_size` must be a whole number, 0 or more. Received: -1"),
        ({"sample_size": True}, "`sample_size` must be a whole number, 0 or more. Received: True"),
        ({"sample_size": 1e4}, r"`sample_size` must be a whole number, 0 or more. Received: 10000.0"),
        ({"exclude_splits": [1]}, r"`exclude_splits` must be a list of names. Received: \[1\]"),
    ],
)
def test_what_cannot_work_is_refused_when_the_pipeline_is_built(arguments, message):
    with pytest.raises(MonitorError, match=message):
        ImageStatisticsGen(EXAMPLES, **arguments)
