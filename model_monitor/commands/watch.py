"""`model-monitor watch`: serving logs followed as they arrive, in windows, each evaluated and acted on."""

import argparse
import json
import sqlite3
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from components.common.errors import MonitorError, require

from ..showing.lines import say
from ..showing.watching import JsonLines, Lines
from ..terminal import keep_small, make_console, quiet
from ..watch import bearable
from ..watch.following import follow
from ..watch.hooks import hooks_of
from ..watch.journal import FILE, Journal
from ..watch.journal_rows import SET_ASIDE
from ..watch.settings import WatchConfig, configuration, models
from . import EXIT_FINE, worst_code
from .running import add_labels_and_model, add_logs, add_settings, add_wait, given_of, log_path

DESCRIPTION = """Follows the serving logs of one or several served models as they arrive: closes a window every so
many examples or minutes (`watch.window_examples`, `watch.window_minutes`), evaluates it by the pipeline, and tells
what came of it. Ends on SIGTERM or Ctrl-C; started again, it goes on where it was. Exit code: 0; with --once as
`monitor`: 2 where a window is not fine or could not be decided (`monitor.fail_on`), 1 where one could not be evaluated,
or another error."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_logs(parser)
    add_labels_and_model(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--once", action="store_true", help="judge what is there, in windows, and end")
    what.add_argument("--status", action="store_true", help="say what was judged, what waits, and what was set aside")
    what.add_argument("--retry", type=int, metavar="N", help="have window N, which was set aside, evaluated again")
    parser.add_argument("--model", default="", metavar="NAME", help="of several models, the one that --retry is about")
    parser.add_argument("--json", action="store_true", help="JSON lines, for scripts (docs/watching.md)")
    add_settings(parser, "watch.window_minutes=15")
    add_wait(parser)


def run(options: argparse.Namespace) -> int:
    config = configuration(options.config, options.set, given_of(options))
    configs = [bearable.applied(each) for each in models(config)]
    if options.status:
        return _status(configs, as_json=options.json)
    if options.retry is not None:
        return _retry(configs, options.retry, options.model)
    for each in configs:
        each.serving_logs_path, each.span_pattern  # noqa: B018 - says now that there is no folder, or no pattern
    log_file = log_path(config, "watch")
    with quiet(log_file) as console:
        return _follow(configs, console, log_file, options)


def _follow(configs: Sequence[WatchConfig], console: Console, log_file: Path, options: argparse.Namespace) -> int:
    shown = JsonLines(console) if options.json else Lines(console, several=len(configs) > 1)
    if not options.json:
        for each in configs:
            say(console, f"[bold]Watching[/] {each.name} on {escape(str(each.serving_logs_path))}")
        say(console, f"[dim]Log: {escape(str(log_file))}[/]")
    for each in configs:
        if sentence := bearable.described(each):
            shown.say(f"{each.name}: {sentence}" if len(configs) > 1 else sentence)
    try:
        hooks = partial(hooks_of, stdout=console.file)
        tidy = partial(keep_small, log_file)
        codes = follow(configs, hooks, shown, once=options.once, wait=options.wait, housekeeping=tidy)
    finally:
        shown.close()
    return worst_code(sorted(codes)) if options.once else EXIT_FINE


def _status(configs: Sequence[WatchConfig], *, as_json: bool) -> int:
    """What the journals say, whether a process watches now or not."""
    console = make_console()
    records = [_state(each) for each in configs]
    if as_json:
        for record in records:
            console.file.write(json.dumps(record, allow_nan=False) + "\n")
        return EXIT_FINE
    for record in records:
        console.print(f"[bold]{record['model']}[/]")
        for name, value in record["totals"].items():
            console.print(f"  {name.replace('_', ' '):<10}{value:>12,}")
        for each in record["set_aside"]:
            say(console, f"  window {each['window']} set aside: {escape(each['problem'])} (`--retry {each['window']}`)")
        for text in record["events"]:
            say(console, f"  {escape(text)}")
    return EXIT_FINE


def _state(config: WatchConfig) -> dict[str, Any]:
    journal = _open(config)
    aside = [{"window": row.window.number, "problem": row.problem} for row in journal.windows(SET_ASIDE)]
    events = [text for _, _, text in journal.events()]
    record = {"model": config.name, "totals": journal.totals(), "set_aside": aside, "events": events}
    journal.close()
    return record


def _retry(configs: Sequence[WatchConfig], number: int, model: str) -> int:
    chosen = [each for each in configs if model in ("", each.name)]
    require(len(chosen) == 1, "--model", f"be one of {', '.join(each.name for each in configs)}", model)
    journal = _open(chosen[0])
    journal.retry(number)
    journal.close()
    make_console().print(f"Window {number} is evaluated again by the process that watches, or by the next one.")
    return EXIT_FINE


def _open(config: WatchConfig) -> Journal:
    """The journal of a model that was watched. Raises `MonitorError` where it never was."""
    path = config.watch_path / FILE
    require(path.is_file(), "root", "be that of a model that was watched", str(config.root_path))
    try:
        return Journal(config.watch_path)
    except sqlite3.Error as error:
        raise MonitorError(f"{path} cannot be read: {error}") from error
