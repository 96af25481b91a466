"""What a person says of a spec on the command line."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from components.common.class_names import read_names
from components.common.settings import read_setting


def given(settings: Iterable[str]) -> dict[str, Any]:
    """What `--set KEY=VALUE` says, nested; a file that `classes` names has been read.

    Raises:
      MonitorError: one is no key and value, or the file cannot be read.

    """
    said: dict[str, Any] = {}
    for setting in settings:
        for key, value in read_setting(setting).items():
            if isinstance(value, dict):
                said.setdefault(key, {}).update(value)
            else:
                said[key] = value
    if isinstance(said.get("classes"), str):
        said["classes"] = read_names(Path(said["classes"]), "--set")
    return said
