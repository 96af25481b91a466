"""What can be known is refused when the pipeline is built."""

import pytest
from tfx import types
from tfx.types import standard_artifacts

from components.common.errors import MonitorError
from components.threshold_calibrator.component import ThresholdCalibrator

STATISTICS = types.Channel(type=standard_artifacts.ExampleStatistics)
SCHEMA = types.Channel(type=standard_artifacts.Schema)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window_size": 1}, "`window_size` must be a whole number, 2 or more. Received: 1"),
        ({"window_size": 100.0}, "`window_size` must be a whole number"),
        ({"false_alarm_rate": 0}, r"`false_alarm_rate` must be in \(0, 0.5\]. Received: 0"),
        ({"false_alarm_rate": 0.6}, "`false_alarm_rate` must be in"),
        ({"false_alarm_rate": True}, "`false_alarm_rate` must be in"),
        ({"false_alarm_rate": float("nan")}, "`false_alarm_rate` must be in"),
        ({"false_alarm_rate": 0.001, "permutations": 1999}, "`permutations` must be at least 5668"),
        ({"permutations": 0}, "`permutations` must be a whole number"),
        ({"seed": -1}, "`seed` must be a whole number"),
        ({"split": ""}, "`split` must be a split's name"),
        ({"monitored": "image_noise"}, "`monitored` must be a list of names"),
        ({"unmonitored": [""]}, "`unmonitored` must be a list of names"),
    ],
)
def test_arguments_that_break_a_rule_are_refused(arguments, message):
    with pytest.raises(MonitorError, match=message):
        ThresholdCalibrator(STATISTICS, SCHEMA, **arguments)


def test_parameters_are_scalars():
    component = ThresholdCalibrator(STATISTICS, SCHEMA, unmonitored=["image_width", "image_height"])
    assert component.outputs["schema"].type is standard_artifacts.Schema
    properties = component.exec_properties
    assert properties["unmonitored"] == '["image_width", "image_height"]'
    assert all(isinstance(value, int | float | str) for value in properties.values())
