"""Windows of serving described and calibrated as the reference of those to come: one run, and what it made."""

import os
from collections.abc import Mapping

from components.common import baseline_bundle
from components.common.artifacts.files import Artifact, local_files
from components.common.artifacts.schema import read_schemas
from components.common.baseline_bundle import Bundle
from components.common.statistics.monitored_features import DRIFT, SKEW, calibrated_names
from pipelines.config import MonitoringConfig
from pipelines.progress import Progress

from ..acting.rebaseline import Made
from .pipelines import launch

SUFFIX = "-rebaselining"  # of the pipeline's name, so that its runs are in no timeline


def make(config: MonitoringConfig, bundle: Bundle, windows: Mapping[int, str], progress: Progress) -> Made:
    """Runs the pipeline on the examples of windows.

    Args:
      config: the settings of the served model.
      bundle: of the version that is served.
      windows: the folders of the windows' `Examples`, by their numbers.
      progress: shows the steps.

    Raises:
      NodeFailedError: a node of the pipeline failed.
      MonitorError: the schema of the bundle is damaged.

    """
    own = config.model_copy(update={"name": f"{config.name}{SUFFIX}"})
    arguments = {"bundle": bundle, "windows": dict(windows), "monitored": _monitored(bundle)}
    run = launch(own, "rebaselining", arguments, progress)
    return Made(
        run=run.id,
        statistics=run.node("ImageStatisticsGen").output("statistics").uri,
        schema=run.node("ThresholdCalibrator").output("schema").uri,
        examples=run.node("ExampleJoiner").output("examples").uri,
    )


def _monitored(bundle: Bundle) -> tuple[str, ...]:
    """The features with computed thresholds; those that a person wrote stay as they are."""
    folder = os.path.dirname(bundle.path(baseline_bundle.SCHEMA_FILE))
    schema = read_schemas(Artifact(folder), local_files())[0]
    names = [name for comparison in (SKEW, DRIFT) for name in calibrated_names(schema, comparison)]
    return tuple(dict.fromkeys(names))
