"""What a schema says where nobody has written one: TFDV's guess from the baseline, with bounds for the images.

Messages of `tensorflow_metadata` are passed in, looked at and changed, none is made here.

The bounds of an image's property lie beyond its smallest and largest value in the baseline by a wide margin: twice as
much as these are apart, at least a tenth of the range that the property can have, and never beyond that range. A single
image outside makes a window invalid, and the next thousand images of the same kind reach further than a few hundred
have; so only what cannot be of that kind is outside, and what most images do is for the comparators to tell. A property
that never varied says nothing of how far it may go, and has the bounds of what is possible. Predictions have none:
there is no wrong probability.
"""

import math
from collections.abc import Mapping
from typing import Any

from ..common.canonical_rows import LOGGED
from ..common.model_spec import LABEL
from ..common.statistics.monitored_features import binned_features, name_of
from ..common.statistics.usability import IMAGE_CORRUPT, PREDICTION_CORRUPT

TRAINING, SERVING = "TRAINING", "SERVING"
_IMAGE_PREFIX = "image_"
_SPREADS = 2  # how far beyond what was seen, in units of how far that reaches
_LEAST_MARGIN = 0.1  # of the possible range
_DIGITS = 4  # of a bound, rounded outwards


def complete(schema: Any, data: Any) -> None:
    """Completes a `Schema` that TFDV inferred from the baseline, in place.

    - Properties of images get bounds, `image_corrupt` and `prediction_corrupt` the largest value of the baseline.
    - Strings lose their domains: a class, a name or an id that a baseline has not shown is not wrong.
    - There are the environments TRAINING and SERVING; the label is not in SERVING, and what only logs say, such as
      the request's id, is in SERVING alone.

    Args:
      schema: what `tfdv.infer_schema` gives.
      data: the baseline's `DatasetFeatureStatistics`.

    """
    described = {name_of(each): each for each in data.features}
    ranges = {name: feature.bin_edges for name, feature in binned_features(data).items()}
    schema.default_environment.extend([TRAINING, SERVING])
    for feature in schema.feature:
        for domain in ("domain", "string_domain"):
            feature.ClearField(domain)
        if feature.name == LABEL:
            feature.not_in_environment.append(SERVING)
        if feature.name in described:
            _bound(feature, described[feature.name], ranges)
    del schema.string_domain[:]
    known = {feature.name for feature in schema.feature}
    for name, kind in LOGGED.items():
        if name not in known:
            schema.feature.add(name=name, type=kind, in_environment=[SERVING])


def bounds(low: float, high: float, first: float, last: float) -> tuple[float, float]:
    """The bounds of a property with values `low` to `high` that can have `first` to `last`, as the module says.

    >>> bounds(0.2, 0.8, 0, 1)
    (0.0, 1.0)
    >>> bounds(0.4, 0.5, 0, 1)
    (0.2, 0.7)
    """
    if low == high:
        return float(first), float(last)
    margin = max(_SPREADS * (high - low), _LEAST_MARGIN * (last - first))
    below, above = max(low - margin, first), min(high + margin, last)
    scale = 10**_DIGITS
    return math.floor(round(below * scale, 6)) / scale, math.ceil(round(above * scale, 6)) / scale


def _bound(feature: Any, described: Any, ranges: Mapping[str, tuple[float, ...]]) -> None:
    numbers = described.num_stats
    if feature.name in (IMAGE_CORRUPT, PREDICTION_CORRUPT):
        feature.int_domain.min, feature.int_domain.max = 0, int(numbers.max)
    elif feature.name.startswith(_IMAGE_PREFIX) and feature.name in ranges:
        edges = ranges[feature.name]
        low, high = bounds(numbers.min, numbers.max, edges[0], edges[-1])
        feature.float_domain.min, feature.float_domain.max = low, high
    else:
        return
    feature.MergeFrom(type(feature)(lifecycle_stage="VALIDATION_DERIVED"))
