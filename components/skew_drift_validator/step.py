"""Moves statistics and schema in, and anomalies and report out."""

from collections.abc import Sequence

from absl import logging
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from ..common.artifacts.names import ANOMALIES_FILE
from ..common.artifacts.schema import read_schema
from ..common.errors import require
from ..common.records.drift_report import DRIFT_REPORT_JSON, DriftReport
from ..common.statistics.described_split import DescribedSplit, read_split
from ..common.statistics.monitored_features import DRIFT, SKEW, calibrated_names, select
from ..common.step import Output, Step
from ..common.strict_text import parse_json
from ..common.two_sample.comparison import JENSEN_SHANNON, L_INFINITY
from .anomaly_list import add_exceeded, add_problem, merge
from .comparators import compare_statistics, validate_window
from .near_duplicates import near_duplicate_problems
from .problems import Problem
from .sorted_scores import sorted_score_problems
from .window_check import Settings, Sides, compare_all, gaps, report, unusable_parts

STATISTICS_KEY = "statistics"
BASELINE_KEY = "baseline_statistics"
PREVIOUS_KEY = "previous_statistics"
SCHEMA_KEY = "schema"
ANOMALIES_KEY = "anomalies"
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


def run(step: Step) -> None:
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
    parameter = step.parameter
    settings = Settings(
        false_alarm_rate=parameter(FALSE_ALARM_RATE),
        min_examples=parameter(MIN_EXAMPLES),
        permutations=parameter(PERMUTATIONS),
        seed=parameter(SEED),
    )
    statistics, split = step.input(STATISTICS_KEY), parameter(SPLIT)
    sides = Sides(
        window=read_split(statistics, split, STATISTICS_KEY, step.files),
        references={
            SKEW: _read_reference(step, BASELINE_KEY, parameter(BASELINE_SPLIT)),
            DRIFT: _read_reference(step, PREVIOUS_KEY, split),
        },
        connected={
            SKEW: bool(parameter(HAS_BASELINE)) and not _is_none(step, BASELINE_KEY),
            DRIFT: bool(parameter(HAS_PREVIOUS)) and not _is_none(step, PREVIOUS_KEY),
        },
    )
    schema = read_schema(step.input(SCHEMA_KEY), step.files)
    features = parse_json(step.text(FEATURES) or "[]")
    found, anomalies = validate(sides, schema, settings, parameter(ENVIRONMENT), features)
    output = step.output(ANOMALIES_KEY)
    output.split_names, output.span = [split], statistics.span
    step.write_message(output.split_path(split, ANOMALIES_FILE), anomalies)
    step.write_text(output.path(DRIFT_REPORT_JSON), found.to_json())
    _describe(output, found)


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


def _read_reference(step: Step, key: str, split: str) -> DescribedSplit | None:
    artifact = step.optional(key)
    return None if artifact is None or artifact.is_none else read_split(artifact, split, key, step.files)


def _is_none(step: Step, key: str) -> bool:
    artifact = step.optional(key)
    return artifact is not None and artifact.is_none


def _describe(output: Output, found: DriftReport) -> None:
    logging.info("%s (%s)", found.sentence, found.state.value)
    for key, text in {"state": found.state, "outcome": found.outcome, "sentence": found.sentence}.items():
        output.properties[key] = str(getattr(text, "value", text))
    output.properties["p_value"] = -1.0 if found.p_value is None else float(found.p_value)
    output.properties["p_threshold"] = -1.0 if found.p_threshold is None else float(found.p_threshold)
    output.properties["window_size"] = int(found.window.examples)
    output.properties["alarm"] = int(found.alarm)
