"""`SchemaImporter`: the text of a schema -> Schema."""

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from ..common.errors import require
from . import executor, step


class SchemaImporterSpec(ComponentSpec):
    """A text in, a schema out."""

    PARAMETERS = {step.TEXT_KEY: ExecutionParameter(type=str)}  # noqa: RUF012 - as TFX declares it
    INPUTS: ClassVar[dict[str, ChannelParameter]] = {}
    OUTPUTS = {step.SCHEMA_KEY: ChannelParameter(type=standard_artifacts.Schema)}  # noqa: RUF012


class SchemaImporter(base_component.BaseComponent):
    """Gives a curated schema that is read when the pipeline is built, and not where its steps run.

    It takes the place of ImportSchemaGen, whose file has to be where the step runs, and whose result is taken from the
    cache when the file has changed.

    Example:
      schema = SchemaImporter(Path("schema.pbtxt").read_text())

    Args:
      text: of the schema, as `schema.pbtxt` has it.

    Raises:
      MonitorError: the text is no Schema.

    """

    SPEC_CLASS = SchemaImporterSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(self, text: str) -> None:
        require(isinstance(text, str), step.TEXT_KEY, "be the text of a schema", text)
        step.require_schema(text)
        schema = types.Channel(type=standard_artifacts.Schema)
        super().__init__(spec=SchemaImporterSpec(**{step.TEXT_KEY: text, step.SCHEMA_KEY: schema}))
