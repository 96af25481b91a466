"""Bursts on the embedded sample: alarms for nothing, which one example of each client ends, and their name."""

from pathlib import Path

from benchmarks.bursts import run

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "cifar10_sample"


def test_bursts_alarm_and_are_named_and_one_example_a_client_does_neither():
    found = run(SAMPLE, "sample", windows=6, size=150, reference=500)
    assert found["example"].alarms >= 5
    assert found["example"].warnings == 6
    assert found["client"].alarms <= 1
    assert found["client"].warnings == 0
