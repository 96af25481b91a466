"""Compares a window with what it is held against, and decides what can be said of it. Knows neither TFX nor TFDV."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..common.errors import require
from ..common.proportion import score_interval
from ..common.records.drift_report import DriftReport, Measurement, Side, State, ranked
from ..common.statistics.feature_sample import FeatureSample
from ..common.statistics.monitored_features import (
    DRIFT,
    MIN_BASELINE_EXAMPLES,
    SKEW,
    known_names,
    name_of,
    rows_of,
)
from ..common.statistics.usability import LABELS, MAX_UNUSABLE, unusable
from ..common.two_sample.comparison import CLASS_FEATURE, MAX_ROWS, Comparison, Feature, TwoSampleTest, compare_in_looks
from ..common.two_sample.false_alarms import p_value_threshold, require_rate, together
from ..common.verdict import Outcome
from .problems import ERROR, REFERENCES, UNUSABLE, WARNING, Problem
from .report_sentence import sentence

_DOUBT = 5.0  # standard errors
# What can be said first when several things can: what is known to be wrong, then what is not known.
_PRECEDENCE = (
    State.CHANGED,
    State.INVALID,
    State.TOO_FEW_EXAMPLES,
    State.NO_BASELINE,
    State.BASELINE_TOO_SMALL,
    State.NO_PREVIOUS_SPAN,
)


class Described(Protocol):
    """Statistics of examples, and a sample of the same examples."""

    @property
    def data(self) -> Any:
        """A `DatasetFeatureStatistics`."""

    @property
    def sample(self) -> FeatureSample: ...

    @property
    def binned(self) -> Mapping[str, Feature]:
        """The bins of `data`, see `binned_features`."""

    @property
    def span(self) -> int | None: ...


@dataclass(frozen=True)
class Sides:
    """A window and what it is compared with.

    Attributes:
      window: The window.
      references: By comparison: for "skew" the baseline, for "drift" the previous span; None where there is none.
      connected: By comparison: whether the pipeline has such an input, even if it holds nothing.

    """

    window: Described
    references: Mapping[str, Described | None]
    connected: Mapping[str, bool]


@dataclass(frozen=True)
class Settings:
    """How windows are judged.

    Attributes:
      false_alarm_rate: In (0, 0.5]: the chance that a window from the baseline's own distribution raises any alarm;
        given the baseline, at most 1.5 times as much for 95 % of baselines.
      min_examples: Windows with fewer examples, 2 or more, are not judged.
      permutations: How many times the rows of both sides are permuted, at most: see `compare_in_looks`.
      seed: Of the permutations.

    Raises:
      MonitorError: a value breaks a rule above, or there are too few permutations for the rate.

    """

    false_alarm_rate: float = 0.01
    min_examples: int = 30
    permutations: int = 1999
    seed: int = 0

    def __post_init__(self) -> None:
        for what, value, least in (
            ("min_examples", self.min_examples, 2),
            ("permutations", self.permutations, 1),
            ("seed", self.seed, 0),
        ):
            whole = isinstance(value, int) and not isinstance(value, bool) and value >= least
            require(whole, what, f"be a whole number, {least} or more", value)
        require_rate(self.false_alarm_rate, self.permutations)


@dataclass(frozen=True)
class Pair:
    """What one comparison, "skew" or "drift", is made of."""

    comparison: str
    reference: Described
    window: Described


@dataclass(frozen=True)
class Compared:
    """One comparison. `result` is None where no feature could be compared."""

    pair: Pair
    features: tuple[Feature, ...]
    result: Comparison | None
    measurements: tuple[Measurement, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def limits(self) -> dict[tuple[str, str], TwoSampleTest]:
        """The checks by (test, feature)."""
        return {(each.test, each.feature): each for each in self.result.checks} if self.result else {}


def side(described: Described) -> Side:
    """What a report says of one side."""
    return Side(described.data.num_examples, _compared_rows(described), described.span)


def gaps(sides: Sides, settings: Settings) -> list[Problem]:
    """Everything that keeps the window from being compared as it should be."""
    found = _window_gaps(sides.window.data.num_examples, settings)
    baseline, previous = sides.references[SKEW], sides.references[DRIFT]
    if baseline is None:
        found.append(_missing(SKEW, State.NO_BASELINE, ERROR, sides.connected[SKEW]))
    elif len(baseline.sample.values) < MIN_BASELINE_EXAMPLES:
        sentence = f"the baseline has {len(baseline.sample.values)} examples, {MIN_BASELINE_EXAMPLES} are needed"
        found.append(_control("Baseline too small", sentence, ERROR, State.BASELINE_TOO_SMALL))
    if previous is None:
        held_nothing = sides.connected[DRIFT]
        found.append(_missing(DRIFT, State.NO_PREVIOUS_SPAN, ERROR if held_nothing else WARNING, held_nothing))
    elif previous.data.num_examples < settings.min_examples:
        sentence = f"the previous span has {previous.data.num_examples} examples, {settings.min_examples} are needed"
        found.append(_control("Previous span too small", sentence, WARNING, State.NO_PREVIOUS_SPAN))
    return found


def unusable_parts(sides: Sides) -> list[Problem]:
    """What of the window cannot be used, where that is more than a baseline may have: the cause of much that differs.

    Beyond doubt, which is five standard errors, it is an error, otherwise a warning.
    """
    found = []
    for part in unusable(sides.window.data):
        if part.what != LABELS and part.too_many:
            low, _ = score_interval(part.count / part.examples, part.examples, _DOUBT)
            state, severity = (State.INVALID, ERROR) if low > MAX_UNUSABLE else (None, WARNING)
            told = f"{part}{_of_reference(sides.references[SKEW], part.what)}"
            found.append(Problem("", "CUSTOM_VALIDATION", severity, f"{UNUSABLE} {part.what}", told, state))
    return found


def _of_reference(baseline: Described | None, what: str) -> str:
    parts = [] if baseline is None else [part for part in unusable(baseline.data) if part.what == what]
    return "".join(f", {part.count:,} of {part.examples:,} in the baseline" for part in parts)


def compare_all(
    sides: Sides, names: Mapping[str, Sequence[str]], missing: Iterable[Problem], settings: Settings
) -> list[Compared]:
    """Makes the comparisons that can be made, which share the false-alarm rate.

    The baseline stays the same from window to window, so that its own sampling error is part of every one of them: the
    p-value that raises the alarm is such that the rate holds all the same. The previous span is another one each time.

    Args:
      sides: What there is.
      names: By comparison, the monitored features.
      missing: What `gaps` found.
      settings: How to compare.

    """
    states = {problem.state for problem in missing}
    possible = {SKEW: {State.NO_BASELINE, State.BASELINE_TOO_SMALL}, DRIFT: {State.NO_PREVIOUS_SPAN}}
    chosen = [each for each, without in possible.items() if not states & {State.TOO_FEW_EXAMPLES, *without}]
    rate = settings.false_alarm_rate / max(1, len(chosen))
    references = ((each, sides.references[each]) for each in chosen)
    return [
        compare_with(pair, names[pair.comparison], _threshold(pair, rate), settings)
        for pair in (Pair(each, found, sides.window) for each, found in references if found is not None)
    ]


def _threshold(pair: Pair, rate: float) -> float:
    """The p-value at which the comparison raises the alarm."""
    if pair.comparison != SKEW:
        return rate
    return p_value_threshold(rate, _compared_rows(pair.window), _compared_rows(pair.reference))


def _compared_rows(described: Described) -> int:
    return min(len(described.sample.values), MAX_ROWS)


def compare_with(pair: Pair, names: Sequence[str], threshold: float, settings: Settings) -> Compared:
    """Compares the window with a reference in the features of `names`, as far as both have them.

    The alarm is raised at a p-value of `threshold` or less.

    Raises:
      MonitorError: the two were counted in different bins.

    """
    comparison, reference, window = pair.comparison, pair.reference, pair.window
    ours, theirs = (known_names(each.binned, each.sample) for each in (window, reference))
    shared = [name for name in names if name in ours and name in theirs]
    lacking = [_not_compared(comparison, name, in_window=name in ours) for name in names if name not in shared]
    if not shared:
        return Compared(pair, (), None, problems=tuple(lacking))
    features = _same_bins(reference.binned, window.binned, [name for name in shared if name != CLASS_FEATURE])
    sides = [
        rows_of(each.sample, [feature.name for feature in features], classes=CLASS_FEATURE in shared)
        for each in (reference, window)
    ]
    result = compare_in_looks(
        features, *sides, false_alarm_rate=threshold, permutations=settings.permutations, seed=settings.seed
    )
    means = (_means(reference.data), _means(window.data))
    found = [_measurement(comparison, check, *means) for check in result.checks]
    return Compared(pair, features, result, ranked(found), tuple(lacking))


def report(sides: Sides, compared: Sequence[Compared], problems: Sequence[Problem], settings: Settings) -> DriftReport:
    """Everything together, with the state that follows from it.

    Raises:
      MonitorError: nothing was compared and no problem says why.

    """
    done = {each.pair.comparison: each.result for each in compared if each.result}
    p_values = {name: result.p_value for name, result in done.items()}
    limits = {name: result.false_alarm_rate for name, result in done.items()}
    measurements = ranked(found for each in compared for found in each.measurements)
    p_value, p_threshold = together((p_values[name], limits[name]) for name in done) if done else (None, None)
    states = {problem.state for problem in problems} | {State.CHANGED for each in measurements if each.exceeded}
    state = next((each for each in _PRECEDENCE if each in states), State.FINE)
    require(bool(done) or state is not State.FINE, "problems", "say why nothing was compared", problems)
    unsaid = DriftReport(
        state=state,
        outcome=_outcome(state, problems),
        sentence="",
        p_value=p_value,
        false_alarm_rate=settings.false_alarm_rate,
        skew_p_value=p_values.get(SKEW),
        drift_p_value=p_values.get(DRIFT),
        window=side(sides.window),
        baseline=_side_or_none(sides.references[SKEW]),
        previous=_side_or_none(sides.references[DRIFT]),
        problems=tuple(problem.said for problem in problems),
        measurements=measurements,
        p_threshold=p_threshold,
        skew_p_threshold=limits.get(SKEW),
        drift_p_threshold=limits.get(DRIFT),
        invalid=tuple(problem.said for problem in problems if problem.state is State.INVALID),
    )
    return DriftReport(**{**vars(unsaid), "sentence": sentence(unsaid, problems)})


def _side_or_none(described: Described | None) -> Side | None:
    return None if described is None else side(described)


def _window_gaps(examples: int, settings: Settings) -> list[Problem]:
    state = State.TOO_FEW_EXAMPLES
    if not examples:
        return [Problem("", "NO_DATA_IN_SPAN", ERROR, "No examples", "the window has no examples", state)]
    if examples < settings.min_examples:
        sentence = f"the window has {examples} examples, {settings.min_examples} are needed"
        return [Problem("", "COMPARATOR_LOW_NUM_EXAMPLES", ERROR, "Too few examples", sentence, state)]
    return []


def _missing(comparison: str, state: State, severity: str, held_nothing: bool) -> Problem:
    name = REFERENCES[comparison]
    why = "its statistics are connected but hold nothing" if held_nothing else "no statistics of one are connected"
    return _control(f"No {name}", f"the window was not compared with a {name}: {why}", severity, state)


def _control(title: str, sentence: str, severity: str, state: State) -> Problem:
    return Problem("", "COMPARATOR_CONTROL_DATA_MISSING", severity, title, sentence, state)


def _not_compared(comparison: str, name: str, *, in_window: bool) -> Problem:
    """A monitored feature that one side lacks. Only what the previous span lacked is no fault of the window."""
    harmless = comparison != SKEW and in_window
    lacks = REFERENCES[comparison] if in_window else "window"
    return Problem(
        name,
        "STATS_NOT_AVAILABLE",
        WARNING if harmless else ERROR,
        "Not compared",
        f"not compared with the {REFERENCES[comparison]}: the {lacks} has no values of it",
        None if harmless else State.INVALID,
    )


def _same_bins(theirs: Mapping[str, Feature], ours: Mapping[str, Feature], names: Sequence[str]) -> tuple[Feature, ...]:
    for name in names:
        rule = f"have the window's bins of {name}: made by the same version of ImageStatisticsGen"
        require(theirs[name] == ours[name], "the statistics compared with", rule, theirs[name].bin_edges[:4])
    return tuple(ours[name] for name in names)


def _means(data: Any) -> dict[str, float]:
    numeric = (each for each in data.features if each.WhichOneof("stats") == "num_stats")
    return {name_of(each): each.num_stats.mean for each in numeric}


def _measurement(
    comparison: str, check: TwoSampleTest, reference_means: Mapping[str, float], window_means: Mapping[str, float]
) -> Measurement:
    return Measurement(
        comparison=comparison,
        feature=check.feature,
        test=check.test,
        measured=check.measured,
        threshold=_finite(check.threshold),
        p_value=check.p_value,
        adjusted_p_value=check.adjusted_p_value,
        excess=_finite(check.excess),
        reference_mean=_finite(reference_means.get(check.feature, math.nan)),
        window_mean=_finite(window_means.get(check.feature, math.nan)),
    )


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _outcome(state: State, problems: Iterable[Problem]) -> Outcome:
    if state in (State.CHANGED, State.INVALID):
        return Outcome.FAILED
    only_warned = all(problem.severity == WARNING for problem in problems)
    harmless = state is State.FINE or (state is State.NO_PREVIOUS_SPAN and only_warned)
    return Outcome.PASSED if harmless else Outcome.UNDECIDED
