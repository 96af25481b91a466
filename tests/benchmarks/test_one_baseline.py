"""The rates of false alarms given one baseline, measured as the benchmark does, on the embedded sample."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.detection import one_baseline, tables
from benchmarks.detection.one_baseline import Population, measure, summary
from benchmarks.detection.plan import core_version
from benchmarks.detection.quick import clean_table
from benchmarks.detection.summary import Results

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "cifar10_sample"


@pytest.fixture(scope="module")
def found():
    return measure(Population(clean_table(SAMPLE)), 200, 200, baselines=40, windows=250)


def test_over_baselines_the_rate_is_the_nominal_one(found):
    for level in one_baseline.LEVELS:
        assert summary(found, "plain", level).mean == pytest.approx(1, abs=0.02)


def test_given_one_baseline_the_threshold_keeps_the_promise(found):
    """Windows as large as the baseline: at the nominal p-value one baseline in twenty has three times the rate."""
    plain, guarded = (summary(found, rule, 0.05) for rule in one_baseline.RULES)
    assert plain.twentieth > 2.2
    assert guarded.twentieth < 1.6
    assert guarded.worst <= plain.worst


def test_the_chance_of_counting_is_taken_out():
    """Baselines that are all alike, each counted on 100 windows, are not taken for different ones."""
    counted = np.random.default_rng(0).binomial(100, 0.05, 400) / 100
    alike = {"windows": 100, "plain": {"0.05": counted.tolist()}}
    assert np.quantile(counted, 0.95) / 0.05 > 1.5
    assert summary(alike, "plain", 0.05).twentieth < 1.25


def test_the_table_has_both_rules(found):
    unit = f"u core {core_version()}"
    record = {"unit": unit, "part": one_baseline.PART, "size": 200, "method": "ours", **found}
    lines = tables.one_baseline(Results([record])).splitlines()
    assert len(lines) == 4
    assert lines[2].startswith("| 200 / 200 | 1 % | 1.0")
    assert " | 0.0034 | " in lines[2]
