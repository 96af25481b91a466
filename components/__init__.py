"""TFX components that look at the images, gate the push and watch what is served.

Importing this package imports nothing else: each name below is looked up when it is first used, so that a tool which
wants one component does not pay for TensorFlow Model Analysis in another.
"""

import importlib
from typing import Any

_HOME = {
    "AtomicPusher": "atomic_pusher.component",
    "BaselineImporter": "baseline_importer.component",
    "Cifar10ExampleGen": "cifar10_example_gen.component",
    "HeldOutScorer": "held_out_scorer.component",
    "HtmlReport": "validation_report.artifact",
    "ImageStatisticsGen": "image_statistics_gen.component",
    "ModelSpec": "common.model_spec",
    "PerformanceEstimator": "performance_estimator.component",
    "PushGate": "push_gate.component",
    "ServingLogExampleGen": "serving_log_example_gen.component",
    "ServingLogWriter": "serving_log_writer.writer",
    "SkewDriftValidator": "skew_drift_validator.component",
    "ThresholdCalibrator": "threshold_calibrator.component",
    "ValidationReport": "validation_report.component",
    "VerdictGuard": "verdict_guard.component",
}

__all__ = sorted(_HOME)  # noqa: PLE0605 - the names are the keys above, once


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}. It has: {', '.join(__all__)}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
