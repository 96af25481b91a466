"""The schema of a `Schema` artifact."""

from tensorflow_metadata.proto.v0 import schema_pb2

from ..errors import require
from .files import Artifact, Files
from .names import SCHEMA_FILE


def read_schema(artifact: Artifact, files: Files, *, strict: bool = False) -> schema_pb2.Schema:
    """The schema in an artifact. Raises `MonitorError` unless there is one alone, which can be read.

    With `strict` also where it has a field that no schema has: what a person wrote may be misspelt.
    """
    schemas = read_schemas(artifact, files, strict=strict)
    require(len(schemas) == 1, f"{artifact.known_as}", "hold one schema", len(schemas))
    return schemas[0]


def read_schemas(artifact: Artifact, files: Files, *, strict: bool = False) -> list[schema_pb2.Schema]:
    """The schemas in an artifact, of which there is one where a standard component wrote it, whatever its name.

    Raises:
      MonitorError: there is none, or it cannot be read.

    """
    names = [name for name in files.listing(artifact.uri) if name.endswith(".pbtxt")] or [SCHEMA_FILE]
    return [files.message(artifact.path(name), schema_pb2.Schema(), strict=strict) for name in names]
