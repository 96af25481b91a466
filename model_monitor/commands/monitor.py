"""`model-monitor monitor`: spans of serving logs against the baseline of the model that is served."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from components.common.errors import MonitorError
from components.common.span_patterns import SpanLogs
from components.common.verdict_words import MEANINGS, State, exit_code

from ..alerts.telling import Alerts
from ..launching import monitoring
from ..reading.history import History
from ..reading.run_store import open_store
from ..reading.window_series import all_series
from ..showing.lines import say
from ..showing.spans import say_left_out
from ..terminal import make_console, quiet
from ..watch import bearable
from ..watch.hooks import alerts_of
from ..watch.settings import WatchConfig, configuration
from . import EXIT_ERROR, worst_code
from .running import (
    add_labels_and_model,
    add_logs,
    add_settings,
    add_wait,
    given_of,
    holding,
    log_path,
    plain,
    summary_of,
    told,
)

DESCRIPTION = """Runs the monitoring pipeline on one span, or in order on each that was not evaluated yet with all its
files. What the model takes and answers, its version and its baseline come from its bundle: the one that `adopt` made
under the same root, or the newest pushed version. Exit code: 0 every span is fine, 2 at least one is not or could not
be decided (`monitor.fail_on`), 1 at least one could not be evaluated, or another error."""

_SENDING_SECONDS = 20.0  # for what is due at the end; what is left is sent by the next command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_logs(parser)
    parser.add_argument("--span", type=int, metavar="N", help="this span, whether it was evaluated before or not")
    add_labels_and_model(parser)
    add_settings(parser, "monitor.false_alarm_rate=0.05")
    add_wait(parser)


def run(options: argparse.Namespace) -> int:
    config = bearable.applied(configuration(options.config, options.set, given_of(options)), by_default=False)
    bundle = monitoring.served(config)
    with holding(config, "monitor", options.wait):
        # only now: what another command evaluated meanwhile is not to be evaluated again
        spans = monitoring.spans_to_judge(config, options.span)
        _say_first(spans, make_console())
        codes = [_unread(config)] if spans.undecided else []
        if not spans.chosen:
            make_console().print("There is no other span to judge; `--span N` judges one again.")
            return worst_code(codes)
        log_file = log_path(config, "monitor")
        with quiet(log_file) as console:
            say(console, f"[bold]Monitoring pipeline[/] {config.name} on {escape(str(config.serving_logs_path))}")
            say(console, f"against {escape(bundle.version_dir)}\n[dim]Log: {escape(str(log_file))}[/]")
            if bearable.is_stated(config):
                say(console, escape(bearable.described(config)))
            with _told(config, console) as tell:
                codes += [_monitor(config, logs, log_file, console, tell) for logs in spans.chosen]
            failed = codes.count(EXIT_ERROR)
            if failed and len(spans.chosen) > 1:
                console.print(f"\n[red]{failed} of {len(spans.chosen)} spans could not be evaluated.[/]")
    return worst_code(codes)


def _say_first(spans: monitoring.Spans, console: Console) -> None:
    """What is not judged, and why."""
    for span in spans.unfinished:
        console.print(f"Span {span} is still being written to; `--span {span}` judges what there is.")
    say_left_out(spans.left_out, console)
    for sentence in spans.damaged:
        say(console, f"[yellow]?[/] {escape(sentence)}")


@contextmanager
def _told(config: WatchConfig, console: Console) -> Iterator[Callable[[int], None]]:
    """What is called with each run that judged a span: tells of incidents, where the settings say whom."""
    if not config.alerts.channels:
        yield lambda run: None
        return
    alerts = alerts_of(config, str(config.serving_logs_path), console.file)
    try:
        yield lambda run: _tell(alerts, config, run)
    finally:
        alerts.closing(_SENDING_SECONDS)
        for problem in alerts.problems:
            say(console, f"[yellow]?[/] {escape(problem)}")


def _tell(alerts: Alerts, config: WatchConfig, run: int) -> None:
    series = all_series(History(open_store(config.metadata_path), config.name))
    (records,) = (each.records for each in series if each.logs == alerts.record.logs)
    alerts.judged(next(each for each in records if each.run == run), records)


def _monitor(config: WatchConfig, logs: SpanLogs, log_file: Path, console: Console, tell: Callable[[int], None]) -> int:
    """One run of the pipeline, shown; what keeps one span from a verdict does not keep the next one from it."""
    place = "" if logs.place == str(logs.span) else f" ({logs.place})"
    aside = (
        f", {logs.side_files} side {'file' if logs.side_files == 1 else 'files'} left out" if logs.side_files else ""
    )
    console.print(f"\n[bold]Span {logs.span}[/]{escape(place)}{aside}")
    try:
        judged = told(lambda progress: monitoring.judge(config, logs, progress), log_file, console)
        if judged is None:
            return EXIT_ERROR
        summary_of(judged.run, "showing.monitoring", verdict=judged.verdict, log_file=log_file).show(console)
        console.file.flush()
        monitoring.deliver(config, judged)  # after it was told: what a kill keeps from being told is told next time
        tell(judged.run.id)
    except MonitorError as error:
        say(console, f"\n[red]error:[/] {plain(error)}")
        return EXIT_ERROR
    return judged.verdict.exit_code(config.monitor.fail_on)


def _unread(config: WatchConfig) -> int:
    """Where logs of a span are read by nobody, nothing is decided about them."""
    return exit_code([State.UNDECIDED], MEANINGS[State.UNDECIDED].outcome, config.monitor.fail_on)
