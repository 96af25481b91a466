from pathlib import Path

import pytest

from model_monitor.acting.command_runs import CommandRun
from model_monitor.acting.policies import DAY, HOUR, may_retrain
from model_monitor.acting.settings import PoliciesConfig, RetrainPolicy

NOW = 100 * DAY


def run(hours_ago: float, *, running: bool = False) -> CommandRun:
    began = NOW - hours_ago * HOUR
    return CommandRun(
        f"run-{hours_ago}", ("train",), began, None if running else began + 60, 0, running, Path("output")
    )


@pytest.mark.parametrize(
    ("changes", "before", "act", "why"),
    [
        ({"command": ()}, [], False, "no command is set"),
        ({}, [], True, "fell by more than is allowed"),
        ({}, [run(0.5, running=True)], False, "is running already: run-0.5"),
        ({}, [run(5)], False, "began 5.0 h ago, and 19.0 h of cooling off are left"),
        ({}, [run(-3)], False, "began 0.0 h ago"),  # the clock was set back
        ({"cooling_off_hours": 1.0}, [run(5)], False, "1 of 1 trainings a day"),
        ({"cooling_off_hours": 1.0, "most_a_day": 2}, [run(5)], True, ""),
        ({"cooling_off_hours": 1.0, "most_a_day": 2}, [run(20), run(5)], False, "2 of 2"),
        ({"cooling_off_hours": 1.0, "most_a_day": 2}, [run(25), run(5)], True, ""),
        ({}, [run(25)], True, ""),
    ],
)
def test_a_training_is_started_when_it_is_allowed_and_not_too_often(changes, before, act, why):
    policy = RetrainPolicy(**{"command": ("train",), **changes})
    decision = may_retrain(policy, before, NOW)
    assert decision.act is act
    assert why in decision.why


def test_nothing_is_done_unless_it_was_set():
    assert not PoliciesConfig().any
    assert PoliciesConfig(retrain=RetrainPolicy(command=("train",))).any
