"""The story as it is printed: what happens, what the monitor says of it, what is done, and the timeline at the end."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from components.common.verdict_words import COLOURS, MEANINGS

from ..acting.recorded import Act
from ..incidents.incident import Change, Kind
from ..reading.window_record import WindowRecord
from ..showing import acts as showing_acts
from ..showing import incidents as showing
from ..showing.lines import say
from .story import Chapter

_BLOCK = "■"
_INDENT = "    "


class Teller:
    """Prints the story to a console."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def opens(self, number: int, chapter: Chapter) -> None:
        self._console.print(f"\n[bold]{number}. {escape(chapter.title)}[/]")
        say(self._console, escape(chapter.opening))

    def happens(self, sentence: str) -> None:
        self._beneath(escape(sentence))

    def judged(self, record: WindowRecord, seconds: float) -> None:
        """A window, and how long after its last request its verdict was there."""
        tone = COLOURS.get(MEANINGS[record.state].tone, "")
        chance = "" if record.p_value is None else f"  p {record.p_value:<7.2g}"
        known = "" if record.accuracy is None else f"  accuracy {record.accuracy.value:.2f}"
        version = f"  version {record.version[-4:]}" if record.version else ""
        word = f"[{tone}]{record.state.words:<9}[/]"
        self._console.print(
            f"{_INDENT}window {record.window:<2} {word}{chance}{known}{version}  [dim]{seconds:.1f} s[/]"
        )

    def changed(self, change: Change) -> None:
        """What a window did to an incident."""
        incident = change.incident
        if change.kind is Kind.CLOSED:
            self._incident("green", f"Incident {incident.number} is closed. {showing.how_it_ended(incident)}.")
            return
        opened = "opened" if change.kind is Kind.OPENED else change.kind.value.replace("_", " ")
        colour = showing.SEVERITY_COLOURS[incident.severity]
        what = f"Incident {incident.number} {opened}, {incident.severity.value}: {showing.what_changed(incident)}."
        self._incident(colour, f"{what} Does it hurt? {showing.whether_it_hurts(incident).capitalize()}.")

    def done(self, act: Act) -> None:
        self._incident("bold", f"{showing_acts.words(act)}.")

    def _incident(self, colour: str, sentence: str) -> None:
        self._beneath(f"[{colour}]►[/] {escape(sentence)}")

    def _beneath(self, markup: str) -> None:
        """A sentence that is about the window above it, set in as a whole."""
        self._console.print(Padding(markup, (0, 0, 0, len(_INDENT))))

    def ends(self, records: Sequence[WindowRecord], asides: Sequence[str]) -> None:
        """The timeline: a block a window, and beneath it what is worth knowing."""
        self._console.print("\n[bold]The timeline[/]")
        blocks = [f"[{COLOURS.get(MEANINGS[each.state].tone, '')}]{_BLOCK}[/]" for each in records]
        self._console.print(f"{_INDENT}{' '.join(blocks)}")
        self._console.print(f"{_INDENT}{' '.join(str(each.window % 10) for each in records)}")
        words = {each.state: sum(other.state is each.state for other in records) for each in records}
        told = ", ".join(
            f"[{COLOURS.get(MEANINGS[word].tone, '')}]{count} {word.words}[/]" for word, count in words.items()
        )
        self._console.print(f"{_INDENT}{len(records)} windows: {told}\n")
        for each in asides:
            say(self._console, each)
