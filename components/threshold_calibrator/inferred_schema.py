"""What a schema says where nobody has written one: TFDV's guess from the baseline, with bounds for the images.

Messages of `tensorflow_metadata` are passed in, looked at and changed, none is made here.

The bounds of an image's property lie beyond its smallest and largest value in the baseline by a margin: as much as
these are apart, at least a twentieth of the range that the property can have, and at most nineteen twentieths of what
is left to the end of that range. So an image that is all black, all white or constant is outside unless the baseline
has such, and hardly any other is: a few hundred examples do not show the darkest that there is. Predictions have no
bounds: there is no wrong probability, and whether they have changed is what the comparators are for.
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
_LEAST_MARGIN = 0.05  # of the possible range
_MOST_OF_REST = 0.95  # of what is left to the end of it
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
    (0.01, 0.99)
    >>> bounds(0, 0, 0, 1)
    (0.0, 0.05)
    """
    margin = max(high - low, _LEAST_MARGIN * (last - first))
    below = low - min(margin, _MOST_OF_REST * (low - first))
    above = high + min(margin, _MOST_OF_REST * (last - high))
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
