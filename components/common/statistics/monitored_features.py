"""Which features are monitored, and what the two-sample tests need of them: bins from statistics, rows from a sample.

Messages of `tensorflow_metadata` are passed in and looked at, none is made here: this module needs NumPy alone.
"""

import fnmatch
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from ..errors import MonitorError, nearest, require
from ..two_sample.comparison import CLASS_FEATURE, JENSEN_SHANNON, KOLMOGOROV_SMIRNOV, L_INFINITY, Feature, Rows
from .feature_sample import FeatureSample

# The custom statistic that holds every bin of a feature with frozen edges, where STANDARD has buckets of ten bins.
FINE_HISTOGRAM = "frozen_histogram"
SKEW = "skew"  # training against serving
DRIFT = "drift"  # this span against the previous one
CORRUPT = "image_corrupt"  # 1 for an image that cannot be decoded
MIN_BASELINE_EXAMPLES = 100  # fewer say too little about what chance does to the tails of fourteen buckets


# What the tests are called, in full and in a table: those of features, and the joint one.
_TEST_NAMES = {
    JENSEN_SHANNON: ("Jensen-Shannon", "JS"),
    KOLMOGOROV_SMIRNOV: ("Kolmogorov-Smirnov", "KS"),
    L_INFINITY: ("L-infinity", "Linf"),
    "hotelling_t2": ("Hotelling T²", "T2"),
}


def name_of_test(test: str) -> str:
    """What a person calls a test.

    >>> name_of_test("l_infinity"), name_of_test("joint_test")
    ('L-infinity', 'joint test')
    """
    return _TEST_NAMES[test][0] if test in _TEST_NAMES else test.replace("_", " ")


def short_name_of_test(test: str) -> str:
    """The same in a few characters, for a table.

    >>> short_name_of_test("l_infinity"), short_name_of_test("joint_test")
    ('Linf', 'joint test')
    """
    return _TEST_NAMES[test][1] if test in _TEST_NAMES else test.replace("_", " ")


def corrupt_images(data: Any) -> int | None:
    """How many images of a `DatasetFeatureStatistics` cannot be decoded; None where that was not evaluated."""
    described = next((each.num_stats for each in data.features if name_of(each) == CORRUPT), None)
    return None if described is None else round(described.mean * data.num_examples)


def statistic_of(feature: str) -> str:
    """The two-sample test that TFDV's comparators have for a monitored feature."""
    return L_INFINITY if feature == CLASS_FEATURE else JENSEN_SHANNON


def comparator_of(schema_feature: Any, comparison: str) -> Any:
    """The `FeatureComparator` of a `Feature` of a schema for `comparison`, "skew" or "drift"."""
    return schema_feature.skew_comparator if comparison == SKEW else schema_feature.drift_comparator


def has_comparator(schema_feature: Any, comparison: str) -> bool:
    """Whether a `Feature` of a schema has a comparator with a threshold for `comparison`."""
    return bool(comparator_of(schema_feature, comparison).ListFields())


def set_threshold(schema_feature: Any, comparison: str, threshold: float) -> None:
    """Replaces the comparator by the one that TFDV has for this monitored feature, with this threshold."""
    comparator = comparator_of(schema_feature, comparison)
    comparator.Clear()
    if statistic_of(schema_feature.name) == L_INFINITY:
        comparator.infinity_norm.threshold = threshold
    else:
        comparator.jensen_shannon_divergence.threshold = threshold


def calibrated_tag(comparison: str) -> str:
    """The tag in a feature's annotation that tells a computed comparator from one that a person wrote."""
    return f"calibrated_{comparison}_comparator"


def is_calibrated(schema_feature: Any, comparison: str) -> bool:
    """Whether the comparator of a `Feature` of a schema was computed, and may be computed again."""
    return calibrated_tag(comparison) in schema_feature.annotation.tag


def calibrated_names(schema: Any, comparison: str) -> list[str]:
    """The features of a `Schema` with a computed comparator, in the schema's order."""
    return [feature.name for feature in schema.feature if is_calibrated(feature, comparison)]


def name_of(described: Any) -> str:
    """The name of a `FeatureNameStatistics`."""
    return ".".join(described.path.step) or str(described.name)


def binned_features(data: Any) -> dict[str, Feature]:
    """The numeric features of a `DatasetFeatureStatistics` whose edges are frozen, by name.

    A feature without a single value has no histogram, and so does not appear.

    Raises:
      MonitorError: a feature's coarse histogram is not made of its bins.

    """
    features = {}
    for described in data.features:
        fine = next((each.histogram for each in described.custom_stats if each.name == FINE_HISTOGRAM), None)
        if fine is not None and fine.buckets:
            features[name_of(described)] = _binned(name_of(described), fine, standard_histogram(described))
    return features


def standard_histogram(described: Any) -> Any:
    """The histogram of a numeric `FeatureNameStatistics` that TFDV's Jensen-Shannon comparator reads."""
    for histogram in described.num_stats.histograms:
        if histogram.type == histogram.STANDARD:
            return histogram
    raise MonitorError(f"The statistics of {name_of(described)} must have a STANDARD histogram. Received: none")


def capped(sample: FeatureSample, rows: int) -> FeatureSample:
    """The sample, or as many of its rows: the first, which are as good as drawn, since a sample is ordered by hash."""
    if len(sample.values) <= rows:
        return sample
    return sample.take(range(rows), sample.population)


def rows_of(sample: FeatureSample, numeric: Sequence[str], *, classes: bool) -> Rows:
    """The rows of a sample: the columns of `numeric`, in that order, and if `classes` the predicted classes."""
    columns = [sample.names.index(name) for name in numeric]
    return Rows(sample.values[:, columns], sample.classes if classes else None, sample.population)


def known_names(binned: Collection[str], sample: FeatureSample) -> list[str]:
    """The features that statistics and sample of the same examples have both, so that they can be monitored.

    Args:
      binned: the names of `binned_features`.
      sample: of the same examples.

    """
    numeric = [name for name in sample.names if name in binned and _has_values(sample, name)]
    classes = sample.classes is not None and bool(np.any(sample.classes >= 0))
    return [*numeric, CLASS_FEATURE] if classes else numeric


def select(known: Sequence[str], monitored: Iterable[str], unmonitored: Iterable[str]) -> list[str]:
    """Those of `known` that match one of `monitored` (all, where it is empty) and none of `unmonitored`.

    >>> select(["image_noise", "image_warmth", "prediction_class"], ["image_*"], ["*_warmth"])
    ['image_noise']

    Raises:
      MonitorError: a name or pattern matches nothing, or nothing is left.

    """
    wanted, unwanted = list(monitored), list(unmonitored)
    for what, patterns in (("monitored", wanted), ("unmonitored", unwanted)):
        for pattern in patterns:
            _require_match(pattern, known, what)
    chosen = [name for name in known if _matches(name, wanted or ["*"]) and not _matches(name, unwanted)]
    require(bool(chosen), "unmonitored", f"leave a feature of {', '.join(known)}", unwanted)
    return chosen


def _binned(name: str, fine: Any, coarse: Any) -> Feature:
    edges = _edges(fine)
    per_bucket, rest = divmod(len(fine.buckets), max(1, len(coarse.buckets)))
    aligned = not rest and per_bucket > 0 and edges[::per_bucket] == _edges(coarse)
    require(aligned, f"the statistics of {name}", "have a STANDARD histogram made of whole bins", _edges(coarse))
    return Feature(name, edges, per_bucket)


def _edges(histogram: Any) -> tuple[float, ...]:
    lows = [bucket.low_value for bucket in histogram.buckets]
    highs = [bucket.high_value for bucket in histogram.buckets]
    require(
        highs[:-1] == lows[1:], "a histogram with frozen edges", "have no gaps", list(zip(lows, highs, strict=True))[:3]
    )
    return (*lows, highs[-1]) if lows else ()


def _has_values(sample: FeatureSample, name: str) -> bool:
    return bool(np.any(np.isfinite(sample.values[:, sample.names.index(name)])))


def _require_match(pattern: str, known: Sequence[str], what: str) -> None:
    if not fnmatch.filter(known, pattern):
        rule = f"match a feature that can be monitored: {', '.join(known)}"
        raise MonitorError(f"`{what}` must {rule}. Received: {pattern!r}{nearest(pattern, known)}")


def _matches(name: str, patterns: Collection[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
