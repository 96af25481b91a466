"""The command line: `model-monitor`. Imports TFX only when a pipeline is about to run."""

import argparse
import datetime
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console
from rich.markup import escape

from components import baseline_bundle
from components.validation import MonitorError

from . import config as configuration
from . import dataset
from .terminal import Progress, make_console, quiet

EXIT_FINE, EXIT_ERROR, EXIT_BLOCKED = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command. Returns 0 when all is well, 2 when a gate said no, 1 on an error, which is printed."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except MonitorError as error:
        make_console(sys.stderr).print(f"[red]error:[/] {_plain(error)}", soft_wrap=True)
        return EXIT_ERROR
    except KeyboardInterrupt:
        make_console(sys.stderr).print("\nstopped; nothing was pushed that had not been pushed already")
        return EXIT_ERROR


class _Parser(argparse.ArgumentParser):
    """argparse's own exit code for a mistyped command is 2, which here means that a gate said no."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(EXIT_ERROR, f"error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="model-monitor", description="Train, validate, gate and watch a model.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    train = commands.add_parser(
        "train",
        help="run the training pipeline",
        description="Runs the training pipeline. Exit code: 0 pushed, 2 blocked by the gate, 1 error.",
    )
    train.add_argument("--dataset", help="sample (default), full, or a folder of CIFAR-10 binary files")
    train.add_argument("--config", type=Path, metavar="FILE", help="settings in YAML (docs/configuration.md)")
    train.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="one setting, e.g. trainer.epochs=3"
    )
    train.set_defaults(command=_train)

    data = commands.add_parser("data", help="the data set").add_subparsers(required=True, metavar="COMMAND")
    fetch = data.add_parser("fetch", help="download the full CIFAR-10 and check it")
    fetch.add_argument("--to", type=Path, default=dataset.FULL, metavar="DIR", help="default: %(default)s")
    fetch.set_defaults(command=_fetch)
    return parser


def _fetch(options: argparse.Namespace) -> int:
    dataset.fetch(options.to, make_console())
    return EXIT_FINE


def _train(options: argparse.Namespace) -> int:
    overrides = {"dataset": options.dataset} if options.dataset else {}
    config = configuration.load(options.config, options.set, overrides)
    data_dir = dataset.resolve(config.dataset)
    run_key = config.run_key(data_dir)
    arguments = {"data_dir": data_dir, "baseline_uri": _baseline(config, run_key), "run_key": run_key}
    log_file = config.root_path / "logs" / f"train-{datetime.datetime.now():%Y%m%d-%H%M%S}.log"
    with quiet(log_file) as console:
        console.print(f"[bold]Training pipeline[/] {config.name} on {data_dir}\n[dim]Log: {log_file}[/]\n")
        return _run_training(config, arguments, log_file, console)


def _baseline(config: configuration.TrainingConfig, run_key: str) -> str:
    """The folder of the pushed version that the new model is compared with, or nothing."""
    if config.baseline == "newest":
        return baseline_bundle.choose_baseline(str(config.serving_path), run_key)
    return "" if config.baseline == "none" else str(Path(config.baseline).absolute())


def _run_training(
    config: configuration.TrainingConfig, arguments: dict[str, Any], log_file: Path, console: Console
) -> int:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    progress = Progress(console)
    with progress.step("Importing TFX"):
        from . import local, summary, training  # noqa: PLC0415 - takes ten seconds
    try:
        pipeline = training.create_pipeline(config, **arguments)
        run = local.run(pipeline, str(config.metadata_path), progress)
    except local.NodeError as error:
        console.print(f"\n[red]error:[/] {error.node} failed: {_plain(_root(error))}\nLog: {log_file}", soft_wrap=True)
        return EXIT_ERROR
    outcome = summary.TrainingSummary(run, config.root_path, log_file)
    outcome.show(console)
    if outcome.pushed:
        return EXIT_FINE
    return EXIT_ERROR if outcome.blessed else EXIT_BLOCKED


def _root(error: BaseException) -> BaseException:
    """What an error goes back to: Beam and TFX wrap what our executors raise."""
    while (cause := error.__cause__ or error.__context__) is not None:
        if isinstance(error, MonitorError):
            break
        error = cause
    return error


def _plain(error: BaseException) -> str:
    """An error's message, with rich's markup characters taken literally."""
    text = str(error) if isinstance(error, MonitorError) else f"{type(error).__name__}: {error}"
    return escape(text)


if __name__ == "__main__":
    sys.exit(main())
