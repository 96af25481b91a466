"""Leaves out a baseline that is none, and what killed workers leave behind; in one process memory is bounded."""

import os
from typing import Any

from apache_beam import Pipeline
from tfx import types
from tfx.components.evaluator import executor as evaluator_executor
from tfx.dsl.io import fileio
from tfx.types import standard_component_specs

from ..common.beam.in_process import runs_alone
from ..common.tfx_files import artifact_of
from .bounded_pipeline import BoundedPipeline

BASELINE_KEY = standard_component_specs.BASELINE_MODEL_KEY
EVALUATION_KEY = standard_component_specs.EVALUATION_KEY
Artifacts = dict[str, list[types.Artifact]]


class Executor(evaluator_executor.Executor):
    """TFX's, to which a `baseline_model` that says it is none is not shown.

    The evaluation's folder holds one evaluation: nothing of an earlier run, and no `beam-temp-...` of a killed worker.
    Where all runs in this process, memory does not grow with the images.
    """

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        there = [each for each in input_dict.get(BASELINE_KEY, []) if not artifact_of(each).is_none]
        others = {key: artifacts for key, artifacts in input_dict.items() if key != BASELINE_KEY}
        folders = [each.uri for each in output_dict.get(EVALUATION_KEY, [])]
        for folder in folders:
            _remove(os.path.join(folder, "*"))
        super().Do(others | ({BASELINE_KEY: there} if there else {}), output_dict, exec_properties)
        for folder in folders:
            _remove(os.path.join(folder, "beam-temp-*"))

    def _make_beam_pipeline(self) -> Pipeline:
        made = super()._make_beam_pipeline()
        if self._make_beam_pipeline_fn or not runs_alone(self._beam_pipeline_args):
            return made
        return BoundedPipeline(made.runner, made.options)


def _remove(pattern: str) -> None:
    for path in fileio.glob(pattern):
        (fileio.rmtree if fileio.isdir(path) else fileio.remove)(path)
