"""`model-monitor why`: why a model was or was not pushed, or a span is or is not fine."""

import argparse
import json

from ..explanation import explain
from ..run_records import explanation_record
from ..summaries import reasons
from ..terminal import make_console
from . import EXIT_FINE
from .storing import add_store, open_history, print_json

DESCRIPTION = """Says why: pushed or not, fine or not, by which check, what was measured and what is allowed, since
when, from which data, and what to open. Reads only."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "subject",
        nargs="?",
        metavar="RUN|MODEL|span:N",
        help="a run as `inspect` names it, a pushed version or its folder, a model's URI, or a span; default: the "
        "newest run with a verdict",
    )
    add_store(parser)


def run(options: argparse.Namespace) -> int:
    history, console = open_history(options), make_console()
    chosen = history.subject(options.subject) if options.subject else history.judged()
    found = explain(history, chosen)
    if options.json:
        print_json(console, json.dumps(explanation_record(history, found), indent=2))
    else:
        reasons.show(history, found, console)
    return EXIT_FINE
