"""Samples of a model whose accuracy is known."""

import numpy as np
import pytest

from components.common.statistics.feature_sample import FeatureSample

CLASSES = 4


def make_sample(count, *, right=0.9, seed=0, labels=True, probabilities=True, confidence=(0.95, 0.6)):
    """`count` examples of which the share `right` is right: those of high confidence, the others are wrong and low."""
    rng = np.random.default_rng(seed)
    predicted = np.arange(count) % CLASSES
    good = np.arange(count) < round(right * count)
    scores = np.where(good, confidence[0], confidence[1]) - 0.05 * rng.random(count)
    rest = ((1 - scores) / (CLASSES - 1))[:, np.newaxis]
    rows = np.where(np.arange(CLASSES) == predicted[:, np.newaxis], scores[:, np.newaxis], rest).astype(np.float32)
    truth = np.where(good, predicted, (predicted + 1) % CLASSES)
    return FeatureSample(
        names=("prediction_confidence",),
        values=scores.astype(np.float32)[:, np.newaxis],
        population=count,
        ids=tuple(f"request-{number}/0" for number in range(count)),
        classes=predicted if probabilities else None,
        probabilities=rows if probabilities else None,
        labels=truth if labels else None,
    )


@pytest.fixture(scope="session")
def sample():
    return make_sample
