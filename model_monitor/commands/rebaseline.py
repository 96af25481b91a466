"""`model-monitor rebaseline`: windows that were fine become what those to come are compared with."""

import argparse
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from components.common.baseline_bundle import Bundle
from components.common.errors import MonitorError, require_known

from ..acting import rebaseline, recorded
from ..acting.rebaseline import Candidate, Promise
from ..acting.recorded import Act, Came, What
from ..incidents.contexts import Contexts
from ..launching import monitoring, rebaselining
from ..reading.history import History
from ..reading.run_store import open_store
from ..showing.lines import say
from ..terminal import make_console, quiet
from ..watch import bearable
from ..watch import settings as watching
from ..watch.settings import WatchConfig
from . import EXIT_ERROR, EXIT_FINE
from .reasons import add_reason
from .running import add_settings, add_wait, holding, log_path, told

DESCRIPTION = """Makes windows that were fine the reference that serving is compared with, in the place of the held-out
examples: they are described and thresholds are computed from them, as a baseline's are. A pushed version is published
anew with them, which servers take up as they take up any push; the bundle of a model that was adopted is replaced. The
accuracy is estimated from the held-out examples as before. Who did it, when and why is kept in ML Metadata. Exit code:
0 done, 1 error; nothing is published then."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    told_of = "numbers of windows, e.g. 20-40 or 20-29,31-40; all of them must have been fine"
    parser.add_argument("--windows", required=True, metavar="RANGE", help=told_of)
    add_reason(parser, required=True)
    logs = "folder of logs that the windows are spans of; default: that of the newest run"
    parser.add_argument("--logs", type=Path, metavar="DIR", help=logs)
    parser.add_argument("--model", default="", metavar="NAME", help="which one, where the settings are of several")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    add_settings(parser, "root=runs")
    add_wait(parser)


def run(options: argparse.Namespace) -> int:
    config = _config(options)
    wanted = rebaseline.numbers(options.windows)
    if options.dry_run:
        bundle, chosen = _chosen(config, wanted, options.logs)
        _say(bundle, chosen, config, make_console())
        say(make_console(), "Nothing was done (--dry-run).")
        return EXIT_FINE
    with holding(config, "rebaseline", options.wait):
        bundle, chosen = _chosen(config, wanted, options.logs)
        return _rebaseline(config, bundle, chosen, options)


def _config(options: argparse.Namespace) -> WatchConfig:
    known = watching.configuration(options.config, options.set, {})
    several = [bearable.applied(each, by_default=each.watch_path.exists()) for each in watching.models(known)]
    by_name = {each.name: each for each in several}
    if not options.model and len(several) > 1:
        raise MonitorError(
            f"`--model` must be one of the models that are watched: {', '.join(by_name)}. Received: none"
        )
    if options.model:
        require_known(options.model, list(by_name), "--model")
        return by_name[options.model]
    return several[0]


def _chosen(config: WatchConfig, wanted: list[int], logs: Path | None) -> tuple[Bundle, list[Candidate]]:
    bundle = monitoring.served(config)
    history, folder = History(open_store(config.metadata_path)), str(logs.absolute()) if logs else ""
    known = rebaseline.candidates(history, config.name, folder)
    return bundle, rebaseline.choose(known, wanted, bundle)


def _rebaseline(config: WatchConfig, bundle: Bundle, chosen: list[Candidate], options: argparse.Namespace) -> int:
    """One run of the pipeline, shown, and what it made published; recorded before and after."""
    log_file = log_path(config, "rebaseline")
    windows, now = rebaseline.in_words(each.record.window for each in chosen), time.time()
    details = {"windows": windows, "of": bundle.version_dir}
    name = f"{config.name} {windows} {now:.6f}"
    act = Act(What.REBASELINED, name, Came.BEGUN, options.because, options.by, now, model=config.name, details=details)
    store = Contexts(config.metadata_path, make=True)
    with quiet(log_file) as console:
        _say(bundle, chosen, config, console)
        say(console, f"[dim]Log: {escape(str(log_file))}[/]\n")
        recorded.record(store, act)
        try:
            examples = {each.record.window: each.examples for each in chosen}
            made = told(lambda progress: rebaselining.make(config, bundle, examples, progress), log_file, console)
            if made is None:
                recorded.record(store, replace(act, came=Came.FAILED))
                return EXIT_ERROR
            reference = rebaseline.reference_from(chosen, made)
            folder = rebaseline.publish(None if config.bundle else config.serving_path, bundle, made, reference)
        except BaseException:
            recorded.record(store, replace(act, came=Came.FAILED))
            raise
        details |= {"run": str(made.run), "reference": reference.words}
        details |= {"bundle": folder} if config.bundle else {"version": folder}
        recorded.record(store, replace(act, came=Came.DONE, details=details))
        _done(folder, windows, config, console)
    return EXIT_FINE


def _say(bundle: Bundle, chosen: list[Candidate], config: WatchConfig, console: Console) -> None:
    windows = rebaseline.in_words(each.record.window for each in chosen)
    total = sum(each.record.examples for each in chosen)
    name = escape(Path(bundle.version_dir).name)
    of = f"version {name}" if bundle.manifest.model_version else name
    say(console, f"[bold]Windows {windows}[/], {total:,} examples, become the reference of {of}.")
    say(console, _promised(rebaseline.promise(chosen, config.window_examples, config.monitor.false_alarm_rate)))


def _promised(found: Promise) -> str:
    before = f", which was {found.before:.2g} so far" if found.before else ""
    holds = (
        f"A window of {found.window:,} rings at a p-value of {found.threshold:.2g} against {found.reference:,} "
        f"examples{before}: the false-alarm rate holds for this reference too."
    )
    if not found.small:
        return holds
    return f"{holds} [yellow]It is smaller than two windows: small changes will go unseen.[/]"


def _done(folder: str, windows: str, config: WatchConfig, console: Console) -> None:
    if config.bundle:
        say(console, f"\n[bold green]Windows {windows} are the reference now[/], in the bundle of the model:")
    else:
        said = "is the newest now, with the same model, and is served once servers have seen it:"
        say(console, f"\n[bold green]Version {Path(folder).name}[/] {said}")
    console.print(f"  {escape(folder)}", soft_wrap=True)
