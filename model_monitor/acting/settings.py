"""What is done when an incident says so: the section `policies` of the settings of `watch`. It is off unless set."""

from typing import Annotated

from pydantic import Field

from components.common.settings import Section

Hours = Annotated[float, Field(ge=0)]


class RetrainPolicy(Section):
    """When a model is trained anew, and by what command (docs/acting.md)."""

    # the command and its arguments, such as [model-monitor, train, --config, train.yaml]; empty: never
    command: tuple[str, ...] = ()
    cooling_off_hours: Hours = 24.0  # after a training began, before another may
    most_a_day: Annotated[int, Field(ge=1)] = 1
    folder: str = ""  # where the command is run; empty: where `watch` was started


class RollBackPolicy(Section):
    """When a version that was just pushed gives way to the one before it."""

    when_worse: bool = False
    windows: Annotated[int, Field(ge=1)] = 6  # after a push, in which both versions are asked about the same traffic
    # the chance that a version which is no worse is rolled back, all these windows together
    false_alarm_rate: Annotated[float, Field(gt=0, le=0.5)] = 0.01


class PoliciesConfig(Section):
    """What `watch` may do by itself."""

    retrain: RetrainPolicy = RetrainPolicy()
    roll_back: RollBackPolicy = RollBackPolicy()

    @property
    def any(self) -> bool:
        """Whether anything may be done."""
        return bool(self.retrain.command) or self.roll_back.when_worse
