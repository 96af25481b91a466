"""What many windows say together: slow drift that no single one shows, and the accuracy over time.

The tests are those of `components.common.sequential`; here they are given the records of a model's windows. Each begins
anew with another version or another reference, for it is compared with something else then, and with the first window
that is fine after some that were changed or degraded, or whose accuracy fell by its estimate, by themselves: what these
said was told, and the model is not held to it any longer.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from components.common.errors import MonitorError
from components.common.sequential.accuracy import AccuracyFollowed, AccuracyState, AccuracyWindow, SourceAccuracy
from components.common.sequential.budget import Budget
from components.common.sequential.cusum import Cusum, DriftState, JudgedWindow
from components.common.verdict_words import State

from ..reading.window_record import WindowRecord

SLOW_DRIFT, ACCURACY = "slow drift", "accuracy over time"


@dataclass(frozen=True)
class Ring:
    """What a test says after a window.

    Attributes:
      test: `SLOW_DRIFT` or `ACCURACY`.
      statistic: the CUSUM; or the upper bound of the accuracy.
      threshold: what the CUSUM has to reach; or the accuracy that the bound must not be below.
      rings: whether it does, and has not recovered since.
      since: number of the window that it began with; None where nothing has begun.
      estimated: whether the accuracy is one without labels in some of the windows: the estimate's own errors are in no
        interval, and do not even out over time.

    """

    test: str
    statistic: float
    threshold: float
    rings: bool
    since: int | None = None
    estimated: bool = False


class Sequences:
    """The tests of one model, given its windows one after the other. `budget` is None where there are none."""

    def __init__(self, budget: Budget | None) -> None:
        self._budget = budget
        self._drift = Cusum(budget.drift_run_length) if budget else None
        self._against: tuple[str, str] | None = None  # the version, and the reference that is not its baseline
        self._drifted: DriftState | None = None
        self._accuracy: AccuracyFollowed | None = None
        self._accurate: AccuracyState | None = None
        self._estimated = False  # whether one of these accuracies is an estimate
        self._rang = False  # whether the last window said by itself that something is wrong

    def step(self, record: WindowRecord) -> tuple[Ring, ...]:
        """What each test says after one more window. Late windows are about a time that is over, and change nothing."""
        if self._budget is None or self._drift is None:
            return ()
        if not record.late:
            before = self._begun(record, self._drift)
            self._drifted = self._drift.step(before, _compared(record))
            self._follow_accuracy(record, self._budget)
            self._rang = record.state in (State.CHANGED, State.DEGRADED) or record.fell_by_estimate
        return (*_drift_rings(self._drifted), *_accuracy_rings(self._accurate, estimated=self._estimated))

    def _begun(self, record: WindowRecord, drift: Cusum) -> DriftState:
        """Where the drift stands before a window; begins both tests anew where it is time for that."""
        against = (record.version, record.reference)
        if self._drifted is None or against != self._against:
            self._against, self._accuracy, self._accurate = against, None, None
            return drift.start()
        if self._rang and record.fine:
            self._accurate = None
            return replace(self._drifted, value=0.0, since="", rings=False)  # what it knows of the baseline stays
        return self._drifted

    def _follow_accuracy(self, record: WindowRecord, budget: Budget) -> None:
        self._accuracy = self._accuracy or _followed(record, budget)
        if self._accuracy is not None:
            before, window = self._accurate or self._accuracy.start(), _labelled(record)
            begun = self._accurate is not None
            by_estimate = bool(window.labelled) and not _by_labels(record)
            self._estimated = by_estimate or (begun and self._estimated)
            self._accurate = self._accuracy.step(before, window)


def rings_of(records: Iterable[WindowRecord], budget: Budget | None) -> dict[int, tuple[Ring, ...]]:
    """What each test says after each window, by its number. `records` are in order; the same as `Sequences` window by
    window.
    """
    sequences = Sequences(budget)
    return {record.window: sequences.step(record) for record in records}


def of_test(rings: Sequence[Ring], test: str) -> Ring | None:
    return next((ring for ring in rings if ring.test == test), None)


def _compared(record: WindowRecord) -> JudgedWindow:
    """The comparison with the baseline; none of a window whose logs or data mean nothing."""
    sound = record.state is not State.INVALID and min(record.compared, record.baseline_compared) >= 1
    p_value = record.skew_p_value if sound and record.skew_p_value else None
    return JudgedWindow(str(record.window), p_value, record.compared, record.baseline_compared)


def _labelled(record: WindowRecord) -> AccuracyWindow:
    """The answers that are known to be right or wrong, or else what the estimate is worth of such."""
    window, measured, estimated = str(record.window), record.measured, record.estimated
    if record.state is not State.INVALID:
        if measured is not None and _by_labels(record):
            return AccuracyWindow(window, measured.count, measured.total)
        if estimated is not None and estimated.bounded and estimated.high > estimated.low:
            return AccuracyWindow.estimated(window, estimated)
    return AccuracyWindow(window, 0, 0)


def _by_labels(record: WindowRecord) -> bool:
    return record.measured is not None and record.measured.total > 0


def _followed(record: WindowRecord, budget: Budget) -> AccuracyFollowed | None:
    """The test against this baseline; None while its accuracy is not known, or too low for anything to be worse."""
    baseline, least = record.baseline_accuracy, record.least_accuracy
    if baseline is None or least is None or not baseline.total:
        return None
    tolerance = max(0.0, baseline.value - least)
    try:
        source = SourceAccuracy(baseline.count, baseline.total)
        return AccuracyFollowed(source, tolerance, budget.accuracy_run_length)
    except MonitorError:
        return None


def _drift_rings(state: DriftState | None) -> list[Ring]:
    if state is None:
        return []
    since = int(state.since) if state.since else None
    return [Ring(SLOW_DRIFT, state.value, state.threshold, state.rings, since)]


def _accuracy_rings(state: AccuracyState | None, *, estimated: bool) -> list[Ring]:
    if state is None:
        return []
    since = int(state.since) if state.since else None
    return [Ring(ACCURACY, state.highest, state.allowed, state.rings, since, estimated)]
