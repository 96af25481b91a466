"""Moves statistics and schema in, and anomalies and report out."""

import os
from collections.abc import Sequence
from typing import Any

from absl import logging
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2
from tfx import types
from tfx.components.example_validator.executor import DEFAULT_FILE_NAME
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils, writer_utils

from ..common.artifacts.schema import read_schema
from ..common.errors import require
from ..common.records.drift_report import DRIFT_REPORT_JSON, DriftReport
from ..common.statistics.described_split import DescribedSplit, read_split
from ..common.statistics.monitored_features import DRIFT, SKEW, calibrated_names, select
from ..common.strict_text import parse_json
from ..common.tfx_files import artifact_of, tfx_files
from ..common.two_sample.comparison import JENSEN_SHANNON, L_INFINITY
from .anomaly_list import add_exceeded, add_problem, merge
from .comparators import compare_statistics, validate_window
from .near_duplicates import near_duplicate_problems
from .problems import Problem
from .sorted_scores import sorted_score_problems
from .window_check import Settings, Sides, compare_all, gaps, report, unusable_parts

STATISTICS_KEY = standard_component_specs.STATISTICS_KEY
BASELINE_KEY = "baseline_statistics"
PREVIOUS_KEY = "previous_statistics"
SCHEMA_KEY = standard_component_specs.SCHEMA_KEY
ANOMALIES_KEY = standard_component_specs.ANOMALIES_KEY
FEATURES = "features"
HAS_BASELINE = "has_baseline"
HAS_PREVIOUS = "has_previous"
SPLIT = "split"
BASELINE_SPLIT = "baseline_split"
FALSE_ALARM_RATE = "false_alarm_rate"
MIN_EXAMPLES = "min_examples"
PERMUTATIONS = "permutations"
SEED = "seed"
ENVIRONMENT = "environment"
Artifacts = dict[str, list[types.Artifact]]


class Executor(base_executor.BaseExecutor):
    """Compares a window of serving data with the baseline and with the previous span.

    Inputs:
      statistics: the window's `ExampleStatistics`, made by ImageStatisticsGen.
      baseline_statistics: the baseline's; optional. Without it the window is never fine.
      previous_statistics: the previous span's; optional.
      schema: the `Schema` that ThresholdCalibrator made.

    Outputs:
      anomalies: `ExampleAnomalies`, of the one split, and `drift_report.json` beside it. Custom properties: `state`,
        `outcome`, `sentence`, `p_value` and `p_threshold`, at which it is an alarm (-1 when nothing was compared),
        `window_size`, `alarm` (1 or 0).

    Execution properties: `split`, `baseline_split`, `false_alarm_rate`, `min_examples`, `permutations`, `seed`,
    `environment`; `features`, a JSON list of patterns; `has_baseline` and `has_previous`, 1 when the pipeline has the
    optional input: TFX runs a component without an optional input that holds nothing, which must not pass for a
    pipeline that never had it.

    Raises:
      MonitorError: statistics, sample or schema are missing, damaged or do not fit together.

    """

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        self._log_startup(input_dict, output_dict, exec_properties)
        settings = Settings(
            false_alarm_rate=exec_properties[FALSE_ALARM_RATE],
            min_examples=exec_properties[MIN_EXAMPLES],
            permutations=exec_properties[PERMUTATIONS],
            seed=exec_properties[SEED],
        )
        statistics = artifact_utils.get_single_instance(input_dict[STATISTICS_KEY])
        split = exec_properties[SPLIT]
        sides = Sides(
            window=read_split(artifact_of(statistics), split, STATISTICS_KEY, tfx_files()),
            references={
                SKEW: _read_reference(input_dict, BASELINE_KEY, exec_properties[BASELINE_SPLIT]),
                DRIFT: _read_reference(input_dict, PREVIOUS_KEY, split),
            },
            connected={SKEW: bool(exec_properties[HAS_BASELINE]), DRIFT: bool(exec_properties[HAS_PREVIOUS])},
        )
        schema = read_schema(artifact_of(artifact_utils.get_single_instance(input_dict[SCHEMA_KEY])), tfx_files())
        features = parse_json(exec_properties.get(FEATURES) or "[]")
        found, anomalies = validate(sides, schema, settings, exec_properties[ENVIRONMENT], features)
        output = artifact_utils.get_single_instance(output_dict[ANOMALIES_KEY])
        output.split_names = artifact_utils.encode_split_names([split])
        output.span = statistics.span
        _write(output, split, found, anomalies)


def validate(
    sides: Sides, schema: schema_pb2.Schema, settings: Settings, environment: str, features: Sequence[str] = ()
) -> tuple[DriftReport, anomalies_pb2.Anomalies]:
    """Everything that can be said of a window, compared in those of the calibrated features that `features` names.

    Raises:
      MonitorError: the schema has no calibrated comparators or not this environment, the sides do not fit together, or
        a pattern of `features` names none of what is calibrated.

    """
    names = {comparison: calibrated_names(schema, comparison) for comparison in (SKEW, DRIFT)}
    rule = "have comparators that ThresholdCalibrator computed, for skew and for drift"
    require(all(names.values()), SCHEMA_KEY, rule, names)
    names = {comparison: select(known, features, ()) for comparison, known in names.items()}
    missing = gaps(sides, settings)
    compared = compare_all(sides, names, missing, settings)
    problems = [
        *missing,
        *unusable_parts(sides),
        *near_duplicate_problems(sides, settings),
        *sorted_score_problems(sides),
        *(problem for each in compared for problem in each.problems),
    ]
    named = anomalies_pb2.Anomalies.SERIALIZED_PATH  # without it, whoever reads them takes them for cut short
    anomalies = anomalies_pb2.Anomalies(baseline=schema, anomaly_name_format=named)
    for problem in problems:
        add_problem(anomalies, problem)
    if sides.window.data.num_examples:
        problems += _merged(anomalies, *validate_window(sides.window, schema, environment))
    for each in compared:
        problems += _merged(anomalies, *compare_statistics(each, schema))
    found = report(sides, compared, problems, settings)
    add_exceeded(anomalies, found, (JENSEN_SHANNON, L_INFINITY))
    return found, anomalies


def _merged(into: anomalies_pb2.Anomalies, found: anomalies_pb2.Anomalies, problems: list[Problem]) -> list[Problem]:
    merge(into, found)
    return problems


def _read_reference(inputs: Artifacts, key: str, split: str) -> DescribedSplit | None:
    artifacts = inputs.get(key)
    if not artifacts:
        return None
    return read_split(artifact_of(artifact_utils.get_single_instance(artifacts)), split, key, tfx_files())


def _write(output: types.Artifact, split: str, found: DriftReport, anomalies: anomalies_pb2.Anomalies) -> None:
    path = os.path.join(artifact_utils.get_split_uri([output], split), DEFAULT_FILE_NAME)
    writer_utils.write_anomalies(path, anomalies)
    io_utils.write_string_file(os.path.join(output.uri, DRIFT_REPORT_JSON), found.to_json())
    logging.info("%s (%s)", found.sentence, found.state.value)
    for key, text in {"state": found.state, "outcome": found.outcome, "sentence": found.sentence}.items():
        output.set_string_custom_property(key, str(getattr(text, "value", text)))
    output.set_float_custom_property("p_value", -1.0 if found.p_value is None else found.p_value)
    output.set_float_custom_property("p_threshold", -1.0 if found.p_threshold is None else found.p_threshold)
    output.set_int_custom_property("window_size", found.window.examples)
    output.set_int_custom_property("alarm", int(found.alarm))
