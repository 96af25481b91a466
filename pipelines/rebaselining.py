"""The pipeline that makes windows of serving the reference of those to come: nothing is trained, nothing is pushed."""

import os
from collections.abc import Mapping, Sequence

from tfx import types
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration.pipeline import Pipeline
from tfx.types import channel, standard_artifacts

from components import ExampleJoiner, ImageStatisticsGen, ThresholdCalibrator
from components.common import baseline_bundle
from components.common.baseline_bundle import Bundle

from . import nodes
from .config import MonitoringConfig

NAMED = '["{}"]'  # TFX's list of splits


def create_pipeline(
    config: MonitoringConfig, *, bundle: Bundle, windows: Mapping[int, str], monitored: Sequence[str]
) -> Pipeline:
    """The examples of windows are joined and described, and thresholds are computed from them.

    Args:
      config: the settings, of which those of the calibration count.
      bundle: of the version that is served, for its spec and its schema.
      windows: the folders of the windows' `Examples`, by the number of the window.
      monitored: the features that the bundle's schema has computed thresholds for.

    """
    imported = [
        Importer(
            source_uri=uri,
            artifact_type=standard_artifacts.Examples,
            properties={"split_names": NAMED.format(nodes.SERVING_SPLIT)},
        ).with_id(f"Window{number}")
        for number, uri in windows.items()
    ]
    # Anew each time: another schema may be in the same place.
    schema = Importer(
        source_uri=os.path.dirname(bundle.path(baseline_bundle.SCHEMA_FILE)),
        artifact_type=standard_artifacts.Schema,
        reimport=True,
    ).with_id("ServedSchema")
    split, curated = bundle.held_out_split, schema.outputs["result"]
    joined = ExampleJoiner(_all([each.outputs["result"] for each in imported]), split=split)
    described = ImageStatisticsGen(joined.outputs["examples"], curated, spec=bundle.manifest.spec.rows)
    rules = config.monitor.model_dump(include=nodes.CALIBRATION)
    calibrated = ThresholdCalibrator(
        described.outputs["statistics"], curated, split=split, monitored=monitored, **rules
    )
    components = [*imported, schema, joined, described, calibrated]
    return Pipeline(components=components, **nodes.pipeline_arguments(config))


def _all(channels: Sequence[types.BaseChannel]) -> types.BaseChannel:
    return channels[0] if len(channels) == 1 else channel.union(channels)
