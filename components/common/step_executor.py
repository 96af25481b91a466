"""How TFX runs a step: what it gives an executor goes in, and what the step says of its outputs comes back."""

from collections.abc import Mapping, Sequence
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from .step import Output, Step
from .tfx_files import artifact_of, tfx_files, tfx_writing

Artifacts = dict[str, list[types.Artifact]]


class StepExecutor(base_executor.BaseExecutor):
    """Runs the step that a subclass names.

    Example:
      class Executor(StepExecutor):
          run = staticmethod(step.run)

    """

    def run(self, step: Step) -> None:
        """What is run. A subclass says it."""
        raise NotImplementedError

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        self._log_startup(input_dict, output_dict, exec_properties)
        step = Step(
            inputs={key: [artifact_of(each) for each in artifacts] for key, artifacts in input_dict.items()},
            outputs={key: [_output_of(each) for each in artifacts] for key, artifacts in output_dict.items()},
            parameters={key: value for key, value in exec_properties.items() if value is not None},
            files=tfx_files(),
            writing=tfx_writing(),
            **self._names(),
        )
        self.run(step)
        put_back(step.outputs, output_dict)

    def _names(self) -> dict[str, str]:
        """The pipeline's name and the run's, where the orchestrator says them."""
        info = getattr(self._context, "pipeline_info", None)
        run_id = getattr(self._context, "pipeline_run_id", None)
        return {"pipeline": str(info.id) if info is not None else "", "run_id": str(run_id or "")}


def put_back(outputs: Mapping[str, Sequence[Output]], artifacts: Artifacts) -> None:
    """Gives TFX's artifacts the properties that a step gave its outputs. Raises `TypeError` for any other value."""
    for key, made in outputs.items():
        for output, artifact in zip(made, artifacts[key], strict=True):
            if output.split_names is not None:
                artifact.split_names = artifact_utils.encode_split_names(output.split_names)
            if output.span is not None:
                artifact.span = output.span
            for name, value in output.properties.items():
                _set(artifact, name, value)


def _output_of(artifact: types.Artifact) -> Output:
    return Output(artifact.uri, artifact.type_name, artifact.id)


def _set(artifact: types.Artifact, name: str, value: int | float | str) -> None:
    setters = {int: artifact.set_int_custom_property, float: artifact.set_float_custom_property,
               str: artifact.set_string_custom_property}  # fmt: skip
    if type(value) not in setters:
        raise TypeError(f"property {name!r} must be an int, a float or a str. Received: {value!r}")
    setters[type(value)](name, value)
