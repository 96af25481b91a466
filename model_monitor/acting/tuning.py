"""Past windows evaluated under other settings: what would have rung, and what would have been missed.

Every window of a monitored model has a sample of its examples with all that was measured of each, and the baseline has
one too, so that other settings need neither logs nor images, but for what only logs tell: which rows are of one moment,
of one client by a field, or of one image. Windows of another size are made of the rows of
consecutive windows in their order. What is compared is a window with the baseline, at the part of the false-alarm rate
that this comparison has beside the one with the previous span.
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from components.common.errors import MonitorError, require
from components.common.statistics.feature_sample import FeatureSample
from components.common.statistics.monitored_features import rows_of, select
from components.common.two_sample.comparison import CLASS_FEATURE, MAX_ROWS, Feature, compare_in_looks
from components.common.two_sample.false_alarms import least_permutations, p_value_threshold
from components.serving_log_example_gen.subsampling import Subsampling, lot

AS_THEY_CAME = 0  # the size of windows that are taken as they are
_COMPARISONS = 2  # that share the rate: with the baseline, and with the previous span
_ROW = "/"  # between the request's id and the number of the image in it


@dataclass(frozen=True)
class Setting:
    """What is tried.

    Attributes:
      false_alarm_rate: in (0, 0.5], of a window.
      window_examples: examples of a window, 30 or more; `AS_THEY_CAME`: the windows as they were judged.
      one_example_per: as `monitor.one_example_per`.
      features: patterns of the features that are compared, such as "image_*"; empty: all that are monitored.

    """

    false_alarm_rate: float
    window_examples: int = AS_THEY_CAME
    one_example_per: str = "example"
    features: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        rate, size = self.false_alarm_rate, self.window_examples
        require(math.isfinite(rate) and 0 < rate <= 0.5, "the false-alarm rate", "be in (0, 0.5]", rate)
        require(size == AS_THEY_CAME or size >= 30, "the window's examples", "be 30 or more", size)
        Subsampling.parse(self.one_example_per)


def _no_logs(one_example_per: str) -> Collection[str]:
    raise MonitorError("its logs are not known")


@dataclass(frozen=True)
class PastWindow:
    """A window that was judged.

    Attributes:
      number: its span.
      sample: of its examples.
      marked: whether the incident that it is in was marked as real (True) or as a false alarm (False); None: neither.
      taken: gives the ids of the rows that a `one_example_per` takes of its logs; raises `MonitorError` where these are
        gone.

    """

    number: int
    sample: FeatureSample
    marked: bool | None = None
    taken: Callable[[str], Collection[str]] = _no_logs


@dataclass(frozen=True)
class Baseline:
    """What windows are compared with: a sample, the bins of its features, and those that are monitored."""

    sample: FeatureSample
    features: dict[str, Feature]
    monitored: tuple[str, ...]


@dataclass(frozen=True)
class Piece:
    """A window as a setting would have made it: its sample, and the numbers of the past windows that it is made of."""

    sample: FeatureSample
    windows: tuple[int, ...]
    marked: bool | None


@dataclass(frozen=True)
class Tried:
    """What became of a setting.

    Attributes:
      setting: the one.
      pieces: how many windows it makes.
      rang: the past windows behind each one that rang.
      caught: windows marked as real in which one rang at all.
      missed: those in which none did.
      false: how many rang that are made of nothing but windows marked as false alarms.
      expected: how many would ring if nothing had ever changed.

    """

    setting: Setting
    pieces: int
    rang: tuple[tuple[int, ...], ...]
    caught: tuple[int, ...]
    missed: tuple[int, ...]
    false: int

    @property
    def expected(self) -> float:
        return self.setting.false_alarm_rate / _COMPARISONS * self.pieces


@dataclass
class Tuning:
    """Tries settings on past windows; what two settings have in common is worked out once.

    Args:
      windows: of one version, ascending.
      baseline: of that version.
      permutations, seed: of the permutation test.
      least_rate: the smallest false-alarm rate that is tried: it says which windows need all permutations.

    Attributes:
      lost: windows that a setting could not be tried on, each with the reason in a sentence.

    """

    windows: Sequence[PastWindow]
    baseline: Baseline
    permutations: int = 1999
    seed: int = 0
    least_rate: float = 0.01
    _p_values: dict[tuple[int, str, tuple[str, ...]], list[float]] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    _pieces: dict[tuple[int, str], list[Piece]] = field(default_factory=dict)
    _drawn: dict[str, list[PastWindow]] = field(default_factory=dict)

    def attempt(self, setting: Setting, step: Callable[[int, int], None] = lambda _done, _all: None) -> Tried:
        """What would have rung.

        Args:
          setting: the one to try.
          step: told how many windows were compared, of how many.

        Raises:
          MonitorError: there are no windows, or none that tells what `one_example_per` asks for; the features name
            none; or there are too few permutations for the rate.

        """
        require(bool(self.windows), "the store", "have windows that were compared with the served version", 0)
        least = least_permutations(setting.false_alarm_rate)
        rule = f"be {least} or more for a rate of {setting.false_alarm_rate}"
        require(self.permutations >= least, "monitor.permutations", rule, self.permutations)
        pieces = self._made(setting)
        p_values = self._compared(setting, pieces, step)
        rate = setting.false_alarm_rate / _COMPARISONS
        rows = min(len(self.baseline.sample.values), MAX_ROWS)
        rang = [
            piece
            for piece, p_value in zip(pieces, p_values, strict=True)
            if p_value <= p_value_threshold(rate, min(len(piece.sample.values), MAX_ROWS), rows)
        ]
        rung = {number for piece in rang for number in piece.windows}
        real = [window.number for window in self._windows(setting.one_example_per) if window.marked is True]
        return Tried(
            setting,
            pieces=len(pieces),
            rang=tuple(piece.windows for piece in rang),
            caught=tuple(number for number in real if number in rung),
            missed=tuple(number for number in real if number not in rung),
            false=sum(piece.marked is False for piece in rang),
        )

    def _made(self, setting: Setting) -> list[Piece]:
        key = (setting.window_examples, setting.one_example_per)
        if key not in self._pieces:
            self._pieces[key] = list(regrouped(self._windows(setting.one_example_per), setting.window_examples))
        return self._pieces[key]

    def _windows(self, one_example_per: str) -> list[PastWindow]:
        """The windows with the rows that are taken of them."""
        if one_example_per not in self._drawn:
            found = self._drawn[one_example_per] = []
            for each in self.windows:
                try:
                    found.append(replace(each, sample=drawn(each, one_example_per)))
                except MonitorError as error:
                    self.lost.append(f"Window {each.number} is left out of `{one_example_per}`: {error}")
            require(bool(found), "one_example_per", "be one that some window can tell", one_example_per)
        return self._drawn[one_example_per]

    def _compared(self, setting: Setting, pieces: Sequence[Piece], step: Callable[[int, int], None]) -> list[float]:
        names = self._names(setting.features)
        key = (setting.window_examples, setting.one_example_per, names)
        if key not in self._p_values:
            found = []
            for done, piece in enumerate(pieces):
                step(done, len(pieces))
                found.append(self._p_value(piece.sample, names))
            self._p_values[key] = found
        return self._p_values[key]

    def _names(self, patterns: Sequence[str]) -> tuple[str, ...]:
        return tuple(select(self.baseline.monitored, patterns, ())) if patterns else self.baseline.monitored

    def _p_value(self, window: FeatureSample, names: Sequence[str]) -> float:
        shared = [name for name in names if name == CLASS_FEATURE or name in window.names]
        classes = CLASS_FEATURE in shared and window.classes is not None and self.baseline.sample.classes is not None
        numeric = [name for name in shared if name in self.baseline.features]
        require(bool(numeric or classes), "features", "name one that the windows have", list(names))
        sides = [rows_of(each, numeric, classes=classes) for each in (self.baseline.sample, window)]
        features = [self.baseline.features[name] for name in numeric]
        reference, of = (min(len(each.values), MAX_ROWS) for each in sides)
        limit = p_value_threshold(self.least_rate / _COMPARISONS, of, reference)
        found = compare_in_looks(
            features, *sides, false_alarm_rate=limit, permutations=self.permutations, seed=self.seed
        )
        return found.p_value

    @cached_property
    def marked(self) -> bool:
        """Whether anybody has marked an incident, so that there is a truth to hold settings against."""
        return any(window.marked is not None for window in self.windows)


def drawn(window: PastWindow, one_example_per: str) -> FeatureSample:
    """The rows that `one_example_per` takes of a window: of those that compete, the one that is drawn by lot.

    Rows of which is not known what they compete within are left out, as ServingLogExampleGen leaves them out.

    Raises:
      MonitorError: it takes the logs to tell, and these are gone.

    """
    taken, sample = Subsampling.parse(one_example_per), window.sample
    if taken.by_image or taken.seconds or (taken.client and taken.client.field):
        ids = window.taken(one_example_per)
        return sample.take([row for row, identity in enumerate(sample.ids) if identity in ids])
    if not taken.by_request and taken.client is None:
        return sample
    best: dict[bytes, tuple[bytes, int]] = {}
    for row, identity in enumerate(sample.ids):
        name = identity.encode()
        request = identity.rpartition(_ROW)[0].encode()
        block = taken.client.of_request_id(request) if taken.client else request
        if block:
            best[block] = min(best.get(block, (lot(name), row)), (lot(name), row))
    return sample.take(sorted(row for _, row in best.values()))


def regrouped(windows: Iterable[PastWindow], examples: int) -> Iterator[Piece]:
    """The rows of windows in their order, in pieces of so many; what is left over at the end is no window.

    Args:
      windows: ascending.
      examples: of a piece; `AS_THEY_CAME`: each window is one.

    """
    if examples == AS_THEY_CAME:
        yield from (Piece(each.sample, (each.number,), each.marked) for each in windows if len(each.sample.values))
        return
    held: list[tuple[PastWindow, FeatureSample]] = []
    count = 0
    for window in windows:
        rest = window.sample
        while len(rest.values):
            part = rest.take(range(min(len(rest.values), examples - count)))
            rest = rest.take(range(len(part.values), len(rest.values)))
            held.append((window, part))
            count += len(part.values)
            if count == examples:
                yield _piece(held)
                held, count = [], 0


def _piece(held: Sequence[tuple[PastWindow, FeatureSample]]) -> Piece:
    marks = {window.marked for window, _ in held}
    numbers = tuple(dict.fromkeys(window.number for window, _ in held))
    return Piece(
        FeatureSample.joined([part for _, part in held]), numbers, next(iter(marks)) if len(marks) == 1 else None
    )
