"""How TFX runs `step.run`."""

from ..common.step_executor import StepExecutor
from . import step


class Executor(StepExecutor):
    """Says how accurate the model is on a window, and whether that is too much worse; see `step.run`."""

    run = staticmethod(step.run)
