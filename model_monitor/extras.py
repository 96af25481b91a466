"""Libraries of the project's extras, imported where they are used; one sentence where they are not installed."""

import importlib
from types import ModuleType

from components.common.errors import MonitorError


def imported(module: str, what: str, extra: str = "live") -> ModuleType:
    """A module of the extra.

    Args:
      module: its name.
      what: the setting or command that needs it, for the message.
      extra: which one has it.

    Raises:
      MonitorError: it is not installed.

    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if not module.startswith(f"{error.name}"):
            raise
        raise MonitorError(
            f"`{what}` needs {module.partition('.')[0]}: pip install 'tfx-model-monitor[{extra}]'"
        ) from error
