"""`model-monitor report`: the page of a past run, made anew from what ML Metadata knows of it."""

import argparse
import webbrowser
from pathlib import Path

from rich.markup import escape

from components.common.verdict_words import MARKS_OF_TONES
from components.validation_report import build, rendering

from ..reading.report_sources import sources_of
from ..reading.run_store import Run
from ..reading.store_server import is_server
from ..showing.lines import say
from ..showing.words import place
from ..terminal import make_console
from . import EXIT_FINE
from .storing import NEWEST, SUBJECT, add_store, open_history, store_place, write_page

DESCRIPTION = """Makes the page of a past run as the component ValidationReport does, and with what only ML Metadata
knows: durations and every node's parameters. Reads the store and never writes it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "subject", nargs="?", default="", metavar="RUN|MODEL|span:N", help=f"{SUBJECT}; default: {NEWEST}"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="the page; default: reports/RUN.html beside the store, or here"
    )
    parser.add_argument("--open", action="store_true", help="show it in the browser")
    add_store(parser)


def run(options: argparse.Namespace) -> int:
    history = open_history(options)
    chosen = history.subject(options.subject)
    page = build.build_page(sources_of(chosen), chosen.files, history.verdict(chosen))
    out = options.out or _folder(options) / "reports" / _file_name(chosen)
    write_page(rendering.render(page), out)
    console = make_console()
    say(console, f"{MARKS_OF_TONES[page.verdict.tone]} {escape(page.verdict.sentence)}")
    console.print(f"  {escape(place(str(out)))}", soft_wrap=True)
    if options.open:
        webbrowser.open(out.absolute().as_uri())
    return EXIT_FINE


def _folder(options: argparse.Namespace) -> Path:
    """Where the store is, if that is on this machine, or else where the command was started."""
    place = store_place(options)
    return Path() if is_server(place) else Path(place).parent


def _file_name(chosen: Run) -> str:
    return f"{chosen.run_id.replace('/', '_')}.html"
