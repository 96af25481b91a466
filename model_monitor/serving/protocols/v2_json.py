"""`infer` of the Open Inference Protocol (KServe V2) over REST as named tensors, and back, with binary tensors too.

A body is a JSON document; with the binary extension the header `Inference-Header-Content-Length` says how long that is,
and the tensors that say so have their values behind it, one after the other, in little endian.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .calls import number_of
from .json_values import BadRequestError, read_json, value_of
from .v2_tensors import Tensors, name_of, name_of_type, of_json, packed, unpacked

JSON_LENGTH = "Inference-Header-Content-Length"
_BINARY_SIZE, _BINARY = "binary_data_size", "binary_data"


@dataclass(frozen=True)
class Request:
    """What a model is asked.

    Attributes:
      tensors: the inputs by name.
      id: of the request; "": it has none.
      outputs: those that are wanted, and whether as binary values; empty: all.
      binary: whether outputs are wanted as binary values where they do not say.

    """

    tensors: Tensors
    id: str = ""
    outputs: Mapping[str, bool] | None = None
    binary: bool = False


@dataclass(frozen=True)
class Response:
    """What a model answered: the outputs by name, and its version, None where the server does not say a number."""

    tensors: Tensors
    version: int | None = None


def read_request(body: bytes, json_length: str = "") -> Request:
    """A request. `json_length` is the header `Inference-Header-Content-Length`, "" where there is none.

    Raises:
      BadRequestError: it is none.

    """
    document, rest = _split(body, json_length)
    parameters = _section(document.get("parameters"), "parameters")
    binary = parameters.get("binary_data_output") is True
    wanted = {}
    for each in _list(document.get("outputs") or [], "outputs"):
        given = _section(each.get("parameters"), "parameters").get(_BINARY)
        wanted[name_of(each)] = binary if given is None else given is True
    return Request(_tensors(document, "inputs", rest), str(document.get("id", "")), wanted, binary)


def read_response(body: bytes, json_length: str = "") -> Response:
    """An answer, likewise."""
    document, rest = _split(body, json_length)
    return Response(_tensors(document, "outputs", rest), number_of(str(document.get("model_version", ""))))


def response_of(outputs: Tensors, request: Request, model: str, version: int) -> tuple[bytes, int | None]:
    """The body of an answer and, where it has binary values, the length of its JSON document.

    Raises:
      BadRequestError: an output is wanted that the model has not.

    """
    wanted = dict(request.outputs or dict.fromkeys(outputs, request.binary))
    unknown = sorted(set(wanted) - set(outputs))
    if unknown:
        raise BadRequestError(f"the model has no output {unknown[0]!r}, only {sorted(outputs)}")
    described, parts = [], []
    for name, binary in wanted.items():
        array = outputs[name]
        record: dict[str, Any] = {"name": name, "shape": list(array.shape), "datatype": name_of_type(array)}
        if binary:
            part = packed(array)
            parts.append(part)
            record["parameters"] = {_BINARY_SIZE: len(part)}
        else:
            record["data"] = value_of(array.reshape(-1))
        described.append(record)
    document = {"model_name": model, "model_version": str(version), "outputs": described}
    said = json.dumps(document | ({"id": request.id} if request.id else {})).encode()
    return said + b"".join(parts), len(said) if parts else None


def _split(body: bytes, json_length: str) -> tuple[Mapping[str, Any], bytes]:
    if not json_length:
        return read_json(body), b""
    length = number_of(json_length)
    if length is None or length > len(body):
        raise BadRequestError(
            f"{JSON_LENGTH} must be a length within the body's {len(body)} bytes, not {json_length!r}"
        )
    return read_json(body[:length]), body[length:]


def _tensors(document: Mapping[str, Any], key: str, rest: bytes) -> Tensors:
    tensors: Tensors = {}
    records = _list(document.get(key), key)
    place = 0
    for record in records:
        size = _section(record.get("parameters"), "parameters").get(_BINARY_SIZE)
        if size is None:
            tensors[name_of(record)] = of_json(record)
            continue
        if not isinstance(size, int) or not 0 <= size <= len(rest) - place:
            raise BadRequestError(f"{_BINARY_SIZE} must be within the {len(rest) - place} bytes left, not {size!r}")
        tensors[name_of(record)] = unpacked(record, rest[place : place + size])
        place += size
    if not tensors or place != len(rest):
        raise BadRequestError(f"{key!r} must name every tensor of the body, and leaves {len(rest) - place} bytes")
    return tensors


def _list(value: Any, key: str) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise BadRequestError(f"{key!r} must be a list of tensors")
    return value


def _section(value: Any, key: str) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise BadRequestError(f"{key!r} must be an object")
    return value or {}
