"""`model-monitor tune`: past windows evaluated under other settings, and the one that a user picks as a file."""

import argparse
import itertools
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.markup import escape

from components.common.durable_files import write_whole
from components.common.errors import MonitorError, require
from components.common.settings import read_yaml
from components.common.two_sample.false_alarms import least_permutations
from pipelines.config import MonitorConfig, MonitoringConfig, load
from pipelines.progress import spinner, turning

from ..acting import recorded
from ..acting.past import past
from ..acting.recorded import Act, Came, What
from ..acting.tuning import AS_THEY_CAME, Setting, Tried, Tuning
from ..incidents.contexts import Contexts
from ..launching import monitoring
from ..launching.drawn_rows import drawn_ids
from ..showing import tuning as showing
from ..showing.lines import say
from ..terminal import make_console, quiet
from ..watch import bearable
from ..watch.settings import configuration
from . import EXIT_FINE
from .reasons import add_reason
from .storing import add_json, add_store, open_history, print_json, store_path

DESCRIPTION = """Evaluates past windows under every combination of the settings that are given, from the samples that
were kept of them: which would have rung, how many would by chance, and, where incidents were marked as real or as false
alarms, which would have been caught and missed. With --choose and --write it writes the one that you pick into a file
of settings. Exit code: 0, or 1 error."""

_MOST = 200  # settings at a time


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rates", default="", metavar="LIST", help="false-alarm rates, e.g. 0.001,0.01; default: today's"
    )
    parser.add_argument(
        "--window-examples", default="", metavar="LIST", help="sizes of windows, e.g. 500,2000; default: as they came"
    )
    parser.add_argument(
        "--one-example-per", default="", metavar="LIST", help="e.g. example,request,60s,client; default: example"
    )
    parser.add_argument(
        "--features",
        action="append",
        default=[],
        metavar="PATTERNS",
        help="e.g. 'image_*'; may be given again; default: all",
    )
    parser.add_argument(
        "--last", type=int, default=50, metavar="N", help="the N newest windows; 0: all; default: %(default)s"
    )
    parser.add_argument("--choose", type=int, default=0, metavar="NUMBER", help="the setting to write")
    parser.add_argument("--write", type=Path, metavar="FILE", help="file of settings: made, or given the chosen ones")
    add_reason(parser, "; needed with --write")
    parser.add_argument("--bundle", metavar="DIR", help="folder of the version; default: what is served")
    add_store(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    require(options.last >= 0, "--last", "be 0 or more", options.last)
    both = bool(options.choose) == (options.write is not None)
    require(both, "--choose", "be given together with --write", options.choose or options.write)
    if options.write is not None:
        store_path(options, "noted")  # says now that a server's is not written
    config = configuration(options.config, options.set, {"bundle": options.bundle} if options.bundle else {})
    config = bearable.applied(config, by_default=config.watch_path.exists())
    settings = _settings(options, config)
    require(0 <= options.choose <= len(settings), "--choose", f"be 1 to {len(settings)}", options.choose)
    console = make_console()
    known = past(open_history(options), monitoring.served(config), drawn_ids, options.last)
    rate = min(each.false_alarm_rate for each in settings)
    permutations = max(config.monitor.permutations, least_permutations(rate))
    tuning = Tuning(known.windows, known.baseline, permutations, config.monitor.seed, least_rate=rate)
    with quiet(Path(os.devnull)) as shown:  # logs are read by what imports TensorFlow
        tried = _tried(tuning, settings, shown)
    now = next((number for number, each in enumerate(settings, 1) if each == _today(config)), 0)
    lost = (*known.lost, *tuning.lost)
    if options.json:
        print_json(console, showing.record(tried, now, tuning.marked, lost))
    else:
        for sentence in lost:
            say(console, f"[yellow]?[/] {escape(sentence)}")
        showing.show(tried, now, tuning.marked, console)
    if options.write is not None:
        _write(options, settings[options.choose - 1], console)
    return EXIT_FINE


def _settings(options: argparse.Namespace, config: MonitoringConfig) -> list[Setting]:
    """Every combination, that of today first where nothing else is asked for."""
    today = _today(config)
    rates = [_number(each, "--rates", float) for each in _listed(options.rates)] or [today.false_alarm_rate]
    sizes = [_number(each, "--window-examples", int) for each in _listed(options.window_examples)] or [AS_THEY_CAME]
    per = _listed(options.one_example_per) or ["example"]
    features = [tuple(_listed(each)) for each in options.features] or [today.features]
    features = [() if each == ("all",) else each for each in features]
    found = [Setting(*each) for each in itertools.product(rates, sizes, per, features)]
    require(len(found) <= _MOST, "the settings", f"be {_MOST} combinations at most", len(found))
    return found


def _today(config: MonitoringConfig) -> Setting:
    return Setting(config.monitor.false_alarm_rate, features=config.monitor.features)


def _tried(tuning: Tuning, settings: Sequence[Setting], console: Console) -> list[Tried]:
    found = []
    with spinner(console, "Comparing ...") as status:
        for number, setting in enumerate(settings, 1):

            def step(done: int, of: int, number: int = number) -> None:
                status.update(turning(f"Setting {number} of {len(settings)}, window {done + 1} of {of} ..."))

            found.append(tuning.attempt(setting, step))
    return found


def _write(options: argparse.Namespace, setting: Setting, console: Console) -> None:
    """Puts the chosen settings into a file, beside what it has: one that `monitor` takes, or nothing is written."""
    there = read_yaml(options.write, "--write") if options.write.exists() else {}
    keys: dict[str, Any] = {"one_example_per": setting.one_example_per}
    if options.rates:  # else it stays what it is, set or from what is bearable
        keys["false_alarm_rate"] = setting.false_alarm_rate
    keys |= {"features": list(setting.features)} if setting.features else {}
    if setting.window_examples != AS_THEY_CAME:
        keys["window_size"] = setting.window_examples
    monitor = {**there.get("monitor", {}), **keys}
    if not setting.features:
        monitor.pop("features", None)
    least = least_permutations(setting.false_alarm_rate)
    if options.rates and least > monitor.get("permutations", MonitorConfig().permutations):
        monitor["permutations"] = least
    load(MonitoringConfig, None, (), {"monitor": monitor})  # says what is wrong with it before anything is written
    now = time.time()
    details = {"file": str(options.write.absolute()), **{key: str(value) for key, value in keys.items()}}
    act = Act(
        What.TUNED,
        f"{options.write.absolute()} {now:.6f}",
        Came.BEGUN,
        options.because,
        options.by,
        now,
        details=details,
    )
    store = Contexts(store_path(options, "noted"))
    recorded.record(store, act)
    try:
        write_whole(
            str(options.write), yaml.safe_dump({**there, "monitor": monitor}, sort_keys=False, allow_unicode=True)
        )
    except OSError as error:
        recorded.record(store, replace(act, came=Came.FAILED))
        raise MonitorError(
            f"`--write` must be a file that can be written. Received: {options.write}, {error.strerror}"
        ) from error
    recorded.record(store, replace(act, came=Came.DONE))
    say(console, f"Setting {options.choose} is in {escape(str(options.write))}")


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _number(text: str, what: str, kind: type) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        raise MonitorError(f"`{what}` must be numbers with commas between them. Received: {text!r}") from error
