"""`model-monitor why`: why a model was or was not pushed, or a span is or is not fine."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from components.common.errors import MonitorError

from ..acting import recorded
from ..acting.recorded import Act
from ..reading.explanation import explain
from ..reading.history import History
from ..reading.run_store import Run
from ..showing import reasons
from ..showing.acts import records, words
from ..showing.json_records import explanation_record
from ..terminal import make_console
from . import EXIT_FINE
from .storing import NEWEST, SUBJECT, add_json, add_store, fail_on, open_history, print_json

DESCRIPTION = """Says why: pushed or not, fine or not, by which check, what was measured and what is allowed, since
when, from which data, and what to open. Reads only. Exit code: 0, or with --exit-code that of the verdict."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "subject", nargs="?", default="", metavar="RUN|MODEL|span:N", help=f"{SUBJECT}; default: {NEWEST}"
    )
    parser.add_argument(
        "--exit-code",
        action="store_true",
        help="0 fine or pushed, 2 what `monitor.fail_on` names or not pushed, 1 no verdict (without it: 0)",
    )
    add_store(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    history, console = open_history(options), make_console()
    done = recorded.recorded(history.store)
    subject, way = _origin(options.subject, done)
    found = explain(history, _subject(history, subject, way))
    about = {"run": str(found.run.id), "reference": found.reference}
    others = (act for act in done if any(value and act.details.get(key) == value for key, value in about.items()))
    acts = [*way, *(act for act in others if act not in way)]
    if options.json:
        print_json(console, {**explanation_record(history, found), "acts": records(acts)})
    else:
        reasons.show(history, found, console, [words(act) for act in acts])
    return found.verdict.exit_code(fail_on(options)) if options.exit_code else EXIT_FINE


def _subject(history: History, name: str, way: Sequence[Act]) -> Run:
    """The run that a name stands for; of a version of what no run pushed, the one of the act that made it."""
    try:
        return history.subject(name)
    except MonitorError:
        known = next((act.details["run"] for act in way if "run" in act.details), "")
        if not known:
            raise
        return history.run(known)


def _origin(subject: str, acts: Sequence[Act]) -> tuple[str, list[Act]]:
    """What was pushed, where a version has the content of another, and the acts that made it so, the last first."""
    way: list[Act] = []
    while (act := recorded.made(acts, subject)) is not None and act not in way:
        way.append(act)
        subject = Path(act.details.get("of", "")).name
    return subject, way
