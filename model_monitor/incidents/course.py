"""The incidents of a model as its windows come, for whoever is told of each window and records nothing."""

from collections import Counter
from collections.abc import Sequence

from ..reading.window_record import WindowRecord
from .incident import NOTHING, Change, Incident, Kind, step
from .sequences import Ring, Sequences
from .settings import IncidentsConfig


class Steps:
    """The windows of one model, one after the other, with what came before each.

    Attributes:
      rings: what each test of many windows says after the last one.

    """

    def __init__(self, rules: IncidentsConfig) -> None:
        self._rules = rules
        self._at = NOTHING
        self._sequences = Sequences(rules.budget)
        self.rings: tuple[Ring, ...] = ()

    def take(self, record: WindowRecord) -> Change | None:
        """What one more window changes."""
        self.rings = self._sequences.step(record)
        self._at, change = step(self._at, record, self.rings, self._rules)
        return change

    @property
    def incident(self) -> Incident | None:
        """The one that is open."""
        return self._at.incident


class Course:
    """Goes on from the windows that were seen; what it knows is what `incident.follow` says of all of them.

    Attributes:
      opened: incidents so far, by the severity that they were opened with or rose to last.
      words: windows so far, by the word of their verdict.
      examples, late_examples: in all windows so far, and in those of them that came late.

    """

    def __init__(self, rules: IncidentsConfig) -> None:
        self._rules = rules
        self._begin()

    def _begin(self) -> None:
        self._steps, self._seen = Steps(self._rules), 0
        self._severities: dict[int, str] = {}
        self.words: Counter[str] = Counter()
        self.examples = self.late_examples = 0

    def go_on(self, records: Sequence[WindowRecord]) -> Change | None:
        """What the last of the records changes.

        Args:
          records: all windows in the order in which they were judged; those that were seen are not looked at again,
            unless there are no new ones, as when a window is told once more.

        """
        if len(records) <= self._seen:
            self._begin()
        change = None
        for record in records[self._seen :]:
            change = self._steps.take(record)
            self.words[record.state.value] += 1
            self.examples += record.examples
            self.late_examples += record.examples if record.late else 0
            if change is not None and change.kind in (Kind.OPENED, Kind.WORSE):
                self._severities[change.incident.number] = change.incident.severity.value
        self._seen = len(records)
        return change

    @property
    def rings(self) -> tuple[Ring, ...]:
        """What each test of many windows says after the last one."""
        return self._steps.rings

    @property
    def incident(self) -> Incident | None:
        """The one that is open."""
        return self._steps.incident

    @property
    def opened(self) -> Counter[str]:
        return Counter(self._severities.values())
