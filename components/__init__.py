"""TFX components that look at the images, gate the push and watch what is served.

Importing this package imports nothing else: each name below is looked up when it is first used, so that a tool which
wants one component does not pay for TensorFlow Model Analysis in another.
"""

from .common.lazy_names import lazy_names

_HOME = {
    "AtomicPusher": "atomic_pusher.component",
    "BaselineImporter": "baseline_importer.component",
    "Cifar10ExampleGen": "cifar10_example_gen.component",
    "Evaluator": "evaluator.component",
    "ExampleJoiner": "example_joiner.component",
    "HeldOutScorer": "held_out_scorer.component",
    "HtmlReport": "validation_report.artifact",
    "ImageStatisticsGen": "image_statistics_gen.component",
    "ModelSpec": "common.model_spec",
    "PerformanceEstimator": "performance_estimator.component",
    "PushGate": "push_gate.component",
    "SchemaImporter": "schema_importer.component",
    "ServingLogExampleGen": "serving_log_example_gen.component",
    "ServingLogWriter": "serving_log_writer.writer",
    "SkewDriftValidator": "skew_drift_validator.component",
    "StatisticsImporter": "statistics_importer.component",
    "StatisticsPublisher": "statistics_publisher.component",
    "ThresholdCalibrator": "threshold_calibrator.component",
    "ValidationReport": "validation_report.component",
    "VerdictGuard": "verdict_guard.component",
}

__all__ = sorted(_HOME)  # noqa: PLE0605 - the names are the keys above, once
__getattr__, __dir__ = lazy_names(__name__, _HOME)
