"""Running a pipeline for a command: where the log goes, what is shown, and what is said when a node fails."""

import argparse
import datetime
import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from components.common.errors import MonitorError
from pipelines.config import PipelineConfig
from pipelines.progress import Progress

if TYPE_CHECKING:
    from ..reading.run_store import Run


def add_settings(parser: argparse.ArgumentParser, example: str) -> None:
    """The arguments of every command that reads a configuration."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings in YAML (docs/configuration.md)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help=f"one setting, e.g. {example}")


def log_path(config: PipelineConfig, command: str) -> Path:
    """A new log file under the root, named by the time."""
    return config.root_path / "logs" / f"{command}-{datetime.datetime.now():%Y%m%d-%H%M%S}.log"


def run_pipeline(
    config: PipelineConfig, module: str, arguments: dict[str, Any], log_file: Path, console: Console
) -> "Run | None":
    """Builds `module.create_pipeline(config, **arguments)` and runs it; says what failed and gives None if a node did.

    Raises:
      MonitorError: the pipeline could not be built.

    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    progress = Progress(console)
    create, launching = _import(module, progress)
    try:
        return launching.run(create(config, **arguments), str(config.metadata_path), progress)
    except launching.local.NodeError as error:
        console.print(f"\n[red]error:[/] {error.node} failed: {plain(_root(error))}\nLog: {log_file}", soft_wrap=True)
        return None


def summary_of(run: "Run", module: str, **arguments: Any) -> Any:
    """The `Summary` in a module of `model_monitor`, imported only now."""
    return importlib.import_module(f"..{module}", __package__).Summary(run, **arguments)


def plain(error: BaseException) -> str:
    """An error's message, with rich's markup characters taken literally."""
    text = str(error) if isinstance(error, MonitorError) else f"{type(error).__name__}: {error}"
    return escape(text)


def _import(module: str, progress: Progress) -> tuple[Callable[..., Any], Any]:
    with progress.step("Importing TFX"):  # takes ten seconds
        created = importlib.import_module(f"pipelines.{module}")
        launching = importlib.import_module("..launching.pipelines", __package__)
    return created.create_pipeline, launching


def _root(error: BaseException) -> BaseException:
    """What an error goes back to: Beam and TFX wrap what our executors raise."""
    while (cause := error.__cause__ or error.__context__) is not None:
        if isinstance(error, MonitorError):
            break
        error = cause
    return error
