"""`model-monitor report`: the page of a past run, made anew from what ML Metadata knows of it."""

import argparse
import webbrowser
from pathlib import Path
from typing import Any

from rich.markup import escape

from components.validation import MonitorError
from components.validation_report import build, rendering
from components.validation_report.sources import local_files

from ..inspect import Run, open_store, runs
from ..report_sources import sources_of
from ..terminal import make_console
from . import EXIT_FINE

DESCRIPTION = """Makes the page of a past run, the latest unless told otherwise, as the component ValidationReport does,
and with what only ML Metadata knows: durations and every node's parameters. Reads the store and never writes it."""

_MAX_LISTED = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run", nargs="?", default="", metavar="RUN", help="a run's id or how it begins; default: latest"
    )
    parser.add_argument("--root", type=Path, default=Path("runs"), metavar="DIR",
                        help="pipeline root with metadata.sqlite, or that file; default: %(default)s")  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: reports/RUN.html under the root")
    parser.add_argument("--open", action="store_true", help="show it in the browser")


def run(options: argparse.Namespace) -> int:
    metadata = options.root if options.root.is_file() else options.root / "metadata.sqlite"
    store = open_store(metadata)
    found = _find(store, options.run)
    page = build.build_page(sources_of(found, store), local_files())
    out = options.out or metadata.parent / "reports" / f"{found.run_id.replace('/', '_')}.html"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(rendering.render(page), encoding="utf-8")
    except OSError as error:
        raise MonitorError(f"`--out` must be a file that can be written. Received: {out}, {error.strerror}") from error
    console = make_console()
    mark = rendering.MARKS[page.verdict.outcome]
    console.print(f"{mark} {escape(page.verdict.sentence)}", soft_wrap=True)
    console.print(f"  {escape(str(out))}", soft_wrap=True)
    if options.open:
        webbrowser.open(out.absolute().as_uri())
    return EXIT_FINE


def _find(store: Any, wanted: str) -> Run:
    """The run whose id is, or begins with, `wanted`; the latest of any pipeline without it."""
    found = list(runs(store, newest_first=True))
    if not found:
        raise MonitorError("The ML Metadata store must hold a run. Received: none")
    exact = [each for each in found if each.run_id == wanted]
    fitting = exact or [each for each in found if _begins(each, wanted)]
    if not fitting or (wanted and len(fitting) > 1):
        latest = ", ".join(each.run_id for each in found[:_MAX_LISTED])
        rule = "be the id of a run, or begin the id of one alone; the latest are"
        raise MonitorError(f"`RUN` must {rule}: {latest}. Received: {wanted!r}")
    return fitting[0]


def _begins(run: Run, wanted: str) -> bool:
    """Some orchestrators put the pipeline's name before a run's id."""
    return run.run_id.startswith(wanted) or run.run_id.removeprefix(f"{run.pipeline}.").startswith(wanted)
