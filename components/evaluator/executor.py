"""Leaves out a baseline that is none."""

from typing import Any

from tfx import types
from tfx.components.evaluator import executor as evaluator_executor
from tfx.types import standard_component_specs

from ..common.tfx_files import artifact_of

BASELINE_KEY = standard_component_specs.BASELINE_MODEL_KEY
Artifacts = dict[str, list[types.Artifact]]


class Executor(evaluator_executor.Executor):
    """TFX's, to which a `baseline_model` that says it is none is not shown."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        there = [each for each in input_dict.get(BASELINE_KEY, []) if not artifact_of(each).is_none]
        others = {key: artifacts for key, artifacts in input_dict.items() if key != BASELINE_KEY}
        super().Do(others | ({BASELINE_KEY: there} if there else {}), output_dict, exec_properties)
