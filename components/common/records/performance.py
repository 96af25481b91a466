"""Whether a window hurts: its accuracy, estimated or measured, held against that of the baseline."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...performance_estimator.accuracy_estimation import Estimate, HeldOut, estimate, is_distribution
from ...performance_estimator.later_labels import LabelledAccuracy, Problem
from ..errors import MonitorError, require, require_known
from ..proportion import Share
from ..statistics.feature_sample import FeatureSample

FORMAT_VERSION = 1
PERFORMANCE_JSON = "performance.json"
FEWEST_EXAMPLES = 50  # on either side: below, an interval is too wide to say more than nothing

# `AnomalyInfo.Type` of what a person is told.
HURTS_ANOMALY = "CUSTOM_VALIDATION"
NO_BASELINE_ANOMALY = "COMPARATOR_CONTROL_DATA_MISSING"
NO_WINDOW_ANOMALY = "COMPARATOR_TREATMENT_DATA_MISSING"
TOO_FEW_ANOMALY = "COMPARATOR_LOW_NUM_EXAMPLES"
NO_DATA_ANOMALY = "NO_DATA_IN_SPAN"


_PREDICTIONS = "prediction_"  # how features begin that are made of what a model said


class State(str, Enum):
    """Only `fine` is a pass."""

    FINE = "fine"
    HURTS = "hurts"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Judgement:
    """A state, the sentence that says why (without a full stop), and the type of its anomaly; "" for none."""

    state: State
    reason: str
    anomaly: str = ""


@dataclass(frozen=True)
class Examples:
    """How many examples a split has, how many of them its sample holds, and how many of those could be used."""

    population: int = 0
    sampled: int = 0
    used: int = 0


@dataclass(frozen=True)
class Performance:
    """Everything that is known about the accuracy on one window.

    Attributes:
      judgement: of the window: from the labels where enough of them arrived, from the estimate otherwise.
      estimate_judgement: what the estimate alone says.
      labels_judgement: what the labels alone say; None without a labels file.
      estimator: one of `ESTIMATORS`.
      max_accuracy_drop: how far below the baseline's the accuracy may lie, in [0, 1].
      baseline: accuracy of the held-out examples, with its interval; None without any.
      baseline_by_class: the same of the held-out examples with each label.
      estimate: of the window's accuracy; None where there is nothing to estimate it from.
      labelled: the window's accuracy by the labels that came later; None without a labels file.
      baseline_examples: of the held-out split.
      window_examples: of the window.
      class_names: in the order of the classes; empty when they are not known.

    """

    judgement: Judgement
    estimate_judgement: Judgement
    labels_judgement: Judgement | None
    estimator: str
    max_accuracy_drop: float
    baseline: Share | None
    baseline_by_class: tuple[Share | None, ...]
    estimate: Estimate | None
    labelled: LabelledAccuracy | None
    baseline_examples: Examples
    window_examples: Examples
    class_names: tuple[str, ...] = ()

    def to_json(self) -> str:
        return json.dumps({"format_version": FORMAT_VERSION, **asdict(self)}, indent=2, allow_nan=False) + "\n"

    @staticmethod
    def from_json(text: str) -> "Performance":
        """Reads what `to_json` wrote.

        Raises:
          MonitorError: if `text` is anything else.

        """
        try:
            record = json.loads(text)
            version = record.pop("format_version")
            require(version == FORMAT_VERSION, "format_version", f"be {FORMAT_VERSION}", version)
            return _performance(record)
        except (json.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
            raise MonitorError(f"This is not a {PERFORMANCE_JSON}: {error!r}. It begins {text[:60]!r}") from error


def measure(  # noqa: PLR0913 - two samples and what the component takes
    baseline: FeatureSample | None,
    window: FeatureSample | None,
    labelled: LabelledAccuracy | None,
    *,
    estimator: str,
    max_accuracy_drop: float,
    seed: int = 0,
    class_names: tuple[str, ...] = (),
) -> Performance:
    """Estimates the window's accuracy, and says whether it is worse than the baseline's by more than is allowed.

    Args:
      baseline: sample of the held-out split, with labels and probabilities; None when there is none.
      window: sample of the window, with probabilities; None when there is none.
      labelled: what `later_labels.join` made of a labels file; None without one.
      estimator: one of `ESTIMATORS`.
      max_accuracy_drop: in [0, 1].
      seed: of the estimate's bootstrap.
      class_names: carried along for whoever reads the result.

    """
    looks = _shared_looks(baseline, window)
    known, scored = _rows(baseline, looks, labels=True), _rows(window, looks, labels=False)
    share, by_class = _accuracy(known)
    cannot = _undecidable(baseline, window, known, scored)
    guess = None if cannot else _estimate(estimator, known, scored, seed)
    by_estimate = cannot or Judgement(State.UNDECIDED, "nothing was estimated", NO_BASELINE_ANOMALY)
    if guess is not None and share is not None:
        by_estimate = _judge("Estimated accuracy", guess, share, max_accuracy_drop)
    by_labels = None if labelled is None else _judge_labels(labelled, share, max_accuracy_drop)
    return Performance(
        judgement=_joint(by_estimate, by_labels),
        estimate_judgement=by_estimate,
        labels_judgement=by_labels,
        estimator=estimator,
        max_accuracy_drop=max_accuracy_drop,
        baseline=share,
        baseline_by_class=by_class,
        estimate=guess,
        labelled=labelled,
        baseline_examples=known.examples,
        window_examples=scored.examples,
        class_names=class_names,
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


def _shared_looks(baseline: FeatureSample | None, window: FeatureSample | None) -> tuple[str, ...]:
    """The features of both that are not made of predictions."""
    if baseline is None or window is None:
        return ()
    return tuple(name for name in baseline.names if name in window.names and not name.startswith(_PREDICTIONS))


def _rows(sample: FeatureSample | None, looks: tuple[str, ...], *, labels: bool) -> _Rows:
    nothing, none = np.zeros(0, np.int64), np.zeros((0, 0), np.float32)
    if sample is None:
        return _Rows(none, nothing, none, Examples())
    examples = Examples(sample.population, len(sample.ids))
    if sample.probabilities is None or (labels and sample.labels is None):
        return _Rows(none, nothing, none, examples)
    found = nothing if sample.labels is None else sample.labels
    usable = is_distribution(sample.probabilities)
    if labels:
        usable &= (found >= 0) & (found < sample.probabilities.shape[1])
        found = found[usable]
    features = sample.values[usable][:, [sample.names.index(name) for name in looks]]
    return _Rows(sample.probabilities[usable], found, features, replace(examples, used=int(usable.sum())))


def _estimate(estimator: str, known: _Rows, scored: _Rows, seed: int) -> Estimate:
    if not scored.features.shape[1]:
        return estimate(estimator, HeldOut(known.probabilities, known.labels), scored.probabilities, seed=seed)
    held_out = HeldOut(known.probabilities, known.labels, known.features)
    return estimate(estimator, held_out, scored.probabilities, features=scored.features, seed=seed)


def _accuracy(known: _Rows) -> tuple[Share | None, tuple[Share | None, ...]]:
    if known.examples.used == 0:
        return None, ()
    right = known.probabilities.argmax(axis=1) == known.labels
    each = [known.labels == number for number in range(known.probabilities.shape[1])]
    by_class = tuple(Share.of(int(right[rows].sum()), int(rows.sum())) if rows.any() else None for rows in each)
    return Share.of(int(right.sum()), len(right)), by_class


def _undecidable(
    baseline: FeatureSample | None, window: FeatureSample | None, known: _Rows, scored: _Rows
) -> Judgement | None:
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


def _missing(name: str, sample: FeatureSample | None) -> str:
    """What the sample of the baseline or of the window lacks; nothing when it is all there."""
    if sample is None:
        return f"The statistics of the {name} hold no sample of its examples"
    if sample.probabilities is None:
        return f"The sample of the {name} has no probabilities"
    lacks = name == "baseline" and sample.labels is None
    return f"The sample of the {name} has no labels" if lacks else ""


def _undecided(reason: str, anomaly: str) -> Judgement:
    return Judgement(State.UNDECIDED, f"{reason}, so whether it hurts is undecided", anomaly)


def _judge(what: str, found: Estimate, baseline: Share, allowed: float) -> Judgement:
    """Hurts when even the upper end of the interval lies lower than is allowed."""
    points, told = (
        100 * (baseline.share - found.accuracy),
        f"{found.accuracy:.3f} ({found.low:.3f} to {found.high:.3f})",
    )
    if found.high < baseline.share - allowed:
        reason = f"{what} fell by {points:.1f} points, more than the {100 * allowed:g} allowed: {told}"
        return Judgement(State.HURTS, f"{reason}; the baseline's is {baseline.share:.3f}", HURTS_ANOMALY)
    direction = "below" if points >= 0 else "above"
    where = f"{abs(points):.1f} points {direction} the baseline's {baseline.share:.3f}"
    return Judgement(State.FINE, f"{what} is {told}, {where}; {100 * allowed:g} below are allowed")


def _judge_labels(labelled: LabelledAccuracy, baseline: Share | None, allowed: float) -> Judgement:
    total = labelled.overall.total if labelled.overall else 0
    if baseline is None:
        return _undecided("There is no baseline accuracy to hold the labels against", NO_BASELINE_ANOMALY)
    if labelled.overall is None or total < FEWEST_EXAMPLES:
        told = f"Labels came for {total} of {labelled.examples} examples"
        return _undecided(f"{told}, fewer than the {FEWEST_EXAMPLES} needed", TOO_FEW_ANOMALY)
    share = labelled.overall
    found = Estimate(share.share, share.low, share.high)
    return _judge(f"Accuracy on {total} labelled examples", found, baseline, allowed)


def _joint(by_estimate: Judgement, by_labels: Judgement | None) -> Judgement:
    """Labels that decide are believed. Labels that do not cannot make an estimate pass, nor excuse one that hurts."""
    if by_labels is None or (by_labels.state is State.UNDECIDED and by_estimate.state is State.HURTS):
        return by_estimate
    return by_labels


def _performance(record: dict[str, Any]) -> Performance:
    judgements = ("judgement", "estimate_judgement", "labels_judgement")
    given = {key: record[key] and _judgement(record[key]) for key in judgements}
    return Performance(
        **{
            **record,
            **given,
            "baseline": _share(record["baseline"]),
            "baseline_by_class": _shares(record["baseline_by_class"]),
            "estimate": record["estimate"] and Estimate(**record["estimate"]),
            "labelled": record["labelled"] and _labelled(record["labelled"]),
            "baseline_examples": Examples(**record["baseline_examples"]),
            "window_examples": Examples(**record["window_examples"]),
            "class_names": tuple(record["class_names"]),
        }
    )


def _judgement(record: dict[str, Any]) -> Judgement:
    require_known(record["state"], [each.value for each in State], "state")
    return Judgement(State(record["state"]), record["reason"], record["anomaly"])


def _share(record: dict[str, Any] | None) -> Share | None:
    return Share(**record) if record else None


def _shares(records: list[dict[str, Any] | None]) -> tuple[Share | None, ...]:
    return tuple(_share(each) for each in records)


def _labelled(record: dict[str, Any]) -> LabelledAccuracy:
    found = {
        "overall": _share(record["overall"]),
        "by_class": _shares(record["by_class"]),
        "row_problems": _problems(record["row_problems"]),
        "example_problems": _problems(record["example_problems"]),
        "repeated_ids": _problem(record["repeated_ids"]),
    }
    return LabelledAccuracy(**{**record, **found})


def _problems(records: Mapping[str, dict[str, Any]]) -> dict[str, Problem]:
    return {kind: _problem(each) for kind, each in records.items()}


def _problem(record: dict[str, Any]) -> Problem:
    return Problem(record["count"], tuple(record["named"]))
