"""What of a data set cannot be used, told from its statistics; messages are made here, as the module makes none."""

import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.common.errors import MonitorError
from components.common.statistics.usability import Reasons, Unusable, require_usable, unusable


def described(examples, **corrupt):
    """Statistics of so many examples, of which `image` and `prediction` say how many are corrupt."""
    data = statistics_pb2.DatasetFeatureStatistics(num_examples=examples)
    for name, (count, *custom) in corrupt.items():
        feature = data.features.add(type="INT")
        feature.path.step.append(f"{name}_corrupt")
        feature.num_stats.common_stats.num_non_missing = examples
        feature.num_stats.num_zeros = examples - count
        for key, value in custom:
            feature.custom_stats.add(name=key, **{"str" if isinstance(value, str) else "num": value})
    return data


def test_a_few_are_no_reason():
    data = described(1000, image=(10, ("reasons", "10 missing")), prediction=(10, ("reasons", "10 without scores")))
    require_usable(data, "the baseline")
    assert list(unusable(data)) == [
        Unusable("images", 10, 1000, "10 missing"),
        Unusable("predictions", 10, 1000, "10 without scores"),
    ]


@pytest.mark.parametrize(
    ("data", "received"),
    [
        (described(1000, image=(11, ("reasons", "11 missing"))), "11 of 1,000 images cannot be used: 11 missing"),
        (
            described(1000, prediction=(600, ("reasons", "600 that are no probabilities"), ("wrong_kind", "say x"))),
            "1,000 of 1,000 predictions cannot be used: 600 that are no probabilities; say x",
        ),
        (
            described(1000, prediction=(0, ("wrong_kind", "these are probabilities already"))),
            "1,000 of 1,000 predictions cannot be used: these are probabilities already",
        ),
        (
            described(1000, prediction=(0, ("unknown_labels", 100.0), ("unknown_label", "100 no class, such as 10"))),
            "100 of 1,000 labels cannot be used: 100 no class, such as 10",
        ),
    ],
)
def test_more_than_one_in_a_hundred_is_refused_with_the_reason(data, received):
    with pytest.raises(MonitorError) as error:
        require_usable(data, "the baseline")
    rule = "the baseline must hold images, predictions and labels that can be used, all but 1 %. Received: "
    assert str(error.value) == rule + received


def test_statistics_that_say_nothing_of_it_are_taken():
    require_usable(described(0), "the baseline")
    assert list(unusable(described(5, label=(5,)))) == []


def test_reasons_add_up_in_any_order():
    parts = []
    for found, count in (("30 x 20", 2), ("20 x 30", 1), ("9 x 9", 4)):
        part = Reasons()
        part.add("of another size", found, count)
        part.add("missing", "")
        parts.append(part)
    forward, backward = Reasons(), Reasons()
    for part in parts:
        forward.merge(part)
    for part in reversed(parts):
        backward.merge(part)
    assert forward.words == backward.words == "7 of another size, such as 20 x 30; 3 missing"
    assert (forward.total, parts[0].total) == (10, 3)
