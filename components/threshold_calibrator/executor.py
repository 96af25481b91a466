"""Moves baseline and curated schema in and the calibrated schema out."""

import os
from typing import Any

import tensorflow_data_validation as tfdv
from absl import logging
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils

from ..common.artifacts.names import SCHEMA_FILE
from ..common.statistics.described_split import read_split
from ..common.statistics.usability import require_usable
from ..common.strict_text import parse_json
from ..common.tfx_files import artifact_of, tfx_files
from . import inferred_schema
from .calibration import Calibration, Settings, calibrate

STATISTICS_KEY = standard_component_specs.STATISTICS_KEY
CURATED_SCHEMA_KEY = "curated_schema"  # an input and an output of one component cannot have the same name
SCHEMA_KEY = standard_component_specs.SCHEMA_KEY
WINDOW_SIZE = "window_size"
FALSE_ALARM_RATE = "false_alarm_rate"
SPLIT = "split"
PERMUTATIONS = "permutations"
SEED = "seed"
MONITORED = "monitored"
UNMONITORED = "unmonitored"
Artifacts = dict[str, list[types.Artifact]]


class Executor(base_executor.BaseExecutor):
    """Writes comparators with computed thresholds into a schema.

    Inputs:
      statistics: the baseline's `ExampleStatistics`, with the sample that ImageStatisticsGen writes.
      curated_schema: the `Schema` that a person wrote. A pipeline may leave it out: one is then inferred from the
        baseline, see `inferred_schema`.

    Outputs:
      schema: a `Schema`, the curated one with `skew_comparator` and `drift_comparator` for every monitored feature.
        Custom properties: `window_size`, `false_alarm_rate`, `permutations`, `seed`, `baseline_examples`, and, with
        commas between, `features` (calibrated), `added` (not in the curated schema), `kept` (comparators written by
        hand) and `dropped` (comparators with which TFDV would compare nothing).

    Execution properties: `window_size`, `false_alarm_rate`, `split`, `permutations`, `seed`; `monitored` and
    `unmonitored` as JSON lists.

    Raises:
      MonitorError: the split or its sample is missing or damaged, the baseline has too few examples, more than 1 % of
        its images, predictions or labels cannot be used, or nothing that can be monitored is left.

    """

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        self._log_startup(input_dict, output_dict, exec_properties)
        settings = Settings(
            window_size=exec_properties[WINDOW_SIZE],
            false_alarm_rate=exec_properties[FALSE_ALARM_RATE],
            permutations=exec_properties[PERMUTATIONS],
            seed=exec_properties[SEED],
            monitored=tuple(parse_json(exec_properties[MONITORED])),
            unmonitored=tuple(parse_json(exec_properties[UNMONITORED])),
        )
        statistics = artifact_utils.get_single_instance(input_dict[STATISTICS_KEY])
        baseline = read_split(artifact_of(statistics), exec_properties[SPLIT], STATISTICS_KEY, tfx_files())
        require_usable(baseline.data, f"the baseline (split {exec_properties[SPLIT]} of `statistics`)")
        schema = _schema(input_dict.get(CURATED_SCHEMA_KEY), baseline.data)
        result = calibrate(schema, baseline.data, baseline.sample, settings)
        output = artifact_utils.get_single_instance(output_dict[SCHEMA_KEY])
        io_utils.write_pbtxt_file(os.path.join(output.uri, SCHEMA_FILE), schema)
        _describe(output, result, settings)


def _schema(curated: list[types.Artifact] | None, data: statistics_pb2.DatasetFeatureStatistics) -> schema_pb2.Schema:
    """The schema that a person wrote, or one that is inferred from the baseline where there is none."""
    if curated is not None:
        return io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(artifact_utils.get_single_uri(curated)))
    whole = statistics_pb2.DatasetFeatureStatisticsList(datasets=[data])
    schema = tfdv.infer_schema(whole, infer_feature_shape=False)
    inferred_schema.complete(schema, data)
    return schema


def _describe(output: types.Artifact, result: Calibration, settings: Settings) -> None:
    for reason in result.dropped:
        logging.warning("A comparator was dropped from the schema. %s", reason)
    output.set_int_custom_property(WINDOW_SIZE, settings.window_size)
    output.set_float_custom_property(FALSE_ALARM_RATE, settings.false_alarm_rate)
    output.set_int_custom_property(PERMUTATIONS, settings.permutations)
    output.set_int_custom_property(SEED, settings.seed)
    output.set_int_custom_property("baseline_examples", result.baseline_examples)
    lists = {"features": result.features, "added": result.added, "kept": result.kept, "dropped": result.dropped}
    for key, names in lists.items():
        output.set_string_custom_property(key, ", ".join(names))
