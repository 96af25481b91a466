"""The quick run of the detection benchmark: counts and rates with fixed seeds, never times."""

from pathlib import Path

import pytest

from benchmarks.detection import quick
from benchmarks.detection.quick import NULL_WINDOWS, SHIFTED_WINDOWS, Counts, run, too_many

pytestmark = pytest.mark.long

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "cifar10_sample"


@pytest.fixture(scope="module")
def counts():
    return run(SAMPLE)


def test_false_alarms_stay_within_what_chance_allows_at_five_percent(counts):
    assert not too_many(counts["ours"].null)


def test_every_blurred_window_is_found(counts):
    assert counts["ours"].blurred == SHIFTED_WINDOWS


def test_no_faint_shift_is_found_less_often_than_by_softmax_outputs(counts):
    assert counts["ours"].brighter >= counts["bbsds"].brighter
    assert counts["ours"].blurred > counts["bbsds"].blurred


@pytest.mark.parametrize(
    ("alarms", "bad"),
    [(0, False), (round(0.05 * NULL_WINDOWS), False), (20, False), (25, True), (NULL_WINDOWS, True)],
)
def test_what_counts_as_too_many_false_alarms(alarms, bad):
    assert too_many(alarms) == bad


@pytest.mark.parametrize("ours", [Counts(60, 20, 20), Counts(10, 19, 20), Counts(10, 20, 4)])
def test_the_command_fails_when_the_monitor_is_bad(ours, monkeypatch):
    monkeypatch.setattr(quick, "run", lambda folder: {"ours": ours, "bbsds": Counts(10, 1, 5)})
    with pytest.raises(SystemExit, match="more false alarms"):
        quick.main(SAMPLE)


def test_the_command_passes_when_it_is_good(monkeypatch, capsys):
    monkeypatch.setattr(quick, "run", lambda folder: {"ours": Counts(10, 20, 20), "bbsds": Counts(10, 1, 5)})
    quick.main(SAMPLE)
    assert "ours: 10 of 200 null windows, 20 of 20 blurred" in capsys.readouterr().out
