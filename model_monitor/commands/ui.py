"""`model-monitor ui`: a timeline of spans and pushes, and every run, as pages in a browser."""

import argparse
import webbrowser
from pathlib import Path

from components.common.errors import require

from ..reading.history import History
from ..reading.run_store import open_store
from ..terminal import make_console
from . import EXIT_FINE
from .storing import add_store, incident_rules, store_path

DESCRIPTION = """Shows the runs in a store of ML Metadata in a browser: a timeline of spans with p-values, accuracy and
pushes, each run, and its report. Reads only; a reload shows what is new."""

_PORT = 6007


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; default: %(default)s, this machine")
    parser.add_argument("--port", type=int, default=_PORT, help="default: %(default)s; 0 picks one that is free")
    parser.add_argument("--open", action="store_true", help="show it in the browser")
    parser.add_argument(
        "--root", type=Path, metavar="DIR", help="nothing outside of this folder is shown; default: that of the store"
    )
    add_store(parser)


def run(options: argparse.Namespace) -> int:
    from ..ui import app, pages, server  # noqa: PLC0415 - the other commands need no web server

    metadata = store_path(options).absolute()
    History(open_store(metadata), options.pipeline)  # says now what is wrong with either
    root = (options.root or default_root(metadata)).absolute()
    require(root.is_dir(), "--root", "be a folder", str(root))
    hosts = app.hosts_for(options.host)
    site = pages.Site(metadata, root, incident_rules(options))
    application = app.Application(site, options.pipeline, hosts)
    server.serve(
        application, options.host, options.port, lambda url: _say(url, options.open, here_only=hosts is not None)
    )
    return EXIT_FINE


def default_root(metadata: Path) -> Path:
    """The folder that holds a store and its artifacts.

    TFX's examples keep stores apart: `metadata/<pipeline>/metadata.db` beside `pipelines/<pipeline>`.
    """
    folder = metadata.parent
    return folder.parent.parent if folder.parent.name == "metadata" else folder


def _say(url: str, show: bool, *, here_only: bool) -> None:
    console = make_console()
    console.print(url, soft_wrap=True)
    if not here_only:
        console.print("[yellow]Whoever can reach this machine can read the pages.[/]")
    console.print("[dim]Ctrl-C stops it.[/]")
    console.file.flush()
    if show:
        webbrowser.open(url)
