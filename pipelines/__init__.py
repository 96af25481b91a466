"""Pipelines that train, push and monitor an image classifier, and the pieces to do it within any TFX pipeline.

Importing this package imports nothing else: each name below is looked up when it is first used.
"""

from components.common.lazy_names import lazy_names

_HOME = {
    "MonitorConfig": "config",
    "monitored_push": "pushing",
    "monitoring_pipeline": "monitoring",
}

__all__ = sorted(_HOME)  # noqa: PLE0605 - the names are the keys above, once
__getattr__, __dir__ = lazy_names(__name__, _HOME)
