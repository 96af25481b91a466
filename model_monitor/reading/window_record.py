"""One window of a served model, judged: what is kept of it, told of it and counted by it, in one flat record.

A window is a span of serving logs. Incidents, alerts, metrics and the sequential tests are functions of the records of
a model's windows in their order, so that what is known after a restart is what was known before.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from components.common.artifacts.files import DAMAGE
from components.common.errors import MonitorError, require, require_known
from components.common.proportion import Proportion
from components.common.records.drift_report import DRIFT_REPORT_JSON, DriftReport
from components.common.strict_text import TextError, parse_json
from components.common.verdict_words import OF_SPANS, State

from .run_store import Run
from .timeline import Point
from .verdicts import CheckOf, SpanCheck

FORMAT_VERSION = 1
_SHOWN = 6  # features of which a record keeps the names
_PROPORTIONS = ("estimated", "measured", "baseline_accuracy")


@dataclass(frozen=True)
class WindowRecord:
    """One window that was judged.

    Attributes:
      model: the name of the model that is watched: that of its monitoring pipeline.
      window: its number, the span of its logs.
      state: its verdict in a word, one of `OF_SPANS`.
      sentence: the verdict in one sentence.
      run, run_id: of the run in ML Metadata.
      version: the number of the version whose baseline it was compared with; "" where it has none.
      reference: the windows of serving that it was compared with in the place of held-out examples, and since when
        they are the reference; "" where it was with these.
      examples: how many were compared, 0 or more.
      baseline_examples: how many held-out examples, or examples of the reference, they were compared with, 0 or more.
      judged_at: when its run ended, seconds since the epoch.
      first_request, last_request: when the first and the last of its requests came, seconds since the epoch; None where
        the logs do not say.
      late: whether it holds what came after the windows that it belonged to were closed.
      p_value: of the comparison, in [0, 1]; None where nothing was compared.
      p_threshold: the p-value at which the alarm is raised; None likewise.
      skew_p_value: of the comparison with the baseline alone; None likewise.
      compared, baseline_compared: how many examples of either side that comparison is of, drawn where there are many.
      features: the features that changed, the one furthest beyond chance first; at most six.
      feature: the most unusual feature, changed or not; "" where nothing was compared.
      distance, distance_threshold: of that feature: the statistic, and what it has to exceed; None likewise.
      checks: what each check says of the window in a word, by what it looks at.
      estimated, measured: the accuracy without labels and by labels; None where it is not known.
      baseline_accuracy: of the held-out examples; None where it is not known.
      least_accuracy: the least accuracy that is allowed, in [0, 1]; None where it is not known.

    """

    model: str
    window: int
    state: State
    sentence: str
    run: int
    run_id: str
    version: str
    examples: int
    judged_at: float
    reference: str = ""
    baseline_examples: int = 0
    first_request: float | None = None
    last_request: float | None = None
    late: bool = False
    p_value: float | None = None
    p_threshold: float | None = None
    skew_p_value: float | None = None
    compared: int = 0
    baseline_compared: int = 0
    features: tuple[str, ...] = ()
    feature: str = ""
    distance: float | None = None
    distance_threshold: float | None = None
    checks: Mapping[str, str] | None = None
    estimated: Proportion | None = None
    measured: Proportion | None = None
    baseline_accuracy: Proportion | None = None
    least_accuracy: float | None = None

    @property
    def fine(self) -> bool:
        return self.state is State.FINE

    @property
    def accuracy(self) -> Proportion | None:
        """By labels where there are some, else estimated."""
        return self.measured or self.estimated

    @property
    def fell_by_estimate(self) -> bool:
        """Whether the window is undecided although the interval of its estimated accuracy is below what is allowed.

        Then only the estimate's own errors may explain the fall, and labels decide.
        """
        check, estimated, least = (self.checks or {}).get(CheckOf.ACCURACY.value), self.estimated, self.least_accuracy
        if {self.state.value, check} != {State.UNDECIDED.value} or estimated is None or least is None:
            return False
        return estimated.bounded and estimated.high < least

    def to_json(self) -> str:
        record = {**asdict(self), "state": self.state.value, "format_version": FORMAT_VERSION}
        for name in _PROPORTIONS:
            record[name] = _plain(getattr(self, name))
        return json.dumps(record, allow_nan=False)

    @staticmethod
    def from_json(text: str) -> "WindowRecord":
        """Reads what `to_json` wrote. Raises `MonitorError` for anything else."""
        try:
            record = parse_json(text)
            require(record["format_version"] == FORMAT_VERSION, "format_version", f"be {FORMAT_VERSION}", record)
            require_known(record["state"], [state.value for state in OF_SPANS], "state")
            record = {"reference": "", **record}  # there was none to name before
            known = {field.name: record[field.name] for field in fields(WindowRecord)}
            known |= {name: None if record[name] is None else _proportion(record[name]) for name in _PROPORTIONS}
            return WindowRecord(**{**known, "state": State(record["state"]), "features": tuple(record["features"])})
        except (TextError, KeyError, TypeError, ValueError) as error:
            raise MonitorError(f"This is no record of a window: {error!r}. It begins {text[:60]!r}") from error


def record_of(run: Run, point: Point, **known: Any) -> WindowRecord:
    """The record of a run on a span.

    Args:
      run: the run.
      point: what the store says of it, see `timeline.point_of`.
      known: what only whoever collected the window knows: `first_request`, `last_request`, `late`.

    """
    return WindowRecord(
        model=run.pipeline,
        window=point.span,
        state=point.verdict.state,
        sentence=point.verdict.sentence,
        run=run.id,
        run_id=run.run_id,
        version=point.version,
        reference=point.reference,
        judged_at=run.started.timestamp() + run.seconds,
        p_value=point.verdict.p_value,
        p_threshold=point.allowed,
        checks={of.value: check.state.value for of, check in point.checks.items()},
        estimated=point.estimated,
        measured=point.real,
        baseline_accuracy=point.baseline,
        least_accuracy=point.least,
        **_compared(run, point.checks.get(CheckOf.DATA)),
        **known,
    )


def _compared(run: Run, data: SpanCheck | None) -> dict[str, Any]:
    """What the comparison with the baseline was of, and which features changed; nothing where it cannot be read."""
    if data is None:
        return {"examples": 0}
    try:
        found = run.files.record(data.artifact.path(DRIFT_REPORT_JSON), DriftReport.from_json)
    except (*DAMAGE, OSError):  # the verdict says that it is damaged
        return {"examples": int(data.artifact.properties.get("window_size", 0))}
    of_features = [each for each in found.measurements if each.feature]
    first = of_features[0] if of_features else None
    return {
        "examples": found.window.examples,
        "baseline_examples": found.baseline.examples if found.baseline else 0,
        "skew_p_value": found.skew_p_value,
        "compared": found.window.sampled,
        "baseline_compared": found.baseline.sampled if found.baseline else 0,
        "features": tuple(found.changed_features[:_SHOWN]),
        "feature": first.feature if first else "",
        "distance": first.measured if first else None,
        "distance_threshold": first.threshold if first else None,
    }


def _plain(found: Proportion | None) -> list[float | None] | None:
    if found is None:
        return None
    ends = (found.low, found.high) if found.bounded else (None, None)
    return [found.value, *ends, found.total]


def _proportion(plain: list[Any]) -> Proportion:
    value, low, high, total = plain
    return Proportion(value, total=total) if low is None else Proportion(value, low, high, total)
