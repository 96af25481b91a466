"""What the tables at the end of a training and of a monitoring run have in common."""

from collections.abc import Iterable
from pathlib import Path

from rich.markup import escape

from components.common import verdict_words
from components.common.artifacts.anomalies import Anomaly
from components.common.pages.page_artifact import page_of
from components.common.verdict_words import COLOURS

from ..reading import roles
from ..reading.run_store import Run

MARKS = {outcome: f"[{COLOURS[outcome.value]}]{mark}[/]" for outcome, mark in verdict_words.MARKS.items()}


def told(anomalies: Iterable[Anomaly]) -> list[str]:
    """A line for each anomaly: the feature, if it is about one, and what is wrong."""
    return [escape(anomaly.line) for anomaly in anomalies]


def report_file(run: Run) -> Path:
    """The page that the run made of itself."""
    return Path(page_of(run.node(roles.REPORT).output("report")))


def times(run: Run) -> str:
    """Seconds of every step that ran, and how many did not have to."""
    ran = [node for node in run.nodes.values() if not node.cached]
    parts = [f"{node.name} {node.seconds:.1f}s" for node in ran]
    if from_cache := len(run.nodes) - len(ran):
        parts.append(f"{from_cache} {'step' if from_cache == 1 else 'steps'} from cache")
    return f"{sum(node.seconds for node in ran):.1f} s in all: {', '.join(parts)}"
