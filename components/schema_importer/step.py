"""Writes the text of a schema into an artifact."""

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from ..common.artifacts.names import SCHEMA_FILE
from ..common.errors import MonitorError
from ..common.step import Step

SCHEMA_KEY = "schema"
TEXT_KEY = "schema_text"


def run(step: Step) -> None:
    """Writes a schema, as it was given, comments and all.

    Outputs:
      schema: `Schema`.

    Execution properties:
      schema_text: a message Schema as text.

    Raises:
      MonitorError: the text is none.

    """
    text = step.text(TEXT_KEY)
    require_schema(text)
    step.write_text(step.output(SCHEMA_KEY).path(SCHEMA_FILE), text)


def require_schema(text: str) -> None:
    """Raises `MonitorError` unless a text is that of a message Schema with a feature or more."""
    try:
        schema = text_format.Parse(text, schema_pb2.Schema())
    except (text_format.ParseError, RecursionError) as error:
        raise MonitorError(f"`{TEXT_KEY}` must be a Schema as text, such as that of schema.pbtxt. {error}") from error
    if not schema.feature:
        raise MonitorError(f"`{TEXT_KEY}` must be a Schema with features. Received: one without")
