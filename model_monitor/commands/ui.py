"""`model-monitor ui`: a timeline of spans and pushes, and every run, as pages in a browser."""

import argparse
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

from components.common.errors import require
from components.common.object_store.address import parse

from ..reading.artifact_files import shown_files
from ..reading.history import History
from ..reading.run_store import open_store
from ..reading.store_server import is_server
from ..terminal import make_console
from . import EXIT_FINE
from .storing import add_store, incident_rules, store_place

if TYPE_CHECKING:
    from ..ui.pages import Site

DESCRIPTION = """Shows the runs in a store of ML Metadata in a browser: a timeline of spans with p-values, accuracy and
pushes, each run, and its report. Reads only; a reload shows what is new."""

_PORT = 6007


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; default: %(default)s, this machine")
    parser.add_argument("--port", type=int, default=_PORT, help="default: %(default)s; 0 picks one that is free")
    parser.add_argument("--open", action="store_true", help="show it in the browser")
    parser.add_argument(
        "--root",
        default="",
        metavar="DIR",
        help="nothing outside of this folder or address is shown; default: that of the store, or where its runs keep "
        "their artifacts now",
    )
    add_store(parser)


def run(options: argparse.Namespace) -> int:
    from ..ui import app, server  # noqa: PLC0415 - the other commands need no web server

    place = store_place(options)
    store = open_store(place)
    history = History(store, options.pipeline)  # says now what is wrong with either
    hosts = app.hosts_for(options.host)
    site = _site(place, history, options)
    application = app.Application(site, options.pipeline, hosts)

    def say(url: str) -> None:
        _say(url, options.open, below=site.places, here_only=hosts is not None)

    server.serve(application, options.host, options.port, say)
    return EXIT_FINE


def _site(place: str, history: History, options: argparse.Namespace) -> "Site":
    """What the pages are about, and below what."""
    from ..ui import pages  # noqa: PLC0415 - as above

    rules = incident_rules(options)
    places = [options.root] if is_server(options.root) else sorted({run.root for run in history.runs} - {""})
    if not is_server(place) and not places:
        root = Path(options.root or default_root(Path(place))).absolute()
        require(root.is_dir(), "--root", "be a folder", str(root))
        return pages.Site(Path(place).absolute(), root, rules)
    rule = "be an address, for no run of the store names where it keeps its artifacts"
    require(bool(places), "--root", rule, options.root)
    for each in places:
        parse(each, "--root")
    store = history.store if is_server(place) else None
    return pages.Site(place, "", rules, tuple(places), shown_files("", places, pages.MOST_BYTES), store)


def default_root(metadata: Path) -> Path:
    """The folder that holds a store and its artifacts.

    TFX's examples keep stores apart: `metadata/<pipeline>/metadata.db` beside `pipelines/<pipeline>`.
    """
    folder = metadata.parent
    return folder.parent.parent if folder.parent.name == "metadata" else folder


def _say(url: str, show: bool, *, below: Sequence[str], here_only: bool) -> None:
    console = make_console()
    console.print(url, soft_wrap=True)
    if below:
        console.print(
            f"[dim]Nothing is shown of files but what is below {escape(', '.join(below))}.[/]", soft_wrap=True
        )
    if not here_only:
        console.print("[yellow]Whoever can reach this machine can read the pages.[/]")
    console.print("[dim]Ctrl-C stops it.[/]")
    console.file.flush()
    if show:
        webbrowser.open(url)
