"""Labels as people write them, and labels that are counted otherwise than the model's classes."""

import random
import unicodedata

import numpy as np
import pytest

from components.common.class_names import Labels
from components.common.statistics.feature_sample import FeatureSample
from components.common.verdict import Outcome
from components.performance_estimator.measurement import measure

pytestmark = pytest.mark.long

LETTERS = "abcdefghijklmnopqrstuvwxyzäéßñ猫犬ÅΣ"
WRITTEN_NUMBERS = (
    lambda number: number,
    float,
    str,
    lambda number: f" {number}",
    lambda number: f"{number}.0",
    lambda number: f"{number:+d}".encode(),
    np.int64,
    np.float32,
)
WRITTEN_NAMES = (
    lambda name: name,
    lambda name: name.upper() if name.upper().casefold() == name.casefold() else name,
    lambda name: name.title() if name.title().casefold() == name.casefold() else name,
    lambda name: f"{name} \t",
    lambda name: name.encode(),
    lambda name: unicodedata.normalize("NFD", name),
)


def names_of(rng: random.Random, count: int) -> list[str]:
    """Different names, whatever their case."""
    names: dict[str, str] = {}
    while len(names) < count:
        name = "".join(rng.choices(LETTERS, k=rng.randint(1, 8)))
        names.setdefault(unicodedata.normalize("NFC", name).casefold(), unicodedata.normalize("NFC", name))
    return list(names.values())


def test_a_label_is_never_read_as_another_class(tries, report):
    rng, tried, held = random.Random(0), 0, 0  # noqa: S311 - no secret
    for _ in range(tries(200, 20_000)):
        names, first = names_of(rng, rng.randint(2, 30)), rng.choice([-1, 0, 1])
        labels = Labels(names, first)
        number = rng.randrange(len(names))
        for write in WRITTEN_NUMBERS:
            tried, held = tried + 1, held + (labels.number(write(number + first)) == number)
        for write in WRITTEN_NAMES:
            tried, held = tried + 1, held + (labels.number(write(names[number])) == number)
        for beyond in (first - 1, len(names) + first, 0.5, "", "no such class", b"\xff", None):
            tried, held = tried + 1, held + (labels.number(beyond) is None)
    report("labels as people write them", tried, held)


def sample(rng: np.random.Generator, classes: int, right: float, shift: int) -> FeatureSample:
    """1,000 examples of a model that is right so often, with labels that are counted from another number."""
    truth = rng.integers(0, classes, 1_000)
    best = np.where(rng.random(1_000) < right, truth, rng.integers(0, classes, 1_000))
    scores = np.full((1_000, classes), 0.2 / (classes - 1))
    scores[np.arange(1_000), best] = 0.8
    shifted = truth + shift
    known = (shifted >= 0) & (shifted < classes)
    return FeatureSample(
        names=(),
        values=np.zeros((1_000, 0), np.float32),
        population=1_000,
        ids=("",) * 1_000,
        classes=best,
        probabilities=scores.astype(np.float32),
        labels=np.where(known, shifted, -1),
    )


def test_no_window_is_fine_by_labels_that_are_counted_otherwise(tries, report):
    rng, held = np.random.default_rng(0), 0
    total = tries(60, 3_000)
    for _ in range(total):
        classes, right, shift = int(rng.integers(2, 101)), rng.uniform(0.4, 1), int(rng.choice([-1, 1]))
        found = measure(
            sample(rng, classes, right, shift),
            sample(rng, classes, right, 0),
            None,
            estimator="atc_confidence",
            max_accuracy_drop=0.05,
        )
        held += found.check.outcome is Outcome.UNDECIDED
    report("baselines with labels that are counted otherwise", total, held)
