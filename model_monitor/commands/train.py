"""`model-monitor train`: the training pipeline, up to the push or the reason why there is none."""

import argparse
from pathlib import Path
from typing import Any

from rich.markup import escape

from components.common import baseline_bundle
from components.common.object_store.address import absolute
from pipelines.config import TrainingConfig, load

from ..launching.pipelines import launch
from ..reading.history import History
from ..reading.run_store import open_store
from ..showing.lines import say
from ..terminal import quiet
from ..worked_example import NAME, PIPELINE, ExampleConfig, dataset
from . import EXIT_ERROR
from .running import add_settings, add_wait, holding, log_path, summary_of, told

DESCRIPTION = "Runs the training pipeline. Exit code: 0 pushed, 2 not pushed, 1 error."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", help=f"sample (default), full, or a folder of {NAME} binary files")
    parser.add_argument(
        "--serving-logs", metavar="DIR", help="hold the newest span of these logs against the new model; skew blocks"
    )
    add_settings(parser, "trainer.epochs=3")
    add_wait(parser)


def run(options: argparse.Namespace) -> int:
    given = {"dataset": options.dataset, "serving_logs": options.serving_logs}
    config = load(ExampleConfig, options.config, options.set, {key: value for key, value in given.items() if value})
    data_dir = dataset.resolve(config.dataset)
    if config.serving_logs:
        config.serving_spans  # noqa: B018 - says now, rather than after the training, that there is no span
    with holding(config, "train", options.wait):
        return _train(config, data_dir)


def _train(config: ExampleConfig, data_dir: Path) -> int:
    """One run of the pipeline, shown. Its baseline is chosen only now: another command may just have pushed one."""
    run_key = config.run_key(data_dir)
    arguments: dict[str, Any] = {"data_dir": data_dir, "baseline_uri": _baseline(config, run_key), "run_key": run_key}
    log_file = log_path(config, "train")
    with quiet(log_file) as console:
        say(console, f"[bold]Training pipeline[/] {config.name} on {escape(str(data_dir))}")
        say(console, f"[dim]Log: {escape(str(log_file))}[/]\n")
        finished = told(lambda progress: launch(config, PIPELINE, arguments, progress), log_file, console)
        if finished is None:
            return EXIT_ERROR
        says = History(open_store(config.metadata_path)).verdict(finished)
        summary_of(finished, "showing.training", verdict=says, root=config.root_path, log_file=log_file).show(console)
    return says.exit_code(config.monitor.fail_on)


def _baseline(config: TrainingConfig, run_key: str) -> str:
    """The folder of the pushed version that the new model is compared with, or nothing."""
    if config.baseline == "newest":
        return baseline_bundle.choose_baseline(config.serving, run_key)
    return "" if config.baseline == "none" else absolute(config.baseline)
