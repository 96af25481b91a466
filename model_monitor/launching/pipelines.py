"""One run of a pipeline on this machine, shown while it runs and read back from ML Metadata after it."""

import contextlib
from collections.abc import Iterator

from tfx.orchestration.pipeline import Pipeline

from pipelines.progress import Progress
from pipelines.runners import local

from ..reading.run_store import Run, open_store


def run(pipeline: Pipeline, metadata_path: str, progress: Progress) -> Run:
    """Runs the pipeline to its end and returns its record. Raises `local.NodeError` at the first node that fails."""

    @contextlib.contextmanager
    def step(pipeline_name: str, run_id: str, node: str) -> Iterator[None]:
        with progress.step(node) as shown:
            yield
            cached = Run(open_store(metadata_path), pipeline_name, run_id).node(node).cached
            shown.remark = "from cache" if cached else ""

    run_id = local.run(pipeline, step)
    return Run(open_store(metadata_path), pipeline.pipeline_info.pipeline_name, run_id)
