"""What the commands that read a store of ML Metadata have in common: which store, and which pipeline's runs."""

import argparse
import json
import math
from pathlib import Path
from typing import Any

from rich.console import Console

from components.common.errors import MonitorError, require

from ..incidents.settings import IncidentsConfig
from ..reading.history import History
from ..reading.run_store import open_store
from ..reading.store_server import is_server

_NAMES = ("metadata.sqlite", "metadata.db")  # ours, and that of TFX's examples


# How a command that is about one run says which, and which it is about unless told.
SUBJECT = "a run as `inspect` names it, a pushed version or its folder, a model's URI, or a span"
NEWEST = "the newest run with a verdict"


def add_store(parser: argparse.ArgumentParser) -> None:
    """The arguments that say where to read."""
    parser.add_argument(
        "--store",
        default="",
        metavar="PLACE",
        help="ML Metadata store: a SQLite file, its folder, or kfp://HOST:PORT of Kubeflow's; default: of the root",
    )
    parser.add_argument(
        "--metadata", dest="store", help=argparse.SUPPRESS
    )  # as it was called before it read Kubeflow's
    parser.add_argument("--pipeline", default="", metavar="NAME", help="runs of this pipeline only")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings in YAML, for the root")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting, e.g. root=runs")


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for scripts (docs/inspecting.md)")


def open_history(options: argparse.Namespace) -> History:
    """The runs in the store that the arguments name. Raises `MonitorError` when it cannot be read."""
    return History(open_store(store_place(options)), options.pipeline)


def store_place(options: argparse.Namespace) -> str:
    """The address or the file of the store that the arguments name, whether it is there or not."""
    return options.store if is_server(options.store) else str(store_path(options, "read"))


def store_path(options: argparse.Namespace, what: str) -> Path:
    """The file of the store that the arguments name, whether it is there or not.

    Args:
      options: the arguments.
      what: what is done there, for the error.

    Raises:
      MonitorError: they name a server, which is only read.

    """
    require(not is_server(options.store), "--store", f"be a file for what is {what}", options.store)
    path = Path(options.store) if options.store else _configured(options)
    if path.is_dir():
        return next((path / name for name in _NAMES if (path / name).is_file()), path / _NAMES[0])
    return path


def fail_on(options: argparse.Namespace) -> tuple[str, ...]:
    """The words of spans that a command ends with exit code 2 for: `monitor.fail_on`, where `monitor` reads it."""
    from ..launching import monitoring  # noqa: PLC0415 - not needed without `--exit-code`
    from ..worked_example import any_config  # noqa: PLC0415

    return monitoring.fail_on(any_config(options.config, options.set), options.config, options.set)


def incident_rules(options: argparse.Namespace) -> IncidentsConfig:
    """How incidents are told, where the settings say so."""
    from ..watch.settings import WatchConfig  # noqa: PLC0415 - not needed by most
    from ..worked_example import any_config  # noqa: PLC0415

    config = any_config(options.config, options.set)
    return config.incidents if isinstance(config, WatchConfig) else IncidentsConfig()


def write_page(text: str, out: Path) -> None:
    """Writes a page, into a folder that is made where it is not there yet."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise MonitorError(f"`--out` must be a file that can be written. Received: {out}, {error.strerror}") from error


def print_json(console: Console, record: dict[str, Any]) -> None:
    """Prints a record without colour, markup or line breaks of the console's own."""
    console.file.write(json.dumps(_finite(record), indent=2, allow_nan=False) + "\n")


def _finite(value: Any) -> Any:
    """The same with null for numbers that JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _configured(options: argparse.Namespace) -> Path:
    """The store under the root of a configuration, which may be one of either pipeline."""
    from ..worked_example import any_config  # noqa: PLC0415 - not needed with `--store`

    return any_config(options.config, options.set).metadata_path
