"""`model-monitor monitor`: spans of serving logs against the baseline of the model that is served."""

import argparse
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from components.common import baseline_bundle
from components.common.baseline_bundle import Bundle
from components.common.errors import MonitorError, require
from pipelines.config import MonitoringConfig, load

from ..launching import spans
from ..showing.lines import say
from ..terminal import make_console, quiet
from . import EXIT_BLOCKED, EXIT_ERROR, EXIT_FINE
from .running import add_settings, log_path, run_pipeline, summary_of

DESCRIPTION = """Runs the monitoring pipeline on one span, or in order on each that was not looked at yet.
Exit code: 0 every span is fine, 2 at least one is not, 1 error."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--logs", metavar="DIR", help="folder of serving logs, one folder a span, named by its number")
    parser.add_argument("--span", type=int, metavar="N", help="this span, whether it was looked at before or not")
    parser.add_argument("--labels", metavar="FILE", help="labels that came later: CSV or TFRecord of id and label")
    add_settings(parser, "monitor.false_alarm_rate=0.05")


def run(options: argparse.Namespace) -> int:
    given = {"serving_logs": options.logs, "labels": options.labels}
    config = load(MonitoringConfig, options.config, options.set, {key: value for key, value in given.items() if value})
    _check_labels(config)
    bundle = _served(config)
    chosen = _chosen_spans(config, options.span)
    if not chosen:
        make_console().print("There is no other span to look at; `--span N` looks at one again.")
        return EXIT_FINE
    log_file = log_path(config, "monitor")
    codes = []
    with quiet(log_file) as console:
        say(console, f"[bold]Monitoring pipeline[/] {config.name} on {escape(str(config.serving_logs_path))}")
        say(console, f"against version {bundle.manifest.model_version}\n[dim]Log: {escape(str(log_file))}[/]")
        for span in chosen:
            codes.append(_monitor(config, bundle, span, log_file, console))
            if codes[-1] == EXIT_ERROR:
                break
    # a span that is an error is worse than one that is not fine
    return next((code for code in (EXIT_ERROR, EXIT_BLOCKED) if code in codes), EXIT_FINE)


def _monitor(config: MonitoringConfig, bundle: Bundle, span: int, log_file: Path, console: Console) -> int:
    """One run of the pipeline."""
    console.print(f"\n[bold]Span {span}[/]")
    seen = spans.monitored(config.metadata_path, config.name, config.serving_logs_path)
    arguments = {
        "span": span,
        "baseline_uri": bundle.version_dir,
        "model_version": bundle.manifest.model_version,
        "previous_uri": spans.previous_statistics(seen, span, bundle.version_dir),
    }
    finished = run_pipeline(config, "monitoring", arguments, log_file, console)
    if finished is None:
        return EXIT_ERROR
    summary = summary_of(finished, "showing.monitoring", span=span, log_file=log_file)
    summary.show(console)
    return EXIT_FINE if summary.fine else EXIT_BLOCKED


def _chosen_spans(config: MonitoringConfig, span: int | None) -> list[int]:
    logs = config.serving_logs_path
    present = spans.available(logs)
    if span is not None:
        require(span in present, "--span", f"be one of the spans in {logs}: {present}", span)
        return [span]
    unseen = spans.unseen(present, spans.monitored(config.metadata_path, config.name, logs))
    unfinished = spans.being_written(logs)
    for each in unfinished.intersection(unseen):
        make_console().print(f"Span {each} is still being written to; `--span {each}` looks at what there is.")
    return [each for each in unseen if each not in unfinished]


def _served(config: MonitoringConfig) -> Bundle:
    """The bundle of the version that is served: the newest push."""
    bundle = baseline_bundle.newest(str(config.serving_path))
    if bundle is None:
        raise MonitorError(
            f"`serving_dir` must hold a pushed version, whose baseline serving is compared with. Received: "
            f"{str(config.serving_path)!r}, where nothing was pushed yet (`model-monitor train` does)"
        )
    return bundle


def _check_labels(config: MonitoringConfig) -> None:
    if config.labels:
        require(Path(config.labels).is_file(), "--labels", "be a file", config.labels)
