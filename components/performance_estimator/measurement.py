"""Whether a window is degraded: its accuracy, estimated or measured, held against that of the baseline."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..common.class_scores import are_probabilities
from ..common.label_numbering import Agreement
from ..common.proportion import Proportion
from ..common.records.performance import (
    Examples,
    LabelledAccuracy,
    Performance,
    accuracy_check,
    least_visible_drop,
)
from ..common.statistics.feature_sample import FeatureSample
from ..common.statistics.usability import MAX_UNUSABLE
from ..common.verdict import Check, Outcome
from .accuracy_bounds import SECOND_OPINION, accuracy_bounds
from .accuracy_estimation import HeldOut, estimate

FEWEST_EXAMPLES = 50  # on either side: below, an interval is too wide to say more than nothing

# `AnomalyInfo.Type` of what a person is told.
DEGRADED_ANOMALY = "CUSTOM_VALIDATION"
NO_BASELINE_ANOMALY = "COMPARATOR_CONTROL_DATA_MISSING"
NO_WINDOW_ANOMALY = "COMPARATOR_TREATMENT_DATA_MISSING"
TOO_FEW_ANOMALY = "COMPARATOR_LOW_NUM_EXAMPLES"
NO_DATA_ANOMALY = "NO_DATA_IN_SPAN"

# What may be wrong with rows of a labels file, in words, of what keeps a label from its example.
_ROW_WORDS = {
    "not_a_class": "a label that is no class",
    "out_of_range": "a number that is no class's",
    "unknown_id": "an id that no example has",
    "malformed": "not one id and one label",
}
_PREDICTIONS = "prediction_"  # how features begin that are made of what a model said


def measure(  # noqa: PLR0913 - two samples and what the component takes
    baseline: FeatureSample | None,
    window: FeatureSample | None,
    labelled: LabelledAccuracy | None,
    *,
    estimator: str,
    max_accuracy_drop: float,
    seed: int = 0,
    class_names: tuple[str, ...] = (),
    labels_from: int = 0,
    unusable_labels: str = "",
) -> Performance:
    """Estimates the window's accuracy, and says whether it is worse than the baseline's by more than is allowed.

    Args:
      baseline: sample of the held-out split, with labels and probabilities; None when there is none.
      window: sample of the window, with probabilities; None when there is none.
      labelled: what `delayed_labels.join` made of a labels file; None without one.
      estimator: one of `ESTIMATORS`.
      max_accuracy_drop: in [0, 1].
      seed: of the estimate's bootstrap.
      class_names: carried along for whoever reads the result.
      labels_from: the number that labels give to the first class, for what is said of them.
      unusable_labels: of the baseline, where they are too many to be left out: how many, and why.

    """
    image_features = _shared_image_features(baseline, window)
    known, scored = _rows(baseline, image_features, labels=True), _rows(window, image_features, labels=False)
    accuracy, by_class = _accuracy(known)
    wrong = _wrong_baseline(known, accuracy, max_accuracy_drop, labels_from, unusable_labels)
    cannot = _undecidable(baseline, window, known, scored) or wrong
    guess = None if cannot else _estimate(estimator, known, scored, seed)
    bounds = None
    by_estimate = cannot or accuracy_check(Outcome.UNDECIDED, "nothing was estimated", NO_BASELINE_ANOMALY)
    if guess is not None and accuracy is not None:
        others = [] if estimator == SECOND_OPINION else [_estimate(SECOND_OPINION, known, scored, seed)]
        bounds = accuracy_bounds([guess, *others], accuracy.value)
        by_estimate = judge(f"Estimated accuracy{_on(scored.examples)}", guess, accuracy, max_accuracy_drop, bounds)
    by_labels = None if labelled is None else wrong or _judge_labels(labelled, accuracy, max_accuracy_drop)
    return Performance(
        check=_joint(by_estimate, by_labels),
        estimate_check=by_estimate,
        labels_check=by_labels,
        estimator=estimator,
        max_accuracy_drop=max_accuracy_drop,
        baseline=accuracy,
        baseline_by_class=by_class,
        estimate=guess,
        labelled=labelled,
        baseline_examples=known.examples,
        window_examples=scored.examples,
        class_names=class_names,
        bounds=bounds,
    )


@dataclass(frozen=True)
class _Rows:
    """The usable rows of a sample: with probabilities, and labels where they are asked for.

    `features` are what the images look like, no columns where both samples do not say the same of them.
    """

    probabilities: NDArray[np.float32]
    labels: NDArray[np.int64]
    features: NDArray[np.float32]
    examples: Examples


def _shared_image_features(baseline: FeatureSample | None, window: FeatureSample | None) -> tuple[str, ...]:
    """The features of both that are not made of predictions."""
    if baseline is None or window is None:
        return ()
    return tuple(name for name in baseline.names if name in window.names and not name.startswith(_PREDICTIONS))


def _rows(sample: FeatureSample | None, image_features: tuple[str, ...], *, labels: bool) -> _Rows:
    nothing, none = np.zeros(0, np.int64), np.zeros((0, 0), np.float32)
    if sample is None:
        return _Rows(none, nothing, none, Examples())
    examples = Examples(sample.population, len(sample.ids))
    if sample.probabilities is None or (labels and sample.labels is None):
        return _Rows(none, nothing, none, examples)
    classes = nothing if sample.labels is None else sample.labels
    usable = are_probabilities(sample.probabilities)
    if labels:
        usable &= (classes >= 0) & (classes < sample.probabilities.shape[1])
        classes = classes[usable]
    features = sample.values[usable][:, [sample.names.index(name) for name in image_features]]
    return _Rows(sample.probabilities[usable], classes, features, replace(examples, used=int(usable.sum())))


def _estimate(estimator: str, known: _Rows, scored: _Rows, seed: int) -> Proportion:
    if not scored.features.shape[1] or estimator == SECOND_OPINION:  # which goes by confidence alone
        return estimate(estimator, HeldOut(known.probabilities, known.labels), scored.probabilities, seed=seed)
    held_out = HeldOut(known.probabilities, known.labels, known.features)
    return estimate(estimator, held_out, scored.probabilities, features=scored.features, seed=seed)


def _accuracy(known: _Rows) -> tuple[Proportion | None, tuple[Proportion | None, ...]]:
    if known.examples.used == 0:
        return None, ()
    right = known.probabilities.argmax(axis=1) == known.labels
    each = [known.labels == number for number in range(known.probabilities.shape[1])]
    by_class = tuple(Proportion.of(int(right[rows].sum()), int(rows.sum())) if rows.any() else None for rows in each)
    return Proportion.of(int(right.sum()), len(right)), by_class


def _undecidable(
    baseline: FeatureSample | None, window: FeatureSample | None, known: _Rows, scored: _Rows
) -> Check | None:
    """Why the accuracy cannot be estimated, or None when it can."""
    if window is not None and window.population == 0:
        return _undecided("The window has no examples", NO_DATA_ANOMALY)
    for name, sample, anomaly in (("baseline", baseline, NO_BASELINE_ANOMALY), ("window", window, NO_WINDOW_ANOMALY)):
        missing = _missing(name, sample)
        if missing:
            return _undecided(missing, anomaly)
    for name, rows in (("baseline", known), ("window", scored)):
        if rows.examples.used < FEWEST_EXAMPLES:
            told = f"The {name} has {rows.examples.used} usable examples of {rows.examples.sampled}"
            return _undecided(f"{told}, fewer than the {FEWEST_EXAMPLES} needed", TOO_FEW_ANOMALY)
    classes = known.probabilities.shape[1], scored.probabilities.shape[1]
    if classes[0] != classes[1]:
        told = f"The baseline has {classes[0]} probabilities an example and the window {classes[1]}"
        return _undecided(told, NO_BASELINE_ANOMALY)
    return None


def _wrong_baseline(
    known: _Rows, accuracy: Proportion | None, allowed: float, labels_from: int, unusable_labels: str
) -> Check | None:
    """Why nothing may be held against this baseline: its labels are wrong, or no window could be worse than it."""
    numbering = ""
    if accuracy is not None:
        classes = known.probabilities.shape[1]
        numbering = Agreement.of(known.probabilities.argmax(axis=1), known.labels).words(labels_from, classes)
    if unusable_labels:
        told = "; ".join(filter(None, [unusable_labels, numbering]))
        return _undecided(f"Of the baseline, {told}", NO_BASELINE_ANOMALY)
    if accuracy is None:
        return None
    if numbering:
        return _undecided(
            f"The baseline's labels are counted otherwise than its classes: {numbering}", NO_BASELINE_ANOMALY
        )
    if accuracy.value <= allowed:
        told = (
            f"The baseline's accuracy is {accuracy.value:.3f} on {accuracy.total:,} examples, and {allowed:g} less is"
        )
        return _undecided(f"{told} allowed: no window could be found degraded", NO_BASELINE_ANOMALY)
    return None


def _missing(name: str, sample: FeatureSample | None) -> str:
    """What the sample of the baseline or of the window lacks; nothing when it is all there."""
    if sample is None:
        return f"The statistics of the {name} hold no sample of its examples"
    if sample.probabilities is None:
        return f"The sample of the {name} has no probabilities"
    lacks = name == "baseline" and sample.labels is None
    return f"The sample of the {name} has no labels" if lacks else ""


def _undecided(reason: str, anomaly: str) -> Check:
    return accuracy_check(Outcome.UNDECIDED, f"{reason}, so whether accuracy is degraded is undecided", anomaly)


def judge(
    what: str, found: Proportion, baseline: Proportion, allowed: float, bounds: tuple[float, float] | None = None
) -> Check:
    """What an accuracy says of a window.

    Degraded when even the upper end of where it may lie is lower than is allowed; undecided when the upper end of the
    interval is, and that of the bounds is not.

    Args:
      what: the accuracy, as a sentence begins.
      found: its value and interval, which holds what chance does.
      baseline: the accuracy that it is held against.
      allowed: how far below that it may lie, in [0, 1].
      bounds: of an estimate, where it may lie when its own errors are allowed for; None for what was measured.

    """
    if not (found.low <= found.value <= found.high and 0 <= baseline.value <= 1):  # NaN is below nothing
        return _undecided(f"{what} is {found}, whose interval is not known", NO_WINDOW_ANOMALY)
    points, least = 100 * (baseline.value - found.value), baseline.value - allowed
    fell = f"{what} fell by {points:.1f} points, more than the {100 * allowed:g} allowed: {found}"
    of_baseline = f"the baseline's is {baseline.value:.3f}"
    if found.high < least and bounds is not None and not bounds[1] < least:
        told = f"it may lie between {bounds[0]:.3f} and {bounds[1]:.3f} when its own errors are allowed for"
        reason = f"{fell}; {of_baseline}. But {told}, and {least:.3f} is allowed: labels decide"
        return accuracy_check(Outcome.UNDECIDED, reason, TOO_FEW_ANOMALY)
    if found.high < least:
        return accuracy_check(Outcome.FAILED, f"{fell}; {of_baseline}", DEGRADED_ANOMALY)
    direction = "below" if points >= 0 else "above"
    where = f"{abs(points):.1f} points {direction} the baseline's {baseline.value:.3f}"
    limit = f"{100 * allowed:g} below are allowed"
    if found.value < least:
        limit = f"so few examples cannot tell whether that is more than the {100 * allowed:g} allowed"
    visible_drop = 100 * least_visible_drop(found, allowed)
    visible = f"{found.total:,} examples show a fall of {visible_drop:.1f} points or more"
    return accuracy_check(Outcome.PASSED, f"{what} is {found}, {where}; {limit}; {visible}")


def _on(examples: Examples) -> str:
    """Of how many examples something is said, where that is not all that were sampled."""
    if examples.used == examples.sampled:
        return ""
    return f" on {examples.used:,} of {examples.sampled:,} examples (the others have no probabilities)"


def _judge_labels(labelled: LabelledAccuracy, baseline: Proportion | None, allowed: float) -> Check:
    total = labelled.overall.total if labelled.overall else 0
    if baseline is None:
        return _undecided("There is no baseline accuracy to hold the labels against", NO_BASELINE_ANOMALY)
    wrong = _wrong_rows(labelled)
    if labelled.overall is None or total < FEWEST_EXAMPLES:
        told = f"Labels came for {total} of {labelled.examples} examples, fewer than the {FEWEST_EXAMPLES} needed"
        return _undecided(f"{told} ({wrong})" if wrong else told, TOO_FEW_ANOMALY)
    if labelled.numbering:
        return _undecided(f"The labels are counted otherwise than the classes: {labelled.numbering}", TOO_FEW_ANOMALY)
    if labelled.disagreeing > MAX_UNUSABLE * labelled.examples:
        told = f"{labelled.disagreeing:,} of {labelled.examples:,} examples"
        reason = f"The class_id of {told} is not the class of their largest probability"
        return _undecided(reason, NO_WINDOW_ANOMALY)
    check = judge(f"Accuracy on {total} labelled examples", labelled.overall, baseline, allowed)
    return replace(check, reason=f"{check.reason}; {wrong}") if wrong else check


def _wrong_rows(labelled: LabelledAccuracy) -> str:
    """The commonest thing that is wrong with rows of the labels file, with one of them and what was wanted."""
    problems = {kind: labelled.row_problems[kind] for kind in _ROW_WORDS if kind in labelled.row_problems}
    kind = max(problems, key=lambda each: problems[each].count, default="")
    if not kind or not problems[kind].count:
        return ""
    problem, wanted = problems[kind], f"; it must be {labelled.wanted}" if problems[kind].found else ""
    such = problem.found or repr(problem.named[0])
    return f"{problem.count:,} of {labelled.rows:,} rows have {_ROW_WORDS[kind]}, such as {such}{wanted}"


def _joint(by_estimate: Check, by_labels: Check | None) -> Check:
    """Labels that decide are believed. Labels that do not cannot make an estimate pass, nor excuse one that failed."""
    if by_labels is None or (by_labels.outcome is Outcome.UNDECIDED and by_estimate.outcome is Outcome.FAILED):
        return by_estimate
    return by_labels
