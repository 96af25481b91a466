"""The command line: `model-monitor`. Imports TFX only when a pipeline is about to run."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from components.validation import MonitorError

from . import dataset
from .commands import EXIT_ERROR, EXIT_FINE, compare, inspect, monitor, replay, report, train, ui, why
from .commands.running import plain
from .terminal import make_console


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command. Returns 0 when all is well, 2 when a check said no, 1 on an error, which is printed."""
    options = _parser().parse_args(arguments)
    try:
        command: Callable[[argparse.Namespace], int] = options.command
        return command(options)
    except MonitorError as error:
        make_console(sys.stderr).print(f"[red]error:[/] {plain(error)}", soft_wrap=True)
        return EXIT_ERROR
    except KeyboardInterrupt:
        make_console(sys.stderr).print("\nstopped; nothing was pushed that had not been pushed already")
        return EXIT_ERROR


class _Parser(argparse.ArgumentParser):
    """argparse's own exit code for a mistyped command is 2, which here means that a check said no."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(EXIT_ERROR, f"error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="model-monitor", description="Train, validate, gate and watch a model.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, module, summary in (
        ("train", train, "run the training pipeline"),
        ("monitor", monitor, "compare serving logs with the baseline of the served model"),
        ("replay", replay, "score images with the pushed model and write its serving logs"),
        ("inspect", inspect, "list runs, show one, and open its artifacts"),
        ("report", report, "make the page of a past run"),
        ("compare", compare, "show two runs or two spans side by side"),
        ("ui", ui, "show the timeline of spans and every run in a browser"),
        ("why", why, "say why a model was pushed or not, or why a span is not fine"),
    ):
        command = commands.add_parser(name, help=summary, description=module.DESCRIPTION)
        module.add_arguments(command)
        command.set_defaults(command=module.run)

    data = commands.add_parser("data", help="the data set").add_subparsers(required=True, metavar="COMMAND")
    fetch = data.add_parser("fetch", help="download the full CIFAR-10 and check it")
    fetch.add_argument("--to", type=Path, default=dataset.FULL, metavar="DIR", help="default: %(default)s")
    fetch.set_defaults(command=_fetch)
    return parser


def _fetch(options: argparse.Namespace) -> int:
    dataset.fetch(options.to, make_console())
    return EXIT_FINE


if __name__ == "__main__":
    sys.exit(main())
