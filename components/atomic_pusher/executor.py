"""How TFX runs `step.run`."""

from ..common.step_executor import StepExecutor
from . import step


class Executor(StepExecutor):
    """Pushes a blessed model with its baseline bundle, whole or not at all; see `step.run`."""

    run = staticmethod(step.run)
