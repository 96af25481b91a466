"""Moves baseline and curated schema in and the calibrated schema out."""

from absl import logging
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from ..common.artifacts.names import SCHEMA_FILE
from ..common.artifacts.schema import read_schema
from ..common.statistics.described_split import read_split
from ..common.statistics.tfdv_native import infer_schema
from ..common.statistics.usability import require_usable
from ..common.step import Output, Step
from ..common.strict_text import parse_json
from . import inferred_schema
from .calibration import Calibration, Settings, calibrate

STATISTICS_KEY = "statistics"
CURATED_SCHEMA_KEY = "curated_schema"  # an input and an output of one component cannot have the same name
SCHEMA_KEY = "schema"
WINDOW_SIZE = "window_size"
FALSE_ALARM_RATE = "false_alarm_rate"
SPLIT = "split"
PERMUTATIONS = "permutations"
SEED = "seed"
MONITORED = "monitored"
UNMONITORED = "unmonitored"


def run(step: Step) -> None:
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
    parameter = step.parameter
    settings = Settings(
        window_size=parameter(WINDOW_SIZE),
        false_alarm_rate=parameter(FALSE_ALARM_RATE),
        permutations=parameter(PERMUTATIONS),
        seed=parameter(SEED),
        monitored=tuple(parse_json(parameter(MONITORED))),
        unmonitored=tuple(parse_json(parameter(UNMONITORED))),
    )
    baseline = read_split(step.input(STATISTICS_KEY), parameter(SPLIT), STATISTICS_KEY, step.files)
    require_usable(baseline.data, f"the baseline (split {parameter(SPLIT)} of `statistics`)")
    schema = _schema(step, baseline.data)
    result = calibrate(schema, baseline.data, baseline.sample, settings)
    output = step.output(SCHEMA_KEY)
    step.write_message(output.path(SCHEMA_FILE), schema)
    _describe(output, result, settings)


def _schema(step: Step, data: statistics_pb2.DatasetFeatureStatistics) -> schema_pb2.Schema:
    """The schema that a person wrote, or one that is inferred from the baseline where there is none."""
    if CURATED_SCHEMA_KEY in step.inputs:
        return read_schema(step.input(CURATED_SCHEMA_KEY), step.files, strict=True)
    schema = infer_schema(data, infer_feature_shape=False)
    inferred_schema.complete(schema, data)
    return schema


def _describe(output: Output, result: Calibration, settings: Settings) -> None:
    for reason in result.dropped:
        logging.warning("A comparator was dropped from the schema. %s", reason)
    lists = {"features": result.features, "added": result.added, "kept": result.kept, "dropped": result.dropped}
    output.properties |= {
        WINDOW_SIZE: settings.window_size,
        FALSE_ALARM_RATE: float(settings.false_alarm_rate),
        PERMUTATIONS: settings.permutations,
        SEED: settings.seed,
        "baseline_examples": int(result.baseline_examples),
        **{key: ", ".join(names) for key, names in lists.items()},
    }
