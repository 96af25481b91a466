"""What Kubeflow hands to a container: the message ExecutorInput, and the compiler's note of what the step takes.

Both are JSON. Every dialect that there is comes in here and is the same afterwards: parameters as `parameterValues`
(schema 2.1) or as typed `parameters` (2.0), artifacts with a type that says all, a title, or nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from components.common.errors import MonitorError, broken, require
from components.common.strict_text import TextError, parse_json, parse_yaml

Json = dict[str, Any]
INPUT_ARGUMENT = "json_serialized_invocation_args"
SPEC_ARGUMENT = "json_serialized_inputs_spec_args"
_INTEGER, _DOUBLE = "NUMBER_INTEGER", "NUMBER_DOUBLE"
_TYPED = {"stringValue": str, "intValue": int, "doubleValue": float}  # JSON has integers of 64 bits as text


@dataclass(frozen=True)
class RuntimeArtifact:
    """An artifact as Kubeflow tells of it.

    Attributes:
      uri: where everybody finds it.
      name: by which the runner knows it; "" for none.
      type: the schema of its type, as JSON.
      metadata: properties and custom properties together; every number may have come with a point.
      rest: what else was said of it.

    """

    uri: str
    name: str = ""
    type: Json = field(default_factory=dict)
    metadata: Json = field(default_factory=dict)
    rest: Json = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The name of its type, such as `tfx.Examples`; "" where nothing is said."""
        return title_of(self.type)

    def to_json(self) -> Json:
        said = {"name": self.name, "uri": self.uri, "type": self.type, "metadata": self.metadata}
        return {**self.rest, **{key: value for key, value in said.items() if value}}


Artifacts = Mapping[str, Sequence[RuntimeArtifact]]


@dataclass(frozen=True)
class ExecutorInput:
    """What one step is given.

    Attributes:
      inputs: artifacts by input.
      outputs: artifacts to be made, by output.
      parameters: as they came, those without a value left out.
      typed: whether each says its type, as in schema 2.0.
      output_file: where the message ExecutorOutput is to be written.
      rest: what else was said of the outputs.

    """

    inputs: Artifacts
    outputs: Artifacts
    parameters: Json
    output_file: str
    typed: bool = False
    rest: Json = field(default_factory=dict)

    def artifacts(self) -> Iterator[RuntimeArtifact]:
        """Every artifact, the inputs first."""
        for artifacts in (*self.inputs.values(), *self.outputs.values()):
            yield from artifacts

    def to_json(self) -> Json:
        """The message, for TFX."""
        parameters = "parameters" if self.typed else "parameterValues"
        outputs = {**self.rest, "artifacts": _listed(self.outputs), "outputFile": self.output_file}
        return {"inputs": {parameters: self.parameters, "artifacts": _listed(self.inputs)}, "outputs": outputs}


@dataclass(frozen=True)
class Declared:
    """What the compiler wrote down of the inputs of a step, which schema 2.0 does not have.

    Attributes:
      types: the schema of the type of each input artifact.
      parameters: the type of each parameter, such as NUMBER_INTEGER.

    """

    types: Mapping[str, Json] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)


def read_input(text: str) -> ExecutorInput:
    """The message ExecutorInput. Raises `MonitorError` saying what is wrong with it."""
    said = _object(_json(text, INPUT_ARGUMENT), INPUT_ARGUMENT)
    inputs, outputs = _part(said, "inputs", ""), _part(said, "outputs", "")
    values, typed = _part(inputs, "parameterValues", "inputs."), _part(inputs, "parameters", "inputs.")
    file = outputs.get("outputFile")
    if not isinstance(file, str) or not file:
        raise broken("outputs.outputFile", "be the path of a file", file)
    rest = {key: value for key, value in outputs.items() if key not in ("artifacts", "outputFile")}
    chosen = values or typed
    return ExecutorInput(
        inputs=_artifacts(inputs, "inputs."),
        outputs=_artifacts(outputs, "outputs."),
        parameters={key: value for key, value in chosen.items() if value is not None},
        output_file=file,
        typed=bool(typed) and not values,
        rest=rest,
    )


def read_declared(text: str) -> Declared:
    """The compiler's note, nothing for "". Raises `MonitorError` saying what is wrong with it."""
    if not text:
        return Declared()
    said = _object(_json(text, SPEC_ARGUMENT), SPEC_ARGUMENT)
    types = {key: _object(each, key).get("artifactType", {}) for key, each in _part(said, "artifacts", "").items()}
    parameters = {
        key: str(_object(each, key).get("parameterType") or "") for key, each in _part(said, "parameters", "").items()
    }
    return Declared({key: _object(each, key) for key, each in types.items()}, parameters)


def plain_parameters(given: ExecutorInput, declared: Declared) -> dict[str, int | float | str]:
    """Each parameter as what it was declared to be: JSON has one kind of number, and Kubeflow gives `7.0` for 7.

    Raises:
      MonitorError: one is not of its type.

    """
    if given.typed:
        return {key: _untyped(key, value) for key, value in given.parameters.items()}
    return {key: _plain(key, value, declared.parameters.get(key, "")) for key, value in given.parameters.items()}


def title_of(schema: Json) -> str:
    """The title of an artifact's type, however it is said. Raises `MonitorError` where it is no YAML."""
    title = schema.get("schemaTitle")
    if isinstance(title, str) and title:
        return title
    try:
        said = parse_yaml(str(schema.get("instanceSchema") or ""))
    except TextError as error:
        raise MonitorError(f"`instanceSchema` of an artifact's type {error}") from error
    return str(said.get("title") or "") if isinstance(said, dict) else ""


def with_uri(artifact: RuntimeArtifact, uri: str) -> RuntimeArtifact:
    """The same artifact elsewhere."""
    return replace(artifact, uri=uri)


def _plain(key: str, value: Any, kind: str) -> int | float | str:
    if kind in (_INTEGER, _DOUBLE) and isinstance(value, str):
        raise broken(f"parameter {key}", f"be a number, {kind}", value)
    if kind == "STRING" and not isinstance(value, str):
        raise broken(f"parameter {key}", "be text, STRING", value)
    if isinstance(value, bool):
        return int(value)
    if kind == _INTEGER:
        require(value == int(value), f"parameter {key}", "be a whole number, NUMBER_INTEGER", value)
        return int(value)
    if isinstance(value, str | int | float):
        return value
    raise broken(f"parameter {key}", "be text or a number", value)


def _untyped(key: str, value: Any) -> int | float | str:
    said = _object(value, f"parameter {key}")
    for name, kind in _TYPED.items():
        if name in said:
            try:
                return kind(said[name])
            except (TypeError, ValueError) as error:
                raise broken(f"parameter {key}", f"be {name}", said[name]) from error
    raise broken(f"parameter {key}", f"be one of {', '.join(_TYPED)}", value)


def _artifacts(said: Json, where: str) -> dict[str, list[RuntimeArtifact]]:
    found = {}
    for key, each in _part(said, "artifacts", where).items():
        named = f"{where}artifacts.{key}"
        listed = _object(each, named).get("artifacts") or []
        if not isinstance(listed, list):
            raise broken(named, "hold a list of artifacts", listed)
        found[key] = [_artifact(one, named) for one in listed]
    return found


def _artifact(said: Any, where: str) -> RuntimeArtifact:
    record = dict(_object(said, where))
    uri, name = record.pop("uri", ""), record.pop("name", "")
    kind, metadata = record.pop("type", None), record.pop("metadata", None)
    if not isinstance(uri, str) or not uri:
        raise broken(f"{where}.uri", "be the URI of the artifact", uri)
    if not isinstance(name, str):
        raise broken(f"{where}.name", "be text", name)
    return RuntimeArtifact(
        uri, name, _object(kind or {}, f"{where}.type"), _object(metadata or {}, f"{where}.metadata"), record
    )


def _listed(artifacts: Artifacts) -> Json:
    return {key: {"artifacts": [each.to_json() for each in several]} for key, several in artifacts.items()}


def _part(said: Json, key: str, where: str) -> Json:
    return _object(said.get(key) or {}, f"{where}{key}")


def _object(value: Any, what: str) -> Json:
    if not isinstance(value, dict):
        raise broken(what, "be a JSON object", value)
    return value


def _json(text: str, what: str) -> Any:
    try:
        return parse_json(text)
    except TextError as error:
        raise MonitorError(f"`--{what}` {error}") from error
