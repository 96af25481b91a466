"""What can be known is refused when the pipeline is built."""

import pytest
from tfx import types
from tfx.types import standard_artifacts

from components.common.errors import MonitorError
from components.skew_drift_validator.component import SkewDriftValidator

STATISTICS = types.Channel(type=standard_artifacts.ExampleStatistics)
SCHEMA = types.Channel(type=standard_artifacts.Schema)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"min_examples": 1}, "`min_examples` must be a whole number, 2 or more. Received: 1"),
        ({"false_alarm_rate": 0.0}, r"`false_alarm_rate` must be in \(0, 0.5\]. Received: 0.0"),
        ({"false_alarm_rate": 0.51}, "`false_alarm_rate` must be in"),
        ({"permutations": 596}, "`permutations` must be at least 597 for a rate of 0.01"),
        ({"seed": 0.5}, "`seed` must be a whole number"),
        ({"split": None}, "`split` must be a split's name"),
        ({"baseline_split": ""}, "`baseline_split` must be a split's name"),
        ({"environment": None}, "`environment` must be an environment's name"),
    ],
)
def test_arguments_that_break_a_rule_are_refused(arguments, message):
    with pytest.raises(MonitorError, match=message):
        SkewDriftValidator(STATISTICS, STATISTICS, SCHEMA, **arguments)


@pytest.mark.parametrize(
    ("baseline", "previous", "expected"),
    [(STATISTICS, STATISTICS, (1, 1)), (STATISTICS, None, (1, 0)), (None, STATISTICS, (0, 1))],
)
def test_the_executor_is_told_what_the_pipeline_has(baseline, previous, expected):
    component = SkewDriftValidator(STATISTICS, baseline, SCHEMA, previous)
    properties = component.exec_properties
    assert (properties["has_baseline"], properties["has_previous"]) == expected
    assert all(isinstance(value, int | float | str) for value in properties.values())
    assert ("previous_statistics" in component.inputs) == bool(expected[1])
    assert component.outputs["anomalies"].type is standard_artifacts.ExampleAnomalies
