"""The calibration itself: thresholds from the baseline's sample, written into a curated schema.

Messages of `tensorflow_metadata` are passed in, looked at and changed, none is made here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..common.errors import MonitorError, require
from ..common.statistics.feature_sample import FeatureSample
from ..common.statistics.monitored_features import (
    DRIFT,
    MIN_BASELINE_EXAMPLES,
    SKEW,
    binned_features,
    calibrated_tag,
    comparator_of,
    has_comparator,
    is_calibrated,
    known_names,
    name_of,
    rows_of,
    select,
    set_threshold,
    statistic_of,
)
from ..common.two_sample.comparison import CLASS_FEATURE, MAX_ROWS, Feature, Rows, thresholds
from ..common.two_sample.false_alarms import p_value_threshold, require_rate

COMPARISONS = (SKEW, DRIFT)
_COMMENT = "Comparators calibrated for windows of "


@dataclass(frozen=True)
class Settings:
    """What is to be calibrated.

    Attributes:
      window_size: How many examples a window will have, 2 or more.
      false_alarm_rate: In (0, 0.5]: the chance that a window from the baseline's own distribution raises any alarm, all
        features, skew and drift together. Skew and drift get half of it each, and skew's thresholds are such that it
        holds given this baseline (`p_value_threshold`).
      permutations: How many times the baseline is split at random.
      seed: Of the splits.
      monitored: Names or patterns of the features to monitor; empty for all that can be.
      unmonitored: Names or patterns of features to leave out of these.

    Raises:
      MonitorError: a value breaks a rule above, or there are too few splits for the rate.

    """

    window_size: int = 1000
    false_alarm_rate: float = 0.01
    permutations: int = 1999
    seed: int = 0
    monitored: tuple[str, ...] = ()
    unmonitored: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _require_int("window_size", self.window_size, 2)
        _require_int("permutations", self.permutations, 1)
        require_rate(self.false_alarm_rate, self.permutations)
        _require_int("seed", self.seed, 0)
        for what, names in (("monitored", self.monitored), ("unmonitored", self.unmonitored)):
            require(all(isinstance(name, str) and name for name in names), what, "be a list of names", names)


@dataclass(frozen=True)
class Calibration:
    """What was calibrated. `thresholds` is by comparison, "skew" and "drift", then by feature.

    Attributes:
      baseline_examples: How many examples the baseline has.
      kept: Features with a comparator written by hand, which stayed: "<feature> (skew)".
      dropped: Features whose comparator was taken out because TFDV would compare nothing, with the reason.
      added: Features of the statistics that the curated schema did not have.

    """

    baseline_examples: int
    thresholds: Mapping[str, Mapping[str, float]]
    kept: tuple[str, ...]
    dropped: tuple[str, ...]
    added: tuple[str, ...]

    @property
    def features(self) -> list[str]:
        """Every calibrated feature."""
        return list(dict.fromkeys(name for found in self.thresholds.values() for name in found))


def calibrate(schema: Any, data: Any, sample: FeatureSample, settings: Settings) -> Calibration:
    """Writes comparators for the features of the baseline into `schema`, a `Schema`, in place.

    Args:
      schema: The curated schema. A comparator that is in it already was written by a person and stays.
      data: The baseline's `DatasetFeatureStatistics`.
      sample: The sample of the same examples.
      settings: What to calibrate for.

    Raises:
      MonitorError: the baseline has too few examples, or nothing that can be monitored is left.

    """
    enough = len(sample.values) >= MIN_BASELINE_EXAMPLES
    require(enough, "the baseline's sample", f"hold at least {MIN_BASELINE_EXAMPLES} examples", len(sample.values))
    described = {name_of(each): each for each in data.features}
    dropped = _drop_idle_comparators(schema, described)
    binned = binned_features(data)
    chosen = _monitored(known_names(binned, sample), settings)
    found, kept = {}, []
    for comparison in COMPARISONS:
        by_hand = _by_hand(schema, comparison)
        kept += [f"{name} ({comparison})" for name in by_hand]
        _forget_calibrated(schema, comparison)
        names = [name for name in chosen if name not in by_hand]
        found[comparison] = _thresholds(binned, sample, names, comparison, settings) if names else {}
    added = _add_missing(schema, described)
    for comparison, limits in found.items():
        _write(schema, comparison, limits)
    _comment(schema, settings)
    return Calibration(sample.population, found, tuple(kept), tuple(dropped), tuple(added))


def drift_rows(rows: Rows, window_size: int) -> tuple[Rows, int]:
    """The reference and the window size for which `thresholds` answers for a window against one of the same size.

    Distances of frequencies of n and m examples are as large by chance as 1/n + 1/m. So two windows of n compare like
    one of w with all N rows of the baseline, 1/w + 1/N = 2/n; from n = N on, the rows stand for n themselves.

    >>> import numpy as np
    >>> rows = Rows(np.zeros((1000, 1), np.float32))
    >>> drift_rows(rows, 500)[1], drift_rows(rows, 2000)[0].size
    (333, 2000)
    """
    count = len(rows.values)
    if window_size >= count:
        return Rows(rows.values, rows.classes, window_size), window_size
    return Rows(rows.values, rows.classes), max(1, round(1 / (2 / window_size - 1 / count)))


def _monitored(known: Sequence[str], settings: Settings) -> list[str]:
    rule = "have a feature with frozen edges and values, as ImageStatisticsGen writes them"
    require(bool(known), "the baseline's statistics", rule, list(known))
    return select(known, settings.monitored, settings.unmonitored)


def _thresholds(
    binned: Mapping[str, Feature], sample: FeatureSample, names: Sequence[str], comparison: str, settings: Settings
) -> dict[str, float]:
    """The threshold of each feature, family-wise over all of them at half of the rate."""
    numeric = [name for name in names if name != CLASS_FEATURE]
    rows = rows_of(sample, numeric, classes=CLASS_FEATURE in names)
    window_size, rate = settings.window_size, settings.false_alarm_rate / 2
    if comparison == DRIFT:
        rows, window_size = drift_rows(rows, window_size)
    else:  # the sizes that SkewDriftValidator will compare
        rate = p_value_threshold(rate, min(window_size, MAX_ROWS), min(len(rows.values), MAX_ROWS))
    limits = thresholds(
        [binned[name] for name in numeric],
        rows,
        window_size=window_size,
        false_alarm_rate=rate,
        permutations=settings.permutations,
        seed=settings.seed,
    )
    found = {name: limits[statistic_of(name), name] for name in names}
    largest = max(found.values())
    require(largest > 0, "the baseline", "vary in a monitored feature", names)
    # What never varies in the baseline has a threshold of 0, and the first odd example would be an alarm.
    return {name: limit if limit > 0 else largest for name, limit in found.items()}


def _by_hand(schema: Any, comparison: str) -> list[str]:
    kept = (each for each in schema.feature if has_comparator(each, comparison))
    return [each.name for each in kept if not is_calibrated(each, comparison)]


def _forget_calibrated(schema: Any, comparison: str) -> None:
    """So that a feature that is no longer monitored does not keep the threshold of an earlier calibration."""
    for feature in schema.feature:
        if is_calibrated(feature, comparison):
            feature.ClearField(f"{comparison}_comparator")
            feature.annotation.tag.remove(calibrated_tag(comparison))


def _drop_idle_comparators(schema: Any, described: Mapping[str, Any]) -> list[str]:
    """Takes out comparators that TFDV accepts and with which it compares nothing: measured 0, whatever the data."""
    dropped = []
    for feature in schema.feature:
        for comparison in COMPARISONS:
            if not has_comparator(feature, comparison) or feature.name not in described:
                continue
            reason = _idle(described[feature.name], comparator_of(feature, comparison))
            if reason:
                feature.ClearField(f"{comparison}_comparator")
                dropped.append(f"{feature.name} ({comparison}): {reason}")
    return dropped


def _idle(described: Any, comparator: Any) -> str:
    """Why TFDV would measure 0 for this feature, or "" where it measures something."""
    kind = described.WhichOneof("stats")
    if kind == "bytes_stats":
        return "the values are bytes, of which statistics hold no frequencies"
    if kind == "num_stats" and comparator.HasField("infinity_norm"):
        return "infinity_norm compares categories, and the values are numbers"
    strings = described.string_stats
    if kind == "string_stats" and strings.common_stats.tot_num_values and not strings.rank_histogram.buckets:
        return "there are too many different values for the statistics to count"
    return ""


def _add_missing(schema: Any, described: Mapping[str, Any]) -> list[str]:
    """Adds the features that the statistics have and the schema lacks, such that data without them is valid too.

    Held-out examples that a model scored have its predictions, training examples do not, and both are held against one
    schema. Environments are the schema's: all of its default ones.
    """
    known = {feature.name for feature in schema.feature}
    added = [name for name in described if name not in known]
    for name in added:
        kind = described[name].Type.Name(described[name].type)
        feature = schema.feature.add(name=name, type="BYTES" if kind == "STRING" else kind)
        if kind == "INT" and described[name].WhichOneof("stats") == "string_stats":
            feature.int_domain.is_categorical = True
        if described[name].custom_stats or name == CLASS_FEATURE:
            feature.MergeFrom(type(feature)(lifecycle_stage="VALIDATION_DERIVED"))
    return added


def _write(schema: Any, comparison: str, limits: Mapping[str, float]) -> None:
    features = {feature.name: feature for feature in schema.feature}
    for name, limit in limits.items():
        set_threshold(features[name], comparison, limit)
        features[name].annotation.tag.append(calibrated_tag(comparison))


def _comment(schema: Any, settings: Settings) -> None:
    """Says in the schema itself what its thresholds are for."""
    others = [text for text in schema.annotation.comment if not text.startswith(_COMMENT)]
    del schema.annotation.comment[:]
    rate = f"{settings.false_alarm_rate:g} false alarms a window"
    drawn = f"{settings.permutations} permutations, seed {settings.seed}"
    words = f"{_COMMENT}{settings.window_size} examples and {rate}; {drawn}"
    schema.annotation.comment.extend([*others, words])


def _require_int(what: str, value: object, least: int) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    require(whole and value >= least, what, f"be a whole number, {least} or more", value)  # type: ignore[operator]


def as_tuple(names: Iterable[str], what: str) -> tuple[str, ...]:
    """`names` as a tuple.

    Raises:
      MonitorError: it is a single string, which would be taken for a list of letters.

    """
    if isinstance(names, str):
        raise MonitorError(f"`{what}` must be a list of names. Received: {names!r}")
    return tuple(names)
