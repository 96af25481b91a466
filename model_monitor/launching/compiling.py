"""A pipeline as a file for Kubeflow Pipelines. TFX is imported once the configuration has been read."""

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.common.durable_files import write_whole
from components.common.errors import MonitorError, require
from pipelines.config import OwnConfig, PipelineConfig, load

from ..watch.settings import WatchConfig
from ..worked_example import PIPELINE, ExampleConfig

if TYPE_CHECKING:
    from tfx.orchestration.pipeline import Pipeline

TARGETS = ("kfp", "vertex")
# Of ours: the module in `pipelines`, and what its function is told.
PIPELINES: dict[str, tuple[str, type[PipelineConfig]]] = {
    "training": (PIPELINE, ExampleConfig),
    "monitoring": ("monitoring", WatchConfig),
}


@dataclass(frozen=True)
class Source:
    """A pipeline that can be compiled: its configuration, and what gives it."""

    config: PipelineConfig
    create: Callable[[], "Pipeline"]


def source(name: str, file: Path | None, settings: Sequence[str]) -> Source:
    """The pipeline of a name, of which nothing is made yet.

    Args:
      name: of `PIPELINES`, or MODULE:FUNCTION.
      file: the settings in YAML.
      settings: `key=value`, which go before the file.

    Raises:
      MonitorError: there is no such pipeline, or its configuration is wrong.

    """
    if name in PIPELINES:
        module, kind = PIPELINES[name]
        config = load(kind, file, settings)
        return Source(config, lambda: _imported(f"pipelines.{module}", "pipeline_for_kubeflow")(config))
    module, colon, function = name.partition(":")
    parts = [*module.split("."), function]
    named = bool(colon) and all(part.isidentifier() for part in parts)
    require(named, "--pipeline", f"be {', '.join(PIPELINES)} or MODULE:FUNCTION, such as pipeline:create", name)
    own = load(OwnConfig, file, settings)
    return Source(own, lambda: _own(module, function))


def compiled(found: Source, image: str, target: str) -> str:
    """The specification, as YAML.

    Raises:
      MonitorError: as `pipelines.runners.kubeflow.compile_pipeline`, or the pipeline cannot be built.

    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    compile_pipeline = _imported("pipelines.runners.kubeflow", "compile_pipeline")
    text: str = compile_pipeline(found.create(), image=image, settings=found.config.kubeflow, target=target)
    return text


def write(text: str, out: Path) -> None:
    """Writes the file, whole or not at all. Raises `MonitorError` where it cannot be written."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(str(out), text)
    except OSError as error:
        raise MonitorError(f"`--out` must be a file that can be written. Received: {out}, {error.strerror}") from error


def _imported(module: str, name: str) -> Any:
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("kfp"):
            raise
        raise MonitorError(
            "Compiling for Kubeflow needs the extra kfp: pip install 'tfx-model-monitor[kfp]'"
        ) from error


def _own(module: str, function: str) -> "Pipeline":
    """What a function of the team's own gives, from a module that is found as Python finds it, or in this folder."""
    from tfx.orchestration.pipeline import Pipeline  # noqa: PLC0415 - only now

    what = f"--pipeline {module}:{function}"
    sys.path.insert(0, os.getcwd())
    try:
        found: Any = getattr(importlib.import_module(module), function, None)
        require(callable(found), what, f"be a function of {module}", found)
        made = found()
    except MonitorError:
        raise
    except Exception as error:  # of the team's own code: whatever it raises
        raise MonitorError(f"`{what}` must give a pipeline. Received: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(os.getcwd())
    rule = "give a pipeline of TFX's, without being told anything"
    require(isinstance(made, Pipeline), what, rule, type(made).__name__)
    return made
