"""Names of a package that are looked up when they are first used: importing the package imports nothing else."""

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy_names(package: str, home: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The `__getattr__` and the `__dir__` of a package.

    Args:
      package: its `__name__`.
      home: the module of each name, from the package on.

    """

    def look_up(name: str) -> Any:
        if name not in home:
            known = ", ".join(sorted(home))
            raise AttributeError(f"module {package!r} has no attribute {name!r}. It has: {known}")
        return getattr(importlib.import_module(f".{home[name]}", package), name)

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *home})

    return look_up, names
