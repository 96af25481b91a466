"""`model-monitor data`: the data set."""

import argparse
from pathlib import Path

from ..terminal import make_console
from ..worked_example import NAME, dataset
from . import EXIT_FINE

DESCRIPTION = "Fetches the data set that the example is about."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    fetch = actions.add_parser("fetch", help=f"download the full {NAME} and check it")
    where = "default: where `--dataset full` looks, in the checkout or else in the user's cache"
    fetch.add_argument("--to", type=Path, default=dataset.FULL, metavar="DIR", help=where)


def run(options: argparse.Namespace) -> int:
    dataset.fetch(options.to, make_console())
    return EXIT_FINE
