"""What a compiled pipeline says of itself: its name, and the parameters that a run of it may be given."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.common.artifacts.names import PLANNED_NODES
from components.common.bounded_files import read_bounded
from components.common.errors import MonitorError, nearest, require
from components.common.strict_text import MOST_CHARACTERS, TextError, parse_json, parse_yaml_documents

SCHEMA_VERSION = "2.1.0"  # the only one that Kubeflow Pipelines takes
_WORDS = {
    "STRING": "text",
    "NUMBER_INTEGER": "a whole number",
    "NUMBER_DOUBLE": "a number",
    "BOOLEAN": "true or false",
    "LIST": "a list in JSON",
    "STRUCT": "an object in JSON",
}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a pipeline: its type as the specification names it, and whether a run must be given it."""

    name: str
    type: str
    required: bool

    def value(self, text: str) -> Any:
        """What a text of the command line stands for. Raises `MonitorError` where the parameter is of another type."""
        if self.type == "STRING":
            return text
        try:
            value = parse_json(text)
        except TextError:
            value = None
        if not _is_of(self.type, value):
            wanted = _WORDS.get(self.type, f"of the type {self.type}")
            raise MonitorError(f"`--param {self.name}` must be {wanted}. Received: {text!r}")
        return value


@dataclass(frozen=True)
class Specification:
    """A compiled pipeline."""

    file: Path
    name: str
    parameters: dict[str, Parameter]

    def arguments(self, settings: Sequence[str]) -> dict[str, Any]:
        """The values that a run is given, by parameter.

        Args:
          settings: of the command line, `key=value` each.

        Raises:
          MonitorError: a setting is no `key=value`, is given twice, names no parameter or has a value of another type,
            or a parameter without a default is not given.

        """
        given: dict[str, Any] = {}
        for setting in settings:
            key, equals, text = setting.partition("=")
            require(bool(equals and key), "--param", "be key=value", setting)
            require(key not in given, f"--param {key}", "be given once", setting)
            given[key] = self._parameter(key).value(text)
        missing = [name for name, parameter in self.parameters.items() if parameter.required and name not in given]
        if missing:
            needed = " ".join(f"--param {name}=..." for name in missing)
            raise MonitorError(f"{self.file}: the pipeline {self.name} has no default for them, so give {needed}")
        return given

    def _parameter(self, name: str) -> Parameter:
        if name not in self.parameters:
            known = ", ".join(sorted(self.parameters)) or "none"
            hint = nearest(name, self.parameters)
            raise MonitorError(f"`--param` must name a parameter of {self.name} ({known}). Received: {name!r}{hint}")
        return self.parameters[name]


def read(file: Path) -> Specification:
    """The specification in a file that `model-monitor compile` wrote.

    Raises:
      MonitorError: the file cannot be read, or is no pipeline of schema 2.1.0.

    """
    for document in _documents(file):
        if isinstance(document, dict) and "pipelineInfo" in document:
            return _specification(file, document)
    raise _no_pipeline(file, "no document with `pipelineInfo`")


def _documents(file: Path) -> list[Any]:
    try:
        return parse_yaml_documents(read_bounded(file, MOST_CHARACTERS).decode("utf-8-sig"))
    except TextError as error:
        raise MonitorError(f"{file} {error}") from error
    except (OSError, UnicodeError) as error:
        raise MonitorError(f"{file} must be a readable YAML file ({error})") from error


def _specification(file: Path, document: dict[str, Any]) -> Specification:
    version = document.get("schemaVersion")
    if version != SCHEMA_VERSION:
        raise _no_pipeline(file, f"schemaVersion {version!r}")
    try:
        name = document["pipelineInfo"]["name"]
        stated = document["root"].get("inputDefinitions", {}).get("parameters", {})
        told = {key: definition for key, definition in stated.items() if key != PLANNED_NODES}  # a note, not a setting
        parameters = {key: Parameter(key, *_typed(definition)) for key, definition in told.items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise _no_pipeline(file, f"{type(error).__name__}: {error}") from error
    return Specification(file, name, parameters)


def _typed(definition: dict[str, Any]) -> tuple[str, bool]:
    required = "defaultValue" not in definition and not definition.get("isOptional", False)
    return definition["parameterType"], required


def _no_pipeline(file: Path, received: str) -> MonitorError:
    return MonitorError(
        f"{file} must be a pipeline of schema {SCHEMA_VERSION}, as model-monitor compile writes. Received: {received}"
    )


def _is_of(kind: str, value: Any) -> bool:
    if kind in ("NUMBER_INTEGER", "NUMBER_DOUBLE"):
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        return number and (kind == "NUMBER_DOUBLE" or isinstance(value, int))
    kinds = {"BOOLEAN": bool, "LIST": list, "STRUCT": dict}
    return kind in kinds and isinstance(value, kinds[kind])
