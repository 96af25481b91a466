"""How TFX runs `step.run`."""

from ..common.step_executor import StepExecutor
from . import step


class Executor(StepExecutor):
    """Compares a window of serving data with the baseline and with the previous span; see `step.run`."""

    run = staticmethod(step.run)
