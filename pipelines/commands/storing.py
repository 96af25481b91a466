"""What the commands that read a store of ML Metadata have in common: which store, and which pipeline's runs."""

import argparse
from pathlib import Path

from rich.console import Console

from components.validation import MonitorError

from ..history import History
from ..inspect import open_store

_NAMES = ("metadata.sqlite", "metadata.db")  # ours, and that of TFX's examples


def add_store(parser: argparse.ArgumentParser) -> None:
    """The arguments that say where to read."""
    parser.add_argument(
        "--metadata", type=Path, metavar="PATH", help="ML Metadata store (SQLite), or its folder; default: of the root"
    )
    parser.add_argument("--pipeline", default="", metavar="NAME", help="runs of this pipeline only")
    parser.add_argument("--json", action="store_true", help="for scripts (docs/inspecting.md)")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings in YAML, for the root")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting, e.g. root=runs")


def open_history(options: argparse.Namespace) -> History:
    """The runs in the store that the arguments name. Raises `MonitorError` when it cannot be read."""
    path = options.metadata or _configured(options)
    if path.is_dir():
        path = next((path / name for name in _NAMES if (path / name).is_file()), path / _NAMES[0])
    return History(open_store(path), options.pipeline)


def print_json(console: Console, text: str) -> None:
    """Prints as it is: without colour, markup or line breaks of its own."""
    console.file.write(text + "\n")


def _configured(options: argparse.Namespace) -> Path:
    """The store under the root of a configuration, which may be one of either pipeline."""
    from ..config import MonitoringConfig, TrainingConfig, load  # noqa: PLC0415 - not needed with `--metadata`

    try:
        return load(TrainingConfig, options.config, options.set).metadata_path
    except MonitorError as error:
        if options.config is None:
            raise
        try:
            return load(MonitoringConfig, options.config, options.set).metadata_path
        except MonitorError:
            raise error from None
