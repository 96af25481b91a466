"""Pipelines that train, push and monitor an image classifier, and the pieces to do it within any TFX pipeline.

Importing this package imports nothing else: each name below is looked up when it is first used.
"""

import importlib
from typing import Any

_HOME = {
    "MonitorConfig": "config",
    "monitored_push": "pushing",
    "monitoring_pipeline": "monitoring",
}

__all__ = sorted(_HOME)  # noqa: PLE0605 - the names are the keys above, once


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}. It has: {', '.join(__all__)}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
