"""What is known of the accuracy on one window, with one way to JSON and back.

The keys of the JSON are those of its first version: a check is a `judgement` with a `state`, its type of anomaly and
its reason; a `share` is a proportion.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import MonitorError, require, require_known
from ..proportion import Proportion
from ..strict_text import TextError, parse_json
from ..verdict import Check, Effect, Finding, Outcome
from .checked import checked

FORMAT_VERSION = 1
PERFORMANCE_JSON = "performance.json"
ACCURACY = "accuracy"  # the name of the check
STATES = {Outcome.PASSED: "fine", Outcome.FAILED: "degraded", Outcome.UNDECIDED: "undecided"}
_OUTCOMES = {**{state: outcome for outcome, state in STATES.items()}, "hurts": Outcome.FAILED}  # its earlier word


@dataclass(frozen=True)
class Examples:
    """How many examples a split has, how many of them its sample holds, and how many of those could be used."""

    population: int = 0
    sampled: int = 0
    used: int = 0


@dataclass(frozen=True)
class Problem:
    """How many rows or examples have it.

    Attributes:
      count: how many.
      named: the first few by name: an id, or the place of a row without one.
      found: the label that the first of these came with; "" where that is not what is wrong.

    """

    count: int = 0
    named: tuple[str, ...] = ()
    found: str = ""


@dataclass(frozen=True)
class LabelledAccuracy:
    """The accuracy on the examples whose labels arrived.

    Attributes:
      overall: the proportion of labelled examples that the model had right; None when there are none.
      by_class: the same of the examples with each label, in the order of the classes; None for a class without any.
      rows: rows of the labels file: `used` ones and those of `row_problems`, each in one of them.
      used: rows whose label was given to an example or to several that share an id.
      examples: logged examples: those of `overall` and those of `example_problems`, each in one of them.
      repeated_ids: ids that more than one logged example has, which cannot be told apart by them.
      wanted: what a label must be, for behind "must be".
      numbering: what speaks for labels that are counted otherwise than the classes; "" where nothing does.
      disagreeing: logged examples whose `class_id` is not the class of their largest probability.

    """

    overall: Proportion | None
    by_class: tuple[Proportion | None, ...]
    rows: int
    used: int
    row_problems: Mapping[str, Problem]
    examples: int
    example_problems: Mapping[str, Problem]
    repeated_ids: Problem
    wanted: str = ""
    numbering: str = ""
    disagreeing: int = 0


@dataclass(frozen=True)
class Performance:
    """Everything that is known about the accuracy on one window.

    Attributes:
      check: of the window: by the labels where enough of them arrived, by the estimate otherwise.
      estimate_check: what the estimate alone says.
      labels_check: what the labels alone say; None without a labels file.
      estimator: one of `ESTIMATORS`.
      max_accuracy_drop: how far below the baseline's the accuracy may lie, in [0, 1].
      baseline: accuracy of the held-out examples, with its interval; None without any.
      baseline_by_class: the same of the held-out examples with each label.
      estimate: of the window's accuracy; None where there is nothing to estimate it from.
      labelled: the window's accuracy by delayed labels; None without a labels file.
      baseline_examples: of the held-out split.
      window_examples: of the window.
      class_names: in the order of the classes; empty when they are not known.
      bounds: where the accuracy may lie when the estimators' own errors are allowed for, which the estimate's interval
        does not do; None where nothing was estimated, and in records from before there were any.

    """

    check: Check
    estimate_check: Check
    labels_check: Check | None
    estimator: str
    max_accuracy_drop: float
    baseline: Proportion | None
    baseline_by_class: tuple[Proportion | None, ...]
    estimate: Proportion | None
    labelled: LabelledAccuracy | None
    baseline_examples: Examples
    window_examples: Examples
    class_names: tuple[str, ...] = ()
    bounds: tuple[float, float] | None = None

    @property
    def visible_drop(self) -> float | None:
        """The smallest fall of the estimated accuracy at which this window does not pass; None without an estimate."""
        return None if self.estimate is None else least_visible_drop(self.estimate, self.max_accuracy_drop)

    @property
    def caveats(self) -> tuple[str, ...]:
        """What the estimate cannot tell, in sentences."""
        if self.estimate is None or self.visible_drop is None:
            return ()
        points = f"{100 * self.visible_drop:.1f} points"
        size = f"{self.estimate.total:,} examples show a fall of the accuracy of {points} or more"
        if self.bounds is None:
            return (size,)
        low, high = self.bounds
        return size, f"Allowing for the estimate's own errors, the accuracy is {low:.3f} to {high:.3f}"

    @property
    def least(self) -> float | None:
        """The least accuracy that is allowed; None where there is no baseline."""
        return None if self.baseline is None else max(0.0, self.baseline.value - self.max_accuracy_drop)

    def to_json(self) -> str:
        record = {
            "format_version": FORMAT_VERSION,
            "judgement": _judgement(self.check),
            "estimate_judgement": _judgement(self.estimate_check),
            "labels_judgement": self.labels_check and _judgement(self.labels_check),
            "estimator": self.estimator,
            "max_accuracy_drop": self.max_accuracy_drop,
            "baseline": _share(self.baseline),
            "baseline_by_class": [_share(each) for each in self.baseline_by_class],
            "estimate": _estimate(self.estimate),
            "labelled": self.labelled and _labelled(self.labelled),
            "baseline_examples": asdict(self.baseline_examples),
            "window_examples": asdict(self.window_examples),
            "class_names": self.class_names,
            "bounds": self.bounds,
            "visible_drop": self.visible_drop,
        }
        return json.dumps(record, indent=2, allow_nan=False) + "\n"

    @staticmethod
    def from_json(text: str) -> "Performance":
        """Reads what `to_json` wrote.

        Raises:
          MonitorError: if `text` is anything else.

        """
        try:
            record = parse_json(text)
            version = record.pop("format_version")
            require(version == FORMAT_VERSION, "format_version", f"be {FORMAT_VERSION}", version)
            return checked(_read_performance(record))
        except (TextError, AttributeError, KeyError, TypeError) as error:
            raise MonitorError(f"This is not a {PERFORMANCE_JSON}: {error!r}. It begins {text[:60]!r}") from error


def outcome_of(state: str) -> Outcome:
    """What a state in a record, or in ML Metadata, means; one that is not known is no pass."""
    return _OUTCOMES.get(state, Outcome.UNDECIDED)


def least_visible_drop(found: Proportion, allowed: float) -> float:
    """The smallest fall, 0 to 1, that so wide an interval can show: more than is allowed by its upper half.

    >>> round(least_visible_drop(Proportion(0.9, 0.88, 0.92, 1000), 0.05), 3)
    0.07
    """
    return allowed + (found.high - found.value)


def accuracy_check(outcome: Outcome, reason: str, anomaly: str = "") -> Check:
    """What is said of an accuracy.

    Args:
      outcome: of the check.
      reason: why, without a full stop.
      anomaly: the name of the `AnomalyInfo.Type` of what is wrong; "" where nothing is.

    """
    effect = Effect.FAIL if outcome is Outcome.FAILED else Effect.UNDECIDED
    findings = (Finding(anomaly, "", effect, reason),) if anomaly else ()
    return Check(ACCURACY, "", outcome, reason, findings)


def _judgement(check: Check) -> dict[str, str]:
    anomaly = check.findings[0].what if check.findings else ""
    return {"state": STATES[check.outcome], "reason": check.reason, "anomaly": anomaly}


def _share(proportion: Proportion | None) -> dict[str, Any] | None:
    if proportion is None:
        return None
    ends = {"low": proportion.low, "high": proportion.high}
    return {"count": proportion.count, "total": proportion.total, "share": proportion.value, **ends}


def _estimate(proportion: Proportion | None) -> dict[str, float] | None:
    if proportion is None:
        return None
    return {"accuracy": proportion.value, "low": proportion.low, "high": proportion.high}


def _labelled(labelled: LabelledAccuracy) -> dict[str, Any]:
    by_class = [_share(each) for each in labelled.by_class]
    return {**asdict(labelled), "overall": _share(labelled.overall), "by_class": by_class}


def _read_performance(record: dict[str, Any]) -> Performance:
    window = Examples(**record.pop("window_examples"))
    record.pop("visible_drop", None)  # follows from the estimate
    bounds = record.pop("bounds", None)
    checks = {
        "check": _read_check(record.pop("judgement")),
        "estimate_check": _read_check(record.pop("estimate_judgement")),
        "labels_check": (judgement := record.pop("labels_judgement")) and _read_check(judgement),
    }
    return Performance(
        **{
            **record,
            **checks,
            "baseline": _read_share(record["baseline"]),
            "baseline_by_class": _read_proportions(record["baseline_by_class"]),
            "estimate": record["estimate"] and _read_estimate(record["estimate"], window),
            "labelled": record["labelled"] and _read_labelled(record["labelled"]),
            "baseline_examples": Examples(**record["baseline_examples"]),
            "window_examples": window,
            "class_names": tuple(record["class_names"]),
            "bounds": bounds and (float(bounds[0]), float(bounds[1])),
        }
    )


def _read_check(record: dict[str, Any]) -> Check:
    require_known(record["state"], _OUTCOMES, "state")
    return accuracy_check(_OUTCOMES[record["state"]], record["reason"], record["anomaly"])


def _read_share(record: dict[str, Any] | None) -> Proportion | None:
    return Proportion(record["share"], record["low"], record["high"], record["total"]) if record else None


def _read_proportions(records: list[dict[str, Any] | None]) -> tuple[Proportion | None, ...]:
    return tuple(_read_share(each) for each in records)


def _read_estimate(record: dict[str, Any], window: Examples) -> Proportion:
    return Proportion(record["accuracy"], record["low"], record["high"], window.used)


def _read_labelled(record: dict[str, Any]) -> LabelledAccuracy:
    values = {
        "overall": _read_share(record["overall"]),
        "by_class": _read_proportions(record["by_class"]),
        "row_problems": _read_problems(record["row_problems"]),
        "example_problems": _read_problems(record["example_problems"]),
        "repeated_ids": _read_problem(record["repeated_ids"]),
    }
    return LabelledAccuracy(**{**record, **values})


def _read_problems(records: Mapping[str, dict[str, Any]]) -> dict[str, Problem]:
    return {kind: _read_problem(each) for kind, each in records.items()}


def _read_problem(record: dict[str, Any]) -> Problem:
    return Problem(record["count"], tuple(record["named"]), record.get("found", ""))
