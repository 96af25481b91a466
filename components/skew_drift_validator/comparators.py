"""TFDV's own comparators, run on the window with the thresholds that were computed for it."""

import numpy as np
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from ..common.errors import MonitorError, require
from ..common.model_spec import ID, IMAGE
from ..common.records.drift_report import State
from ..common.statistics.feature_sample import FeatureSample
from ..common.statistics.monitored_features import (
    SKEW,
    has_comparator,
    is_calibrated,
    name_of,
    set_threshold,
    standard_histogram,
    statistic_of,
)
from ..common.statistics.tfdv_native import validate_statistics
from ..common.two_sample.comparison import CLASS_FEATURE, Feature, TwoSampleTest
from ..common.two_sample.frequencies import BinnedFeature
from .anomaly_list import add_problem, soften_new_columns
from .problems import ERROR, WARNING, Problem
from .window_check import Compared, Described

TOLERANCE = 1e-6  # within which TFDV and the calibrated test must measure the same
_ROUNDING = 1e-9  # beside a measured value, so that TFDV's last digit does not decide what permutations decided
_COMPUTED = ("image_", "prediction_")  # how features begin that are computed of images and predictions
_COMPARATOR = "COMPARATOR_"  # how the types of anomalies begin that comparators raise


def compare_statistics(compared: Compared, schema: schema_pb2.Schema) -> tuple[anomalies_pb2.Anomalies, list[Problem]]:
    """Runs the comparators of `schema` for one comparison: calibrated ones with thresholds for this window.

    Returns:
      What TFDV found, with measurements but without violations of the schema; and what comparators written by
      hand have found, or that they compared nothing.

    Raises:
      MonitorError: TFDV measured anything else than what the thresholds are for.

    """
    comparators = _comparators(compared, schema)
    if not comparators.feature:
        return anomalies_pb2.Anomalies(), []
    names = {feature.name for feature in comparators.feature}
    bins = {feature.name: feature for feature in compared.features}
    reference, window = (_only(each, names, bins) for each in (compared.pair.reference, compared.pair.window))
    if compared.pair.comparison == SKEW:
        found = validate_statistics(reference, comparators, serving=window)
    else:
        found = validate_statistics(window, comparators, previous=reference)
    _keep_comparisons(found)
    by_hand = sorted(names - {feature for _, feature in compared.limits})
    _require_agreement(found, compared)
    problems = [_by_hand_problem(found, compared.pair.comparison, name) for name in by_hand]
    return found, [problem for problem in problems if problem is not None]


def validate_window(
    window: Described, schema: schema_pb2.Schema, environment: str
) -> tuple[anomalies_pb2.Anomalies, list[Problem]]:
    """Holds the window's statistics against the schema: presence, types, domains, and what else is not a comparison.

    The schema's `min_examples_count` is for training data; how few examples are too few for a window, the validator's
    own parameter says. A schema without environments, as SchemaGen makes it, is of training data: what a window can
    lack for being served (the label, say) is not asked of it then.

    Raises:
      MonitorError: the schema has environments and not this one.

    """
    known = list(schema.default_environment)
    fits = not environment or not known or environment in known
    require(fits, "environment", f"be one of the schema's, {known}", environment)
    plain = schema_pb2.Schema()
    plain.CopyFrom(schema)
    if environment and not known:
        environment = ""
        _keep_served(plain, window)
    for feature in plain.feature:
        feature.ClearField("skew_comparator")
        feature.ClearField("drift_comparator")
    plain.dataset_constraints.ClearField("min_examples_count")
    found = validate_statistics(window.data, plain, environment)
    soften_new_columns(found)
    problems = [_against_schema(name, info) for name, info in sorted(found.anomaly_info.items())]
    if found.HasField("dataset_anomaly_info"):
        problems.append(_against_schema("", found.dataset_anomaly_info))
    return found, problems


def _keep_served(schema: schema_pb2.Schema, window: Described) -> None:
    """Takes out the features that only training data have: the window has none of them, and no log could hold them."""
    there = {name_of(each) for each in window.data.features}
    served = [each for each in schema.feature if each.name in there or _is_always_served(each.name)]
    del schema.feature[:]
    schema.feature.extend(served)


def _is_always_served(name: str) -> bool:
    """Whether every serving log must give this feature of statistics."""
    return name in (IMAGE, ID) or name.startswith(_COMPUTED)


def _comparators(compared: Compared, schema: schema_pb2.Schema) -> schema_pb2.Schema:
    """A schema of nothing but the comparators: those that were computed with the thresholds for this window."""
    comparators = schema_pb2.Schema()
    comparison = compared.pair.comparison
    for feature in schema.feature:
        check = compared.limits.get((statistic_of(feature.name), feature.name))
        if not has_comparator(feature, comparison) or (is_calibrated(feature, comparison) and check is None):
            continue
        kept = comparators.feature.add()
        kept.CopyFrom(feature)
        for unrelated in ("presence", "value_count", "shape", "not_in_environment", "in_environment"):
            kept.ClearField(unrelated)
        if is_calibrated(feature, comparison) and check is not None:
            set_threshold(kept, comparison, _threshold_for_tfdv(check))
    if comparison != SKEW and schema.dataset_constraints.HasField("num_examples_drift_comparator"):
        comparators.dataset_constraints.num_examples_drift_comparator.CopyFrom(
            schema.dataset_constraints.num_examples_drift_comparator
        )
    return comparators


def _threshold_for_tfdv(check: TwoSampleTest) -> float:
    """The check's threshold, moved off the measured value by more than the two ways of measuring differ."""
    if check.measured > check.threshold:
        return min(check.threshold, check.measured - _ROUNDING)
    return min(max(check.threshold, check.measured + _ROUNDING), 2.0)  # no distance is above 1


def _only(described: Described, names: set[str], bins: dict[str, Feature]) -> statistics_pb2.DatasetFeatureStatistics:
    """The statistics of some features; counted over the sample's examples where that is not all of them."""
    data = statistics_pb2.DatasetFeatureStatistics(num_examples=described.data.num_examples)
    data.features.extend(each for each in described.data.features if name_of(each) in names)
    if len(described.sample.values) < described.data.num_examples:
        for feature in data.features:
            if name_of(feature) in bins:
                _count_numbers(feature, described.sample, bins[name_of(feature)])
            elif name_of(feature) == CLASS_FEATURE:
                _count_classes(feature, described.sample)
    return data


def _count_numbers(described: statistics_pb2.FeatureNameStatistics, sample: FeatureSample, bins: Feature) -> None:
    edges = bins.bin_edges[:: bins.bins_per_bucket]
    codes = BinnedFeature.of(sample.values[:, sample.names.index(bins.name)], edges, 1).codes
    counts = np.bincount(codes, minlength=len(edges))
    for bucket, count in zip(standard_histogram(described).buckets, counts.tolist(), strict=False):
        bucket.sample_count = count


def _count_classes(described: statistics_pb2.FeatureNameStatistics, sample: FeatureSample) -> None:
    known = sample.classes[sample.classes >= 0].tolist() if sample.classes is not None else []
    strings = described.string_stats
    for bucket in strings.rank_histogram.buckets:
        bucket.sample_count = known.count(int(bucket.label))
    del strings.top_values[:]
    strings.common_stats.num_non_missing = strings.common_stats.tot_num_values = len(known)


def _keep_comparisons(found: anomalies_pb2.Anomalies) -> None:
    """Drops what is no comparison: `validate_window` says it, once and of the right data."""
    for name in list(found.anomaly_info):
        info = found.anomaly_info[name]
        kept = [reason for reason in info.reason if _type(reason).startswith(_COMPARATOR)]
        del info.reason[:]
        info.reason.extend(kept)
        if not kept:
            del found.anomaly_info[name]


def _type(reason: anomalies_pb2.AnomalyInfo.Reason) -> str:
    return str(anomalies_pb2.AnomalyInfo.Type.Name(reason.type))


def _measured(found: anomalies_pb2.Anomalies, comparison: str) -> dict[str, float]:
    """What TFDV measured, by feature."""
    values = {}
    for info in found.drift_skew_info:
        measurements = info.skew_measurements if comparison == SKEW else info.drift_measurements
        for measurement in measurements:
            values[".".join(info.path.step)] = measurement.value
    return values


def _require_agreement(found: anomalies_pb2.Anomalies, compared: Compared) -> None:
    """A statistic that was not calibrated must not be reported, nor one that was calibrated go unmeasured."""
    measured = _measured(found, compared.pair.comparison)
    for (test, name), check in compared.limits.items():
        if not name or test != statistic_of(name):
            continue
        theirs = measured.get(name)
        if theirs is None or not abs(theirs - check.measured) <= TOLERANCE:
            raise MonitorError(
                f"TFDV must measure for {name} what its threshold is for, {check.measured!r}: "
                f"its statistics and its sample must be of the same examples. Received: {theirs!r}"
            )


def _by_hand_problem(found: anomalies_pb2.Anomalies, comparison: str, name: str) -> Problem | None:
    """What a comparator written by hand has found, or that it found nothing to compare; the latter is added."""
    if name in found.anomaly_info:
        info = found.anomaly_info[name]
        sentence = info.reason[0].description.rstrip(".")
        return Problem(name, _type(info.reason[0]), ERROR, info.short_description, sentence, State.CHANGED)
    if name in _measured(found, comparison):
        return None
    sentence = f"its {comparison}_comparator, written by hand, compared nothing"
    problem = Problem(name, "STATS_NOT_AVAILABLE", ERROR, "Not compared", sentence, State.INVALID)
    add_problem(found, problem)
    return problem


def _against_schema(name: str, info: anomalies_pb2.AnomalyInfo) -> Problem:
    warned = info.severity == anomalies_pb2.AnomalyInfo.WARNING
    severity = WARNING if warned else ERROR
    sentence = info.description.rstrip(".")
    kind = _type(info.reason[0]) if info.reason else "UNKNOWN_TYPE"
    return Problem(name, kind, severity, info.short_description, sentence, None if warned else State.INVALID)
