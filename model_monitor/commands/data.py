"""`model-monitor data`: the data set."""

import argparse
from pathlib import Path

from pipelines.cifar10 import dataset

from ..terminal import make_console
from . import EXIT_FINE

DESCRIPTION = "Fetches the data set that the example is about."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    fetch = actions.add_parser("fetch", help="download the full CIFAR-10 and check it")
    fetch.add_argument("--to", type=Path, default=dataset.FULL, metavar="DIR", help="default: %(default)s")


def run(options: argparse.Namespace) -> int:
    dataset.fetch(options.to, make_console())
    return EXIT_FINE
