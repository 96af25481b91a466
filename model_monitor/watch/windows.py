"""Which window a record goes into, and when a window is closed. Pure: no files, no clock of its own.

A window is of one model version and takes what comes, in the order in which it is taken up. It is closed

    examples   when it has so many of them,
    minutes    so long after its first record was taken up,
    records    when it has ten times as many records as it may have examples, most of them of no use,
    superseded when a whole other window has come in the meantime, and nothing for this one: the other version has
               taken over, or nothing is late any more,
    passed over  likewise, where it has too few examples to be judged and no record was damaged: after a push, the few
               that an old version answered last, or of which nobody knows which version did,
    end        when there is nothing more to come.

A record that is older than the end of the last closed window of its version, by more than is allowed, belongs to a
window that is closed. It goes into a late window, which is marked as such, and closed by the same rules. Windows have
numbers from 1, in the order in which they were opened.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

PASSED_OVER = "passed over"
MOST_OTHERS = 10  # records that a window takes for each example that it may have


@dataclass(frozen=True)
class Moment:
    """A point in time that durations are reckoned from, also by another process.

    Attributes:
      wall: seconds since the epoch, by a clock that may be set.
      monotonic: seconds since some moment of this boot of the machine, by a clock that nobody sets.
      boot: which boot that is.

    """

    wall: float
    monotonic: float
    boot: str

    def since(self, earlier: "Moment") -> float:
        """Seconds from an earlier moment to this one, 0 or more; of another boot, as far as the wall clock tells."""
        same = self.boot == earlier.boot
        passed = self.monotonic - earlier.monotonic if same else self.wall - earlier.wall
        return max(0.0, passed)


@dataclass(frozen=True)
class Limits:
    """When windows are closed: at `examples`, after `seconds` (None: never); `lateness` is what is allowed, seconds.

    A window with fewer than `least` examples cannot be judged.
    """

    examples: int
    seconds: float | None = None
    lateness: float = 600.0
    least: int = 0


@dataclass(frozen=True)
class Arrival:
    """What is known of a record when it is taken up.

    Attributes:
      version: of the window that it goes into.
      examples: how many it counts for; 0 where the window's version did not answer it.
      timestamp: when the request came, seconds since the epoch; None where the log does not say.
      damaged: whether it is a stretch that no record could be read from.

    """

    version: int
    examples: int = 1
    timestamp: float | None = None
    damaged: bool = False


@dataclass(frozen=True)
class Window:
    """A window, as far as it has come.

    Attributes:
      number: from 1.
      version: of the model, whose baseline it is compared with.
      late: whether it takes what belonged to windows that are closed.
      opened: when its first record was taken up.
      examples: how many it has.
      records: how many it has, whole or damaged.
      others: how many of them count for no example.
      damaged: how many of them could not be read.
      first_request, last_request: when its first and last request came; None where no log says.
      until: the latest request that came before it was taken up: a server's clock may be ahead of all others.
      closed: why it was closed; "" while it is open.
      first, last: the places of its first and its last record among all that were taken up, from 1.

    """

    number: int
    version: int
    late: bool
    opened: Moment
    examples: int = 0
    records: int = 0
    others: int = 0
    damaged: int = 0
    first_request: float | None = None
    last_request: float | None = None
    until: float | None = None
    closed: str = ""
    first: int = 0
    last: int = 0

    def plus(self, arrival: Arrival, now: Moment, lateness: float, place: int) -> "Window":
        """The window with a record more, the one at `place` of all that were taken up."""
        time = arrival.timestamp
        believed = None if time is None or time > now.wall + lateness else time
        return replace(
            self,
            examples=self.examples + arrival.examples,
            records=self.records + 1,
            others=self.others + (arrival.examples == 0),
            damaged=self.damaged + arrival.damaged,
            first_request=_of(min, self.first_request, time),
            last_request=_of(max, self.last_request, time),
            until=_of(max, self.until, believed),
            first=self.first or place,
            last=place,
        )


@dataclass
class Windows:
    """The open windows, and what is known of those before them.

    Attributes:
      limits: when they are closed.
      open: by version, and whether they are late.
      ends: by version, the latest request of the windows that were closed.
      number: of the last window that was opened.
      taken: how many records were taken up.

    """

    limits: Limits
    open: dict[tuple[int, bool], Window] = field(default_factory=dict)
    ends: dict[int, float] = field(default_factory=dict)
    number: int = 0
    taken: int = 0

    @staticmethod
    def of(limits: Limits, known: Iterable[Window], ends: dict[int, float], number: int) -> "Windows":
        """The state that a journal has kept: the open windows, and of those that are closed the ends and the number."""
        opened = {(each.version, each.late): each for each in known}
        taken = max((each.last for each in opened.values()), default=0)
        return Windows(limits, opened, dict(ends), number, taken)

    def place(self, arrival: Arrival, now: Moment) -> list[Window]:
        """Takes a record up; the window that it is in, and behind it those that are closed by it besides."""
        late = self._is_late(arrival, now)
        window = self.open.get((arrival.version, late))
        if window is None:
            self.number += 1
            window = Window(self.number, arrival.version, late, opened=now)
        self.taken += 1
        window = window.plus(arrival, now, self.limits.lateness, self.taken)
        self.open[arrival.version, late] = window
        if window.examples >= self.limits.examples:
            return [self._close(window, "examples"), *self._superseded(window)]
        if window.records >= MOST_OTHERS * self.limits.examples:
            return [self._close(window, "records"), *self._superseded(window)]
        return [window]

    def due(self, now: Moment) -> list[Window]:
        """The windows that are closed because they were open long enough, in order."""
        seconds = self.limits.seconds
        if seconds is None:
            return []
        old = [each for each in self.open.values() if now.since(each.opened) >= seconds]
        return [self._close(each, "minutes") for each in _in_order(old)]

    def seconds_left(self, now: Moment) -> float | None:
        """Until the next window is due; None where none will be."""
        if self.limits.seconds is None or not self.open:
            return None
        return max(0.0, min(self.limits.seconds - now.since(each.opened) for each in self.open.values()))

    def end(self) -> list[Window]:
        """Closes all windows: nothing more is to come."""
        return [self._close(each, "end") for each in _in_order(self.open.values())]

    def _is_late(self, arrival: Arrival, now: Moment) -> bool:
        end = self.ends.get(arrival.version)
        if end is None or arrival.timestamp is None:
            return False
        if end > now.wall + self.limits.lateness:  # the clock was set back since: that end was no time of today's
            del self.ends[arrival.version]
            return False
        return arrival.timestamp < end - self.limits.lateness

    def _superseded(self, window: Window) -> Iterator[Window]:
        """The windows that got nothing since this one, which is full, was opened."""
        if not window.late:
            for each in _in_order(self.open.values()):
                if each.last < window.first:
                    few = each.examples < self.limits.least and not each.damaged
                    yield self._close(each, PASSED_OVER if few else "superseded")

    def _close(self, window: Window, why: str) -> Window:
        del self.open[window.version, window.late]
        if window.until is not None and not window.late:
            self.ends[window.version] = max(window.until, self.ends.get(window.version, window.until))
        return replace(window, closed=why)


def _in_order(windows: Iterable[Window]) -> list[Window]:
    return sorted(windows, key=lambda each: each.number)


def _of(which: object, known: float | None, new: float | None) -> float | None:
    """The smaller or the larger of two numbers of which either may not be known."""
    if known is None or new is None:
        return new if known is None else known
    return which(known, new)  # type: ignore[operator]
