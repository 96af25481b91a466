"""The incidents of a model as its windows come, for whoever is told of each window and records nothing."""

from collections import Counter
from collections.abc import Sequence

from ..reading.window_record import WindowRecord
from .incident import NOTHING, Change, Incident, Kind, step
from .sequences import Ring, Sequences
from .settings import IncidentsConfig


class Course:
    """Goes on from the windows that were seen; what it knows is what `incident.follow` says of all of them.

    Attributes:
      rings: what each test of many windows says after the last one.
      opened: incidents so far, by the severity that they were opened with or rose to last.
      words: windows so far, by the word of their verdict.
      examples, late_examples: in all windows so far, and in those of them that came late.

    """

    def __init__(self, rules: IncidentsConfig) -> None:
        self._rules = rules
        self._begin()

    def _begin(self) -> None:
        self._at, self._seen = NOTHING, 0
        self._sequences = Sequences(self._rules.budget)
        self._severities: dict[int, str] = {}
        self.rings: tuple[Ring, ...] = ()
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
            self.rings = self._sequences.step(record)
            self._at, change = step(self._at, record, self.rings, self._rules)
            self.words[record.state.value] += 1
            self.examples += record.examples
            self.late_examples += record.examples if record.late else 0
            if change is not None and change.kind in (Kind.OPENED, Kind.WORSE):
                self._severities[change.incident.number] = change.incident.severity.value
        self._seen = len(records)
        return change

    @property
    def incident(self) -> Incident | None:
        """The one that is open."""
        return self._at.incident

    @property
    def opened(self) -> Counter[str]:
        return Counter(self._severities.values())
