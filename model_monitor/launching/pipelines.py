"""One run of a pipeline on this machine, shown while it runs and read back from ML Metadata after it.

TFX is imported once a pipeline is about to run, so that mistakes are said before that.
"""

import contextlib
import importlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from components.common.errors import MonitorError
from pipelines.config import PipelineConfig
from pipelines.progress import Progress

from ..reading.run_store import Run, open_store

if TYPE_CHECKING:
    from tfx.orchestration.pipeline import Pipeline


class NodeFailedError(MonitorError):
    """A node of the pipeline failed. `node` is its id, the message says why, `__cause__` is what it raised."""

    def __init__(self, node: str, cause: BaseException) -> None:
        root = _root(cause)
        super().__init__(
            f"{node} failed: {root if isinstance(root, MonitorError) else f'{type(root).__name__}: {root}'}"
        )
        self.node = node


def launch(config: PipelineConfig, module: str, arguments: dict[str, Any], progress: Progress) -> Run:
    """Builds `pipelines.<module>.create_pipeline(config, **arguments)`, runs it and returns its record.

    Raises:
      NodeFailedError: at the first node that fails; the others do not run.
      MonitorError: the pipeline could not be built.

    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    # TensorFlow's own default only where the processor has AVX-512; with AVX2 it saves a third of the training too
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    with progress.step("Importing TFX"):  # takes ten seconds
        create = importlib.import_module(f"pipelines.{module}").create_pipeline
        importlib.import_module("pipelines.runners.local")
    from tfx.dsl.context_managers import dsl_context_registry  # noqa: PLC0415 - TFX

    # TFX keeps each node that a thread ever made in one registry, for as long as the thread is there
    with dsl_context_registry.new_registry():
        return run(create(config, **arguments), str(config.metadata_path), progress)


def run(pipeline: "Pipeline", metadata_path: str, progress: Progress) -> Run:
    """Runs the pipeline to its end and returns its record. Raises `NodeFailedError` at the first node that fails."""
    from pipelines.runners import local  # noqa: PLC0415 - TFX

    @contextlib.contextmanager
    def step(node: str) -> Iterator[local.Ran]:
        with progress.step(node) as shown:
            ran = local.Ran()
            yield ran
            shown.remark = "from cache" if ran.cached else ""

    try:
        run_id = local.run(pipeline, step)
    except local.NodeError as error:
        raise NodeFailedError(error.node, error) from error.__cause__
    return Run(open_store(metadata_path), pipeline.pipeline_info.pipeline_name, run_id)


def _root(error: BaseException) -> BaseException:
    """What an error goes back to: Beam and TFX wrap what our executors raise."""
    while (cause := error.__cause__ or error.__context__) is not None:
        if isinstance(error, MonitorError):
            break
        error = cause
    return error
