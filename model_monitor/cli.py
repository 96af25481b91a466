"""The command line: `model-monitor`. Imports TFX only when a pipeline is about to run."""

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from components.common.errors import MonitorError

from .commands import EXIT_ERROR
from .commands.running import plain
from .terminal import make_console

# A module of `commands` each.
COMMANDS = {
    "init": "guess the spec of a model that you serve",
    "adopt": "make a baseline for a model that you serve",
    "new": "write a project that trains and monitors a model of your own images",
    "train": "run the training pipeline",
    "monitor": "compare serving logs with the baseline of the served model",
    "proxy": "forward the traffic of a model server and log it",
    "watch": "follow serving logs as they arrive, in windows, and act on what comes of them",
    "replay": "score images with the pushed model and write its serving logs",
    "serve": "serve the pushed model as TensorFlow Serving does",
    "inspect": "list runs, show one, and open its artifacts",
    "report": "make the page of a past run",
    "compare": "show two runs or two spans side by side",
    "ui": "show the timeline of spans and every run in a browser",
    "incidents": "list what is wrong since when, acknowledge and mute it",
    "why": "say why a model was pushed or not, or why a span is not fine",
    "rollback": "make an earlier pushed version the newest again",
    "rebaseline": "make windows that were fine the reference of those to come",
    "tune": "evaluate past windows under other settings",
    "demo": "tell the story of a served model, live",
    "vendor": "copy the components into a project under another name",
    "compile": "write a pipeline for Kubeflow Pipelines or Vertex AI",
    "submit": "run a compiled pipeline on Kubeflow Pipelines",
    "data": "the data set",
}


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
    except BrokenPipeError:  # whoever read what it prints has gone, as `head` does: there is nobody to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python writes out what is left at its end
        return EXIT_ERROR


class _Parser(argparse.ArgumentParser):
    """A parser of all commands or of one, whose module is imported once its arguments are parsed.

    Importing every command takes as long as most of them take to answer. argparse's own exit code for a mistyped
    command is 2, which here means that a check said no.
    """

    def __init__(self, *arguments: Any, module: str = "", **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._module = module

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self._module:
            module = importlib.import_module(f".commands.{self._module}", __package__)
            self._module = ""
            self.description = module.DESCRIPTION
            self.set_defaults(command=module.run)
            module.add_arguments(self)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(EXIT_ERROR, f"error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="model-monitor", description="Train, validate, gate and watch a model.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        commands.add_parser(name, help=summary, module=name)
    return parser


if __name__ == "__main__":
    sys.exit(main())
