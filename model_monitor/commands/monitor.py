"""`model-monitor monitor`: spans of serving logs against the baseline of the model that is served."""

import argparse
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from pipelines.config import MonitoringConfig

from ..launching import monitoring
from ..showing.lines import say
from ..terminal import make_console, quiet
from . import EXIT_ERROR, EXIT_FINE, exit_code, worst_code
from .running import add_settings, log_path, summary_of, told

DESCRIPTION = """Runs the monitoring pipeline on one span, or in order on each that was not judged yet. What the model
takes and answers, its version and its baseline come from its bundle: the one that `adopt` made under the same root, or
the newest pushed version. Exit code: 0 every span is fine, 2 at least one is not, 1 error."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--logs", metavar="DIR", help="folder of serving logs, one folder a span, named by its number")
    parser.add_argument("--span", type=int, metavar="N", help="this span, whether it was judged before or not")
    parser.add_argument("--labels", metavar="FILE", help="delayed labels: CSV or TFRecord of id and label")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--serving", metavar="DIR", help="folder of pushed versions, the newest is the served one")
    which.add_argument("--bundle", metavar="DIR", help="folder of the served version, adopted or pushed")
    add_settings(parser, "monitor.false_alarm_rate=0.05")


def run(options: argparse.Namespace) -> int:
    given = {"serving_logs": options.logs, "labels": options.labels}
    given |= {"bundle": options.bundle} if options.bundle else {}
    given |= {"serving_dir": options.serving, "bundle": ""} if options.serving else {}
    given = {key: value for key, value in given.items() if value is not None}
    config = monitoring.configuration(options.config, options.set, given)
    bundle = monitoring.served(config)
    spans = monitoring.spans_to_judge(config, options.span)
    for span in spans.unfinished:
        make_console().print(f"Span {span} is still being written to; `--span {span}` judges what there is.")
    if not spans.chosen:
        make_console().print("There is no other span to judge; `--span N` judges one again.")
        return EXIT_FINE
    log_file = log_path(config, "monitor")
    codes: list[int] = []
    with quiet(log_file) as console:
        say(console, f"[bold]Monitoring pipeline[/] {config.name} on {escape(str(config.serving_logs_path))}")
        say(console, f"against {escape(bundle.version_dir)}\n[dim]Log: {escape(str(log_file))}[/]")
        for span in spans.chosen:
            codes.append(_monitor(config, span, log_file, console))
            if codes[-1] == EXIT_ERROR:
                break
    return worst_code(codes)


def _monitor(config: MonitoringConfig, span: int, log_file: Path, console: Console) -> int:
    """One run of the pipeline, shown."""
    console.print(f"\n[bold]Span {span}[/]")
    finished = told(lambda progress: monitoring.run_span(config, span, progress), log_file, console)
    if finished is None:
        return EXIT_ERROR
    says = monitoring.verdict_on(config, finished)
    summary_of(finished, "showing.monitoring", verdict=says, log_file=log_file).show(console)
    return exit_code(says)
