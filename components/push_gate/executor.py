"""How TFX runs `step.run`."""

from ..common.step_executor import StepExecutor
from . import step


class Executor(StepExecutor):
    """Decides whether a model may be pushed; see `step.run`."""

    run = staticmethod(step.run)
