"""`:classify` of TensorFlow Serving over REST: features of examples and scored classes in JSON, and back."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, cast

from components.common.errors import MonitorError

from .json_values import BadRequestError, bytes_of, is_b64, shown, type_of

_CONTEXT, _EXAMPLES, _RESULTS = "context", "examples", "results"
_INT64 = 1 << 63

Values: TypeAlias = list[bytes] | list[float] | list[int]
Example: TypeAlias = dict[str, Values]
# The classes of one example, with their scores.
Classes: TypeAlias = list[tuple[str, float]]


def examples_of(request: Mapping[str, Any]) -> tuple[Example | None, list[Example]]:
    """The features that all examples share, if any, and the examples.

    Raises:
      BadRequestError: there is none, or a value can be no feature.

    """
    context = _example(request[_CONTEXT]) if _CONTEXT in request else None
    told = f"JSON Value: {shown(request)}"
    if _EXAMPLES not in request:
        raise BadRequestError(f"{told} When method is classify, key '{_EXAMPLES}' is expected and was not found")
    examples = request[_EXAMPLES]
    if not isinstance(examples, list):
        raise BadRequestError(f"{told} Expecting '{_EXAMPLES}' value to be an list/array")
    if not examples:
        raise BadRequestError(f"{told} '{_EXAMPLES}' value is an empty array")
    return context, [_example(each) for each in examples]


def classes_of(answer: Mapping[str, Any]) -> list[Classes]:
    """The classes of each example, with their scores, from an answer.

    Raises:
      MonitorError: it is none.

    """
    try:
        return [[(str(label), float(score)) for label, score in row] for row in answer[_RESULTS]]
    except (KeyError, TypeError, ValueError) as error:
        raise MonitorError(f"An answer must have {_RESULTS!r}, lists of label and score. Received: {error}") from error


def answer_of(rows: Sequence[Classes]) -> bytes:
    """The body of an answer."""
    return json.dumps({_RESULTS: [[[label, score] for label, score in row] for row in rows]}).encode()


def _example(value: Any) -> Example:
    if not isinstance(value, dict):
        raise BadRequestError(f"Example must be JSON object but got JSON {type_of(value)}")
    return {name: _feature(name, each if isinstance(each, list) else [each]) for name, each in value.items()}


def _feature(name: str, values: Sequence[Any]) -> Values:
    found = [_value(name, value) for value in values]
    kinds = {type(value) for value in found}
    if len(kinds) > 1:
        first = {bytes: "bytes", float: "float", int: "int64"}[type(found[0])]
        raise BadRequestError(f"Unexpected element type in feature: {name} expecting type: {first}")
    return cast(Values, found)


def _value(name: str, value: Any) -> bytes | float | int:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str) or is_b64(value):
        return bytes_of(value)
    if isinstance(value, float):
        return value
    if isinstance(value, int):
        if not -_INT64 <= value < _INT64:
            raise BadRequestError(f"Feature: {name} has uint64 element. Only int64 is supported.")
        return value
    raise BadRequestError(f"Feature: {name} has element with unexpected JSON type: {type_of(value)}")
