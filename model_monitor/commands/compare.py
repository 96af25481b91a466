"""`model-monitor compare`: two runs or two spans side by side."""

import argparse
import webbrowser
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from components.common.errors import require

from ..comparing.comparison import Comparison, compare
from ..reading.history import History
from ..showing import side_by_side
from ..showing.json_records import comparison_record
from ..showing.lines import say
from ..showing.words import place
from ..terminal import make_console
from . import EXIT_FINE
from .storing import SUBJECT, add_json, add_store, open_history, print_json, write_page

DESCRIPTION = """Shows two runs or two spans side by side: how they ended, in which parameters and data they differ, how
accurate they are and by how much that differs, what each check said, and which features moved in either. Reads only."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    for name, which in (("first", SUBJECT), ("second", "the same of the other")):
        parser.add_argument(name, metavar="RUN|MODEL|span:N", help=which)
    parser.add_argument("--limit", type=int, default=10, metavar="N", help="at most N features; 0: all")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write a page with charts, and print what is said first"
    )
    parser.add_argument("--open", action="store_true", help="show the page in the browser")
    add_store(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    require(options.limit >= 0, "--limit", "be 0 or more", options.limit)
    require(not options.open or options.out is not None, "--open", "come with --out FILE", options.open)
    history, console = open_history(options), make_console()
    found = compare(history, history.subject(options.first), history.subject(options.second))
    if options.out is not None:
        _write_page(history, found, options, console)
    elif options.json:
        print_json(console, comparison_record(history, found))
    else:
        side_by_side.show(found, options.limit, console)
    return EXIT_FINE


def _write_page(history: History, found: Comparison, options: argparse.Namespace, console: Console) -> None:
    from ..showing.comparison_page import page_text  # noqa: PLC0415 - a template engine, for this alone

    write_page(page_text(history, found), options.out)
    for sentence in found.sentences:
        say(console, escape(sentence))
    console.print(f"  {escape(place(str(options.out)))}", soft_wrap=True)
    if options.open:
        webbrowser.open(options.out.absolute().as_uri())
