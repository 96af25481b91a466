"""`model-monitor rollback`: an earlier pushed version becomes the newest again."""

import argparse
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from components.common import baseline_bundle
from components.common.object_store.address import absolute

from ..acting import recorded, rollback
from ..acting.recorded import Act, Came, What
from ..incidents.contexts import Contexts
from ..showing.lines import say
from ..terminal import make_console
from ..worked_example import any_config
from . import EXIT_FINE
from .reasons import add_reason

DESCRIPTION = """Publishes the content of an earlier pushed version under a new number, in one rename: servers take it
up as they take up any push, and the next push is judged against it. Nothing is deleted. Who did it, when and why is
kept in ML Metadata, and `model-monitor why VERSION` says it. Exit code: 0 done, 1 error; nothing is published then."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "version",
        nargs="?",
        default="",
        metavar="VERSION",
        help="its number; default: the last one that was pushed before what is served now",
    )
    add_reason(parser, required=True)
    parser.add_argument("--serving", metavar="DIR", help="folder of pushed versions; default: of the root")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings in YAML, for the root")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting, e.g. root=runs")


def run(options: argparse.Namespace) -> int:
    config = any_config(options.config, options.set)
    serving = absolute(options.serving) if options.serving else config.serving
    target, newest = rollback.choose(serving, options.version)
    console = make_console()
    _say(target.version_dir, newest.version_dir, console)
    if options.dry_run:
        say(console, "Nothing was done (--dry-run).")
        return EXIT_FINE
    now = time.time()
    details = {"of": target.version_dir, "replaced": newest.version_dir}
    act = Act(What.ROLLED_BACK, f"{serving} {now:.6f}", Came.BEGUN, options.because, options.by, now, details=details)
    store = Contexts(config.metadata_path, make=True)
    recorded.record(store, act)
    try:
        done = rollback.roll_back(serving, target, newest)
    except BaseException:
        recorded.record(store, replace(act, came=Came.FAILED))
        raise
    recorded.record(store, replace(act, came=Came.DONE, details={**details, "version": done.folder}))
    say(console, f"[bold green]Version {done.version}[/] is the newest now, and is served once servers have seen it:")
    console.print(f"  {escape(done.folder)}", soft_wrap=True)
    return EXIT_FINE


def _say(target: str, newest: str, console: Console) -> None:
    version = baseline_bundle.version_of(target)
    manifest = baseline_bundle.read(target).manifest
    pushed = f", pushed {manifest.pushed_at}" if manifest.copied_from is None else ""
    say(console, f"Back to version {version}{pushed}, from version {baseline_bundle.version_of(newest)}.")
