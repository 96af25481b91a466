import time

import pytest

from components.common.proportion import Proportion
from components.common.verdict_words import State
from model_monitor.metrics.observed import Observed, Sequential
from model_monitor.reading.window_record import WindowRecord

RECORD = WindowRecord(
    model="digits",
    window=7,
    state=State.DEGRADED,
    sentence="Span 7 is degraded: the estimated accuracy is 0.71.",
    run=12,
    run_id="2026-11-26T10:00:00",
    version="1795483923",
    examples=1000,
    judged_at=1_795_700_000.0,
    p_value=0.0005,
    p_threshold=0.001,
    features=("image_brightness",),
    feature="image_brightness",
    distance=0.31,
    distance_threshold=0.05,
    estimated=Proportion(0.71, 0.66, 0.75, 1000),
    baseline_accuracy=Proportion(0.9),  # whose interval is not known
    least_accuracy=0.85,
)


@pytest.fixture
def observed():
    """A model with a window, and everything that can be known of it."""
    return Observed(
        model="digits",
        last=RECORD,
        windows={"fine": 5, "degraded": 2},
        set_aside=1,
        examples=7_000,
        late_examples=30,
        dead_letters=4,
        backlog_windows=2,
        backlog_examples=2_100,
        oldest_unjudged=1_795_700_100.0,
        turned=time.monotonic(),
        evaluation_seconds=2.5,
        evaluation_cpu_seconds=1.9,
        sequential={"cusum": Sequential(4.5, 6.0, rings=False)},
        open_incidents={"critical": 1},
        incidents={"critical": 1, "information": 3},
        alerts={("slack", "delivered"): 3, ("slack", "failed"): 1},
    )
