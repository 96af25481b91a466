"""How TFX runs `step.run`."""

from ..common.step_executor import StepExecutor
from . import step


class Executor(StepExecutor):
    """Makes the page of a run; see `step.run`."""

    run = staticmethod(step.run)
