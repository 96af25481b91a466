"""What was found about one window: plain records with one way to JSON and back."""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from enum import Enum
from typing import Any

from ..errors import MonitorError, require, require_known
from ..strict_text import TextError, parse_json
from ..verdict import Outcome
from .checked import checked

FORMAT_VERSION = 1
DRIFT_REPORT_JSON = "drift_report.json"
_LATER = ("p_threshold", "skew_p_threshold", "drift_p_threshold")  # records of earlier runs do not have them
_WHY_SAMPLED = "drawn by a hash of what they hold: more would tell little more"


class State(str, Enum):
    """What can be said of a window. Only `fine` says that nothing is wrong."""

    FINE = "fine"
    CHANGED = "changed"  # more than chance explains
    INVALID = "invalid"  # not distinguishable, but against the schema, or without a feature that is monitored
    NO_BASELINE = "no_baseline"
    BASELINE_TOO_SMALL = "baseline_too_small"
    TOO_FEW_EXAMPLES = "too_few_examples"
    NO_PREVIOUS_SPAN = "no_previous_span"


@dataclass(frozen=True)
class Side:
    """The examples of one side of a comparison.

    Attributes:
      examples: How many there are.
      sampled: How many of them were compared.
      span: Their span; None where it is not known, or there are no spans.

    """

    examples: int
    sampled: int
    span: int | None

    @property
    def rows(self) -> str:
        """How many examples were compared, with the reason where they were not all.

        >>> Side(300, 300, 1).rows
        '300 examples'
        >>> Side(30000, 10000, 1).rows
        '10,000 of 30,000 examples, drawn by a hash of what they hold: more would tell little more'
        """
        if self.sampled >= self.examples:
            return f"{self.examples:,} examples"
        return f"{self.sampled:,} of {self.examples:,} examples, {_WHY_SAMPLED}"


@dataclass(frozen=True)
class Measurement:
    """One test of one feature, or of all features together, against the baseline or the previous span.

    Attributes:
      comparison: "skew", against the baseline, or "drift", against the previous span.
      feature: The feature's name, "" for a joint test.
      test: "jensen_shannon", "l_infinity", "kolmogorov_smirnov" or the name of a joint test.
      measured: The statistic's value.
      threshold: What `measured` has to exceed to raise the alarm; None: nothing could, the feature never varies.
      p_value: Of this test taken alone.
      adjusted_p_value: The chance that any test of this comparison deviates as much.
      excess: How far beyond the threshold, in standard deviations of chance; below 0 is within. None: never varies.
      reference_mean: The feature's mean in the baseline or the previous span; None where it has none.
      window_mean: The feature's mean in the window; likewise.

    """

    comparison: str
    feature: str
    test: str
    measured: float
    threshold: float | None
    p_value: float
    adjusted_p_value: float
    excess: float | None
    reference_mean: float | None = None
    window_mean: float | None = None

    @property
    def reference(self) -> str:
        """What the window was compared with."""
        return "baseline" if self.comparison == "skew" else "previous span"

    @property
    def exceeded(self) -> bool:
        """Whether this test raises the alarm."""
        return self.threshold is not None and not self.measured <= self.threshold  # NaN is not within

    @property
    def rank(self) -> tuple[float, float]:
        """Sorts the most unusual first."""
        return self.adjusted_p_value, -(-math.inf if self.excess is None else self.excess)


@dataclass(frozen=True)
class DriftReport:
    """Everything that was found about one window.

    Attributes:
      state: What can be said of the window.
      outcome: What that means: passed, failed or undecided.
      sentence: The same for a person.
      p_value: Family-wise, over all features and tests, skew and drift together: the chance that a window from the
        baseline's own distribution looks at least as unusual, over baselines drawn anew. None when nothing was
        compared.
      false_alarm_rate: The chance of a false alarm that was asked for, given the baseline.
      skew_p_value: Of the comparison with the baseline alone; None when there was none.
      drift_p_value: Of the comparison with the previous span alone; None when there was none.
      window: The window's examples.
      baseline: The baseline's; None when there is none.
      previous: The previous span's; None when there is none.
      problems: What is wrong besides, a sentence each: the schema broken, a feature that could not be compared.
      measurements: Every test, the most unusual first.
      p_threshold: The p-value at which the alarm is raised. It is below the false-alarm rate where the window is not
        small against the baseline, whose own sampling error every window then shares. None when nothing was compared,
        and in records from before there was one, when it was the false-alarm rate.
      skew_p_threshold: Likewise of the comparison with the baseline alone.
      drift_p_threshold: Likewise of the comparison with the previous span alone.
      invalid: Of the problems, what is against the schema or cannot be used, whether the window differs besides or not.

    """

    state: State
    outcome: Outcome
    sentence: str
    p_value: float | None
    false_alarm_rate: float
    skew_p_value: float | None
    drift_p_value: float | None
    window: Side
    baseline: Side | None
    previous: Side | None
    problems: tuple[str, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    p_threshold: float | None = None
    skew_p_threshold: float | None = None
    drift_p_threshold: float | None = None
    invalid: tuple[str, ...] = ()

    @property
    def allowed(self) -> float:
        """The p-value at which the alarm is raised."""
        return self.false_alarm_rate if self.p_threshold is None else self.p_threshold

    @property
    def comparisons(self) -> dict[str, tuple[float, float]]:
        """The p-value of each comparison that was made, and the one at which it raises the alarm."""
        found = {"against the baseline": (self.skew_p_value, self.skew_p_threshold),
                 "against the previous span": (self.drift_p_value, self.drift_p_threshold)}  # fmt: skip
        made = {name: (p_value, limit) for name, (p_value, limit) in found.items() if p_value is not None}
        before = self.false_alarm_rate / max(1, len(made))
        return {name: (p_value, before if limit is None else limit) for name, (p_value, limit) in made.items()}

    @property
    def alarm(self) -> bool:
        """Whether the window differs by more than chance explains at the false-alarm rate."""
        return any(found.exceeded for found in self.measurements)

    @property
    def features(self) -> list[str]:
        """The features, the one furthest beyond chance first."""
        return list(dict.fromkeys(found.feature for found in self.measurements if found.feature))

    @property
    def changed_features(self) -> list[str]:
        """The features of which some test raises the alarm, the one furthest beyond chance first."""
        return list(dict.fromkeys(found.feature for found in self.measurements if found.exceeded and found.feature))

    def to_json(self) -> str:
        """The record as JSON, a line for each key and for each measurement."""
        known = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "measurements"}
        sides = {name: asdict(value) for name, value in known.items() if isinstance(value, Side)}
        record = {"format_version": FORMAT_VERSION, "alarm": self.alarm, **known, **sides}
        lines = [f"  {json.dumps(name)}: {json.dumps(value, allow_nan=False)}" for name, value in record.items()]
        measured = ",\n".join(f"    {json.dumps(vars(each), allow_nan=False)}" for each in self.measurements)
        lines.append(f'  "measurements": [\n{measured}\n  ]')
        return "{\n" + ",\n".join(lines) + "\n}\n"

    @staticmethod
    def from_json(text: str) -> "DriftReport":
        """Reads what `to_json` wrote.

        Raises:
          MonitorError: `text` is anything else, or says of itself something that its measurements do not.

        """
        try:
            record = parse_json(text)
            require(record["format_version"] == FORMAT_VERSION, "format_version", f"be {FORMAT_VERSION}", record)
            report = checked(_report(record))
            require(record["alarm"] is report.alarm, "alarm", "follow from the measurements", record["alarm"])
        except (TextError, KeyError, TypeError) as error:
            raise MonitorError(f"This is not a {DRIFT_REPORT_JSON}: {error!r}. It begins {text[:60]!r}") from error
        return report


def ranked(measurements: Iterable[Measurement]) -> tuple[Measurement, ...]:
    """The most unusual first: by the family-wise p-value, and where that is the same by the distance beyond chance."""
    return tuple(sorted(measurements, key=lambda found: found.rank))


def _report(record: dict[str, Any]) -> DriftReport:
    require_known(record["state"], [each.value for each in State], "state")
    require_known(record["outcome"], [each.value for each in Outcome], "outcome")
    record = {"invalid": [], **record}  # which the first records lack
    plain = {field.name: record[field.name] for field in fields(DriftReport) if field.name not in _LATER}
    plain |= {name: record.get(name) for name in _LATER}
    sides = {key: Side(**record[key]) if record[key] is not None else None for key in ("baseline", "previous")}
    return DriftReport(
        **{
            **plain,
            **sides,
            "state": State(record["state"]),
            "outcome": Outcome(record["outcome"]),
            "window": Side(**record["window"]),
            "problems": tuple(record["problems"]),
            "invalid": tuple(record["invalid"]),
            "measurements": tuple(Measurement(**each) for each in record["measurements"]),
        }
    )
