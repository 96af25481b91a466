"""Whether to act: a pure function of what is allowed, of what happened, and of what was done before."""

from collections.abc import Sequence
from dataclasses import dataclass

from .command_runs import CommandRun
from .settings import RetrainPolicy

HOUR, DAY = 3600.0, 86_400.0


@dataclass(frozen=True)
class Decision:
    """Whether to do something, and why or why not, a sentence without a full stop."""

    act: bool
    why: str


def may_retrain(policy: RetrainPolicy, before: Sequence[CommandRun], now: float) -> Decision:
    """Whether a critical incident starts a training now.

    Args:
      policy: what is allowed.
      before: every training that was started, the oldest first.
      now: seconds since the epoch. Where the clock was set back, what lies ahead of it counts as now.

    """
    if not policy.command:
        return Decision(False, "no command is set (`policies.retrain.command`)")
    running = [run for run in before if run.running]
    if running:
        return Decision(False, f"a training is running already: {running[-1].name}")
    began = [min(run.began, now) for run in before]
    since = now - max(began) if began else None
    if since is not None and since < policy.cooling_off_hours * HOUR:
        left = policy.cooling_off_hours - since / HOUR
        return Decision(
            False, f"the last training began {since / HOUR:.1f} h ago, and {left:.1f} h of cooling off are left"
        )
    today = sum(now - each < DAY for each in began)
    if today >= policy.most_a_day:
        return Decision(False, f"{today} of {policy.most_a_day} trainings a day were started")
    return Decision(True, "the accuracy fell by more than is allowed")
