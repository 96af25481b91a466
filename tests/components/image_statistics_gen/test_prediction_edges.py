import hashlib
import math

import numpy as np
import pytest

from components.image_statistics_gen.prediction_edges import ANCHORS, edges_of, prediction_features, probability_of


def test_edges_never_change_unnoticed():
    """Statistics made with other edges cannot be compared with baselines published before."""
    text = "\n".join(f"{kind} {' '.join(f'{edge:.9g}' for edge in edges_of(kind))}" for kind in sorted(ANCHORS))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "7a6e575e3d1df95e"


@pytest.mark.parametrize(("kind", "buckets"), [("confidence", 4), ("margin", 4), ("probability", 1)])
def test_edges_of_probabilities_cover_everything_from_0_to_1(kind, buckets):
    edges = np.array(edges_of(kind))
    assert (edges[0], edges[-1]) == (0, 1)
    # the largest float32 below 1, the confidence of an overconfident net, is told from 0.999
    largest = np.nextafter(np.float32(1), np.float32(0))
    assert np.searchsorted(edges, largest) - np.searchsorted(edges, 0.999) > buckets * 10


def test_edges_of_entropy_reach_that_of_65536_classes_and_close_to_zero():
    edges = edges_of("entropy")
    assert (edges[0], edges[-1]) == (0, 16)
    assert 0 < edges[10] < 1e-6


def test_edges_of_embeddings_are_fine_where_most_values_are_and_reach_far():
    edges = np.array(edges_of("embedding"))
    assert (edges[0], edges[-1]) == (-64, 64)
    np.testing.assert_allclose(edges, -edges[::-1])
    inside = edges[(edges >= -2.5) & (edges <= 2.5)]
    assert np.diff(inside).max() < 0.051


@pytest.mark.parametrize("kind", list(ANCHORS))
def test_there_are_few_buckets_of_ten_bins_and_each_bucket_has_the_anchors_edges(kind):
    scale, anchors = ANCHORS[kind]
    edges = edges_of(kind)
    assert len(anchors) - 1 <= 17
    assert edges[::10] == tuple(scale(anchor) for anchor in anchors)


def test_features_of_a_model():
    features = prediction_features(10, 16)
    assert len(features) == 3 + 10 + 16
    assert features["probability_09"].name == "prediction_probability_09"
    assert features["probability_00"].edges == features["probability_09"].edges == edges_of("probability")
    assert features["embedding_15"].edges == edges_of("embedding")
    assert all(feature.bins_per_bucket == 10 and not feature.integer for feature in features.values())
    assert list(prediction_features(0, 0)) == ["confidence", "entropy", "margin"]


def test_probability_of_log_odds():
    assert probability_of(-20) == pytest.approx(2.0**-20, rel=1e-5)
    assert 1 - probability_of(20) == pytest.approx(2.0**-20, rel=1e-5)
    assert probability_of(-5000) == pytest.approx(0)
    assert [probability_of(bits) for bits in (-math.inf, 0, math.inf)] == [0, 0.5, 1]
