"""`model-monitor compare`: two runs or two spans side by side."""

import argparse

from components.validation import require

from ..comparison import compare
from ..comparison_records import comparison_record
from ..summaries import side_by_side
from ..terminal import make_console
from . import EXIT_FINE
from .storing import SUBJECT, add_json, add_store, open_history, print_json

DESCRIPTION = """Shows two runs or two spans side by side: how they ended, in which parameters and data they differ, how
accurate they are and by how much that differs, what each check said, and which features moved in either. Reads only."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    for name, which in (("first", SUBJECT), ("second", "the same of the other")):
        parser.add_argument(name, metavar="RUN|MODEL|span:N", help=which)
    parser.add_argument("--limit", type=int, default=10, metavar="N", help="at most N features; 0: all")
    add_store(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    require(options.limit >= 0, "--limit", "be 0 or more", options.limit)
    history, console = open_history(options), make_console()
    found = compare(history, history.subject(options.first), history.subject(options.second))
    if options.json:
        print_json(console, comparison_record(history, found))
    else:
        side_by_side.show(found, options.limit, console)
    return EXIT_FINE
