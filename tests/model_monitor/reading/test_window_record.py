import math
from dataclasses import replace

import pytest

from components.common.errors import MonitorError
from components.common.proportion import Proportion
from components.common.verdict_words import State
from model_monitor.reading.window_record import WindowRecord

RECORD = WindowRecord(
    model="monitoring",
    window=7,
    state=State.CHANGED,
    sentence="Span 7 is changed: brightness.",
    run=3,
    run_id="2026-11-26T10:00:00",
    version="179",
    examples=1000,
    judged_at=1795700000.5,
    features=("image_brightness",),
    p_value=0.0005,
    checks={"data": "changed"},
    estimated=Proportion(0.9, 0.85, 0.93, 1000),
    baseline_accuracy=Proportion(0.91),
)


def test_a_record_is_read_as_it_was_written():
    read = WindowRecord.from_json(RECORD.to_json())
    assert math.isnan(read.baseline_accuracy.low)
    assert replace(read, baseline_accuracy=None) == replace(RECORD, baseline_accuracy=None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        RECORD.to_json().replace('"changed"', '"wonderful"', 1),
        RECORD.to_json().replace('"format_version": 1', '"format_version": 2'),
        RECORD.to_json().replace("0.0005", "NaN"),
        RECORD.to_json()[:-20],
    ],
)
def test_what_is_no_record_is_refused(text):
    with pytest.raises(MonitorError, match=r"no record of a window|format_version|state"):
        WindowRecord.from_json(text)
