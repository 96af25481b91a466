"""Accuracy without labels, from the probabilities alone.

Every estimator sees labelled held-out examples of the training distribution and the probabilities of an unlabelled
window, and says which proportion of the window the model has right. All rest on the window's confidence telling
something about its errors, as it did on the held-out examples; where a shift breaks that, they are biased, and no
interval below knows it. docs/performance_estimation.md has the measured errors, and why `DEFAULT_ESTIMATOR` is the one
it is.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common.class_scores import are_probabilities, why_none
from ..common.errors import require, require_known
from ..common.proportion import Proportion, score_interval
from ..common.recent import Recent
from . import optimal_transport as transport
from .image_change import unexplained_move
from .temperature import fit_temperature, logits, softmax

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
# The estimated accuracies [r] when these rows of the held-out examples [r, m], and these of the window [r, n], are what
# was seen.
Resampled = Callable[[Rows, Rows], Floats]
# From the held-out probabilities [m, K] and labels [m], the window's probabilities [n, K], and how far its images have
# moved beyond what its classes explain; None where that is not known.
Prepare = Callable[[Floats, Rows, Floats, float | None], Resampled]

LEVEL = 0.95  # of every interval here
_FEWEST_OF_A_CLASS = 50  # held-out examples of a predicted class, below which it has no threshold of its own
_MOVE_SCALE = 0.5  # by benchmarks/accuracy_estimators.py; anything between 0.1 and 1.5 is as good to a tenth of a point
_AT_ONCE = 50  # draws that are valued together
_TRUST_POWER = 4  # where images are not known; 3 and 6 are as good to a point


@dataclass(frozen=True)
class HeldOut:
    """Labelled examples that the model was not trained on, scored by it.

    Attributes:
      probabilities: [m, K], m >= 1, K >= 2, each row summing to 1.
      labels: [m], each in 0 .. K - 1.
      features: [m, p], what the images look like, NaN where missing; None where that is not known.

    Raises:
      MonitorError: if a shape or a value is another.

    """

    probabilities: NDArray[np.floating[Any]]
    labels: NDArray[np.integer[Any]]
    features: NDArray[np.floating[Any]] | None = None

    def __post_init__(self) -> None:
        check_probabilities("held_out.probabilities", self.probabilities)
        count, classes = self.probabilities.shape
        shape = np.shape(self.labels)
        require(shape == (count,), "held_out.labels", f"have the shape ({count},)", shape)
        known = bool(
            np.issubdtype(self.labels.dtype, np.integer) and np.all((self.labels >= 0) & (self.labels < classes))
        )
        require(known, "held_out.labels", f"be integers in 0 .. {classes - 1}", np.unique(self.labels)[:20].tolist())
        if self.features is not None:
            _check_features("held_out.features", self.features, count)


def check_probabilities(what: str, probabilities: NDArray[np.floating[Any]]) -> None:
    """Raises `MonitorError` unless `probabilities` is [n >= 1, K >= 2] and every row is a distribution."""
    shape = np.shape(probabilities)
    require(len(shape) == 2 and shape[0] >= 1 and shape[1] >= 2, what, "have the shape [n >= 1, K >= 2]", shape)
    for row in np.flatnonzero(~are_probabilities(probabilities))[:1]:
        rule = f"be probabilities, each row summing to 1; row {row} is not: {why_none(probabilities[row])}"
        require(False, what, rule, np.asarray(probabilities)[row].tolist())


def estimate(  # noqa: PLR0913 - both samples, and two settings
    name: str,
    held_out: HeldOut,
    probabilities: NDArray[np.floating[Any]],
    *,
    features: NDArray[np.floating[Any]] | None = None,
    seed: int = 0,
    resamples: int = 200,
) -> Proportion:
    """The accuracy that the estimator `name` expects on the examples with these probabilities.

    The interval holds the middle 95 % of the estimates from `resamples` bootstrap draws of both samples, so it covers
    what chance in drawing them does, not the bias that a shift gives the estimator. It is never narrower than that of
    a proportion of so many examples: where all draws agree, on 0 say, the bootstrap alone would claim to know it
    exactly.

    Args:
      name: one of `ESTIMATORS`.
      held_out: m labelled examples.
      probabilities: of the window, [n, K], each row summing to 1.
      features: of the window, [n, p], the same as the held-out examples'; None where they are not known of both.
      seed: of the bootstrap.
      resamples: number of draws, at least 20.

    Raises:
      MonitorError: for an unknown name, or probabilities that do not fit.

    """
    require_known(name, ESTIMATORS, "name")
    require(resamples >= 20, "resamples", "be at least 20", resamples)
    check_probabilities("probabilities", probabilities)
    classes = held_out.probabilities.shape[1]
    require(probabilities.shape[1] == classes, "probabilities", f"have {classes} columns", probabilities.shape)
    known, window = _normalised(held_out.probabilities), _normalised(probabilities)
    moved = _moved(held_out, probabilities, features)
    resampled = ESTIMATORS[name](known, np.asarray(held_out.labels, np.int64), window, moved)
    low, high = np.quantile(
        np.clip(_bootstrap(resampled, len(known), len(window), seed, resamples), 0, 1),
        [(1 - LEVEL) / 2, (1 + LEVEL) / 2],
    )
    accuracy = float(np.clip(resampled(np.arange(len(known))[None], np.arange(len(window))[None])[0], 0, 1))
    least = score_interval(accuracy, len(window))
    return Proportion(accuracy, min(float(low), least[0]), max(float(high), least[1]), len(window))


def _bootstrap(resampled: Resampled, known: int, window: int, seed: int, resamples: int) -> Floats:
    """The estimates of `resamples` draws with replacement from so many held-out examples and so many of the window."""
    rng = np.random.default_rng(seed)
    found = []
    for begun in range(0, resamples, _AT_ONCE):
        drawn = [
            (rng.integers(known, size=known), rng.integers(window, size=window))
            for _ in range(min(_AT_ONCE, resamples - begun))
        ]
        found.append(resampled(np.array([each for each, _ in drawn]), np.array([each for _, each in drawn])))
    return np.concatenate(found)


def _moved(
    held_out: HeldOut, probabilities: NDArray[np.floating[Any]], features: NDArray[np.floating[Any]] | None
) -> float | None:
    if features is None or held_out.features is None:
        return None
    _check_features("features", features, len(probabilities))
    width = held_out.features.shape[1]
    require(features.shape[1] == width, "features", f"have {width} columns, as the held-out ones", features.shape)
    known, window = (np.asarray(each, np.float64) for each in (held_out.features, features))
    return unexplained_move(known, held_out.probabilities.argmax(axis=1), window, probabilities.argmax(axis=1))


def _check_features(what: str, features: NDArray[np.floating[Any]], rows: int) -> None:
    fits = features.ndim == 2 and len(features) == rows and features.shape[1] > 0
    require(fits, what, f"have the shape ({rows}, p), p >= 1", features.shape)


def _normalised(probabilities: NDArray[np.floating[Any]]) -> Floats:
    values = np.asarray(probabilities, np.float64)
    return np.asarray(values / values.sum(axis=1, keepdims=True))


def negative_entropy(probabilities: Floats) -> Floats:
    """Sum of p ln p of each row, [n], in nats; 0 is certain."""
    return np.asarray((probabilities * np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))).sum(axis=1))


def max_confidence(probabilities: Floats) -> Floats:
    return np.asarray(probabilities.max(axis=1))


def share_above(reference: Floats, accuracy: float, scores: Floats) -> float:
    """The proportion of `scores` above the threshold that the proportion `accuracy` of `reference` lies above.

    Scores equal to the threshold count by the part that makes the reference's proportion exact, so ties (a model that
    says 1.0 to many examples) do no harm. Both samples have at least one score.
    """
    ordered = np.sort(reference)[::-1]
    wanted = accuracy * len(ordered)
    if wanted <= 0:
        return 0.0
    threshold = ordered[min(int(np.ceil(wanted - 1e-9)), len(ordered)) - 1]
    part = (wanted - np.count_nonzero(reference > threshold)) / np.count_nonzero(reference == threshold)
    return float((np.count_nonzero(scores > threshold) + part * np.count_nonzero(scores == threshold)) / len(scores))


def _shares_above(reference: Floats, right: Floats, scores: Floats) -> Resampled:
    """`share_above` of each draw, for the proportion of `right` that its held-out rows have.

    The reference is sorted once: a draw is how often it has each of its values.
    """
    values, places = np.unique(-reference, return_inverse=True)  # the largest first

    def resampled(held: Rows, drawn: Rows) -> Floats:
        draws, size = held.shape
        rows = np.arange(draws)
        of_draw = places[held] + rows[:, None] * len(values)
        counts = np.bincount(of_draw.ravel(), minlength=draws * len(values)).reshape(draws, -1)
        upto = counts.cumsum(axis=1)
        wanted = right[held].mean(axis=1) * size
        found = (upto < np.minimum(np.ceil(wanted - 1e-9), size)[:, None]).sum(axis=1)
        part = (wanted - upto[rows, found] + counts[rows, found]) / np.maximum(counts[rows, found], 1)
        above, equal = (_count(compare, scores[drawn], -values[found]) for compare in (np.greater, np.equal))
        return np.where(wanted > 0, (above + part * equal) / drawn.shape[1], 0.0)

    return resampled


def _count(compare: np.ufunc, scores: Floats, thresholds: Floats) -> Rows:
    return np.asarray(compare(scores, thresholds[:, None]).sum(axis=1))


def _each(resampled: Callable[[Rows, Rows], float]) -> Resampled:
    """One draw after the other."""
    return lambda held, drawn: np.array([resampled(*rows) for rows in zip(held, drawn, strict=True)])


def _average_confidence(known: Floats, labels: Rows, window: Floats, moved: float | None) -> Resampled:
    confidence = max_confidence(window)
    return lambda _, drawn: np.asarray(confidence[drawn].mean(axis=1))


def _scaled_confidence(known: Floats, labels: Rows, window: Floats, moved: float | None) -> Resampled:
    known_logits, window_logits = logits(known), logits(window)

    def resampled(held: Rows, drawn: Rows) -> float:
        temperature = fit_temperature(known_logits[held], labels[held])
        return float(max_confidence(softmax(window_logits[drawn] / temperature)).mean())

    return _each(resampled)


def _difference_of_confidences(known: Floats, labels: Rows, window: Floats, moved: float | None) -> Resampled:
    """Guillory et al., "Predicting with Confidence on Unseen Distributions", ICCV 2021, with a slope of 1."""
    excess = max_confidence(known) - _right(known, labels)
    confidence = max_confidence(window)
    return lambda held, drawn: np.asarray(confidence[drawn].mean(axis=1) - excess[held].mean(axis=1))


def _thresholded(score: Callable[[Floats], Floats]) -> Prepare:
    """Average thresholded confidence: Garg et al., "Leveraging Unlabeled Data to Predict ...", ICLR 2022."""

    def prepare(known: Floats, labels: Rows, window: Floats, moved: float | None) -> Resampled:
        return _shares_above(score(known), _right(known, labels), score(window))

    return prepare


def _thresholded_by_class(known: Floats, labels: Rows, window: Floats, moved: float | None) -> Resampled:
    """The same with a threshold for each predicted class that has enough held-out examples."""
    right, reference, scores = _right(known, labels), negative_entropy(known), negative_entropy(window)
    known_class, window_class = known.argmax(axis=1), window.argmax(axis=1)

    def resampled(held: Rows, drawn: Rows) -> float:
        total = 0.0
        for each in np.unique(window_class[drawn]):
            rows = held[known_class[held] == each]
            rows = rows if len(rows) >= _FEWEST_OF_A_CLASS else held
            of_class = drawn[window_class[drawn] == each]
            total += len(of_class) * share_above(reference[rows], right[rows].mean(), scores[of_class])
        return total / len(drawn)

    return _each(resampled)


def _scaled(estimator: Prepare) -> Prepare:
    """The estimator on temperature-scaled probabilities; the draws share one temperature."""

    def prepare(known: Floats, labels: Rows, window: Floats, moved: float | None) -> Resampled:
        temperature = _temperatures.get(_digest(known, labels), lambda: fit_temperature(logits(known), labels))
        return estimator(softmax(logits(known) / temperature), labels, softmax(logits(window) / temperature), moved)

    return prepare


def _transport(known: Floats, labels: Rows, window: Floats, moved: float | None) -> Resampled:
    """COT. Draws are valued at the prices of the whole sample, which is right to first order (Danskin's theorem)."""
    classes = known.shape[1]
    prices = transport.class_prices(window, _proportions(labels, classes))
    terms = transport.dual_terms(window, prices)

    def resampled(held: Rows, drawn: Rows) -> float:
        return transport.dual_value(terms[drawn], _proportions(labels[held], classes), prices)

    return _each(resampled)


def _thresholded_transport(known: Floats, labels: Rows, window: Floats, moved: float | None) -> Resampled:
    """COTT: the probability that each example keeps in the transport, thresholded as ATC does."""
    proportions = _proportions(labels, known.shape[1])
    prices = _prices.get(_digest(known, proportions), lambda: transport.class_prices(known, proportions))
    reference = transport.kept_probability(known, prices)
    scores = transport.kept_probability(window, transport.class_prices(window, proportions))
    return _shares_above(reference, _right(known, labels), scores)


def _thresholded_with_transport(known: Floats, labels: Rows, window: Floats, moved: float | None) -> Resampled:
    """Between ATC and COTT: the more the images themselves have changed, the less the classes they get are believed.

    COTT takes the classes to be as frequent as they were, so it sees a model that answers one class to everything, and
    is wrong where other classes are really served. Then, however, images of each class look as they did, and ATC is
    right. So ATC's estimate has the weight exp(-move / `_MOVE_SCALE`), the move being what the classes do not explain,
    and COTT's the rest. Where images are not known, lost confidence takes their place: (ATC's estimate / held-out
    accuracy) to the power of `_TRUST_POWER`, which a model that is wrong and sure of it deceives.
    """
    right = _right(known, labels)
    thresholded = _thresholded(max_confidence)(known, labels, window, moved)
    transported = _scaled(_thresholded_transport)(known, labels, window, moved)

    def resampled(held: Rows, drawn: Rows) -> Floats:
        by_threshold = thresholded(held, drawn)
        if moved is not None:
            trust: float | Floats = float(np.exp(-moved / _MOVE_SCALE))
        else:
            accuracy = right[held].mean(axis=1)
            trust = np.minimum(by_threshold / np.where(accuracy > 0, accuracy, np.inf), 1.0) ** _TRUST_POWER
        return np.asarray(trust * by_threshold + (1 - trust) * transported(held, drawn))

    return resampled


# What depends on the held-out examples alone, by their content: they stay the same from window to window.
_temperatures: Recent[float] = Recent(4)
_prices: Recent[Floats] = Recent(4)


def _digest(*arrays: NDArray[Any]) -> tuple[Any, ...]:
    digest = hashlib.blake2b()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return (digest.digest(), *((array.shape, array.dtype.str) for array in arrays))


def _proportions(labels: Rows, classes: int) -> Floats:
    return np.bincount(labels, minlength=classes) / len(labels)


def _right(probabilities: Floats, labels: Rows) -> Floats:
    return np.asarray(probabilities.argmax(axis=1) == labels, np.float64)


ESTIMATORS: Mapping[str, Prepare] = {
    "average_confidence": _average_confidence,
    "scaled_average_confidence": _scaled_confidence,
    "difference_of_confidences": _difference_of_confidences,
    "atc_confidence": _thresholded(max_confidence),
    "atc_entropy": _thresholded(negative_entropy),
    "atc_entropy_by_class": _thresholded_by_class,
    "cot": _scaled(_transport),
    "cott": _scaled(_thresholded_transport),
    "atc_with_transport": _thresholded_with_transport,
}
DEFAULT_ESTIMATOR = "atc_with_transport"
