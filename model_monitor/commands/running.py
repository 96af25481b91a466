"""Running a pipeline for a command: where the log goes, what is shown, and what is said when a node fails."""

import argparse
import datetime
import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Console
from rich.markup import escape

from components.common.errors import MonitorError
from pipelines.config import PipelineConfig
from pipelines.progress import Progress

from ..launching import root_lock
from ..launching.pipelines import NodeFailedError
from ..showing.lines import say
from ..terminal import make_console

if TYPE_CHECKING:
    from ..reading.run_store import Run

Made = TypeVar("Made")


def add_settings(parser: argparse.ArgumentParser, example: str) -> None:
    """The arguments of every command that reads a configuration."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings in YAML (docs/configuration.md)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help=f"one setting, e.g. {example}")
    parser.add_argument(
        "--beam-runner",
        action=_BeamRunner,
        metavar="RUNNER",
        help="where Beam runs: local, multi, flink, spark or dataflow (docs/scale.md)",
    )


class _BeamRunner(argparse.Action):
    """Another way to write a setting."""

    def __call__(self, _parser: Any, namespace: argparse.Namespace, value: Any, _option: Any = None) -> None:
        namespace.set = [*namespace.set, f"beam_runner={value}"]


def add_logs(parser: argparse.ArgumentParser) -> None:
    """The arguments of every command that judges serving logs: which logs."""
    parser.add_argument("--logs", metavar="DIR", help="folder of serving logs, one folder a span, named by its number")
    parser.add_argument(
        "--pattern", metavar="PATTERN", help="how spans are named in it, e.g. '{SPAN:2}/*' or '{YYYY}-{MM}-{DD}/*'"
    )


def add_labels_and_model(parser: argparse.ArgumentParser) -> None:
    """Likewise: what is known besides, and the model that is served."""
    parser.add_argument("--labels", metavar="FILE", help="delayed labels: CSV or TFRecord of id and label")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--serving", metavar="DIR", help="folder of pushed versions, the newest is the served one")
    which.add_argument("--bundle", metavar="DIR", help="folder of the served version, adopted or pushed")


def given_of(options: argparse.Namespace) -> dict[str, Any]:
    """The settings that these arguments stand for: those that were given."""
    given = {"serving_logs": options.logs, "serving_logs_pattern": options.pattern, "labels": options.labels}
    given |= {"bundle": options.bundle} if options.bundle else {}
    given |= {"serving_dir": options.serving, "bundle": ""} if options.serving else {}
    return {key: value for key, value in given.items() if value is not None}


def add_wait(parser: argparse.ArgumentParser) -> None:
    """The argument of every command that works under a root."""
    told = "for another command that works under the same root; default: refuse at once"
    parser.add_argument("--wait", type=float, default=0.0, metavar="SECONDS", help=told)


@contextmanager
def holding(config: PipelineConfig, command: str, wait: float) -> Iterator[None]:
    """Holds the root while the block runs, and says whom it waits for where it has to.

    Raises:
      RootBusyError: another command holds it still when the waiting is over.

    """

    def waiting(holder: root_lock.Holder | None) -> None:
        who = holder.described if holder else "another process"
        say(make_console(), f"Waiting up to {wait:g} s for {escape(who)}.")

    with root_lock.held(config.root_path, command, wait, waiting):
        yield


def log_path(config: PipelineConfig, command: str) -> Path:
    """A new log file under the root, named by the time."""
    return config.root_path / "logs" / f"{command}-{datetime.datetime.now():%Y%m%d-%H%M%S}.log"


def told(launch: Callable[[Progress], Made], log_file: Path, console: Console) -> Made | None:
    """What `launch` gives, whose steps are shown; says what failed and gives None if a node of its pipeline did.

    Raises:
      MonitorError: the pipeline could not be built.

    """
    try:
        return launch(Progress(console))
    except NodeFailedError as error:
        say(console, f"\n[red]error:[/] {plain(error)}")
        say(console, f"Log: {escape(str(log_file))}")
        return None


def summary_of(run: "Run", module: str, **arguments: Any) -> Any:
    """The `Summary` in a module of `model_monitor`, imported only now."""
    return importlib.import_module(f"..{module}", __package__).Summary(run, **arguments)


def plain(error: BaseException) -> str:
    """An error's message, with rich's markup characters taken literally."""
    text = str(error) if isinstance(error, MonitorError) else f"{type(error).__name__}: {error}"
    return escape(text)
