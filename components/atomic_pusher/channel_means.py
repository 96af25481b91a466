"""The mean red, green and blue of a baseline's images, from their statistics.

Messages of `tensorflow_metadata` are passed in and looked at, none is made here.
"""

from collections.abc import Iterable
from typing import Any

from ..common.model_spec import ModelSpec
from ..common.statistics.monitored_features import name_of

_FEATURES = ("image_red_mean", "image_green_mean", "image_blue_mean")  # 0..1, of each image
_DIGITS = 2


def lacks_channel_means(spec: ModelSpec) -> bool:
    """Whether a spec of colour images does not say their channel means."""
    return spec.image.channels > 1 and spec.image.channel_means is None


def with_channel_means(spec: ModelSpec, datasets: Iterable[Any]) -> ModelSpec:
    """The spec of a model of colour images with their mean red, green and blue, 0 to 255, as far as they are known.

    Args:
      spec: the model's.
      datasets: `DatasetFeatureStatistics` of the baseline's splits, as ImageStatisticsGen writes them.

    """
    totals, images = [0.0] * len(_FEATURES), 0
    for data in datasets:
        described = {name_of(each): each.num_stats for each in data.features if name_of(each) in _FEATURES}
        if len(described) < len(_FEATURES):
            continue
        counted = described[_FEATURES[0]].common_stats.num_non_missing
        totals = [total + described[name].mean * counted for total, name in zip(totals, _FEATURES, strict=True)]
        images += counted
    if not images:
        return spec
    record = spec.to_record()
    record["image"]["channel_means"] = [round(255 * total / images, _DIGITS) for total in totals]
    return ModelSpec.from_record(record)
