"""`:predict` of TensorFlow Serving over REST: row and columnar JSON as named tensors, and back."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from components.common.errors import MonitorError
from components.served_model.tensors import TensorInfo

from .json_values import BadRequestError, is_b64, shown, tensor_of, value_of

_SIGNATURE, _ROWS, _COLUMNS = "signature_name", "instances", "inputs"
_ANSWERED_ROWS, _ANSWERED_COLUMNS = "predictions", "outputs"
_BYTES_SUFFIX = "_bytes"  # an output so named holds bytes, which JSON holds in base64
Tensors = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Inputs:
    """The tensors of a request, and whether they came by rows, as the answer is to be."""

    tensors: Tensors
    by_rows: bool


def signature_name(request: Mapping[str, Any]) -> str:
    """The signature that a request asks for; "" for the usual one.

    Raises:
      BadRequestError: it is no string.

    """
    name = request.get(_SIGNATURE, "")
    if not isinstance(name, str):
        told = "not formatted correctly. 'signature_name' key must be a string value."
        raise BadRequestError(f"JSON Value: {shown(request)} {told}")
    return name


def inputs_of(request: Mapping[str, Any], infos: Mapping[str, TensorInfo]) -> Inputs:
    """The tensors of a request, by rows (`instances`) or by columns (`inputs`).

    Args:
      request: the document.
      infos: the inputs of the signature that it asks for.

    Raises:
      BadRequestError: it has both or neither, or they are not what the signature takes.

    """
    if _ROWS in request and _COLUMNS in request:
        told = f"Not formatted correctly expecting only one of '{_COLUMNS}' or '{_ROWS}' keys to exist"
        raise BadRequestError(f"JSON Value: {shown(request)} {told}")
    if _ROWS in request:
        return Inputs(_of_rows(request, request[_ROWS], infos), by_rows=True)
    if _COLUMNS in request:
        return Inputs(_of_columns(request[_COLUMNS], infos), by_rows=False)
    raise BadRequestError(f"Missing '{_COLUMNS}' or '{_ROWS}' key")


def outputs_of(answer: Mapping[str, Any], infos: Mapping[str, TensorInfo]) -> Tensors:
    """The tensors of an answer.

    Args:
      answer: the document.
      infos: the outputs of the signature that was asked.

    Raises:
      MonitorError: it is no answer of that signature.

    """
    if _ANSWERED_COLUMNS in answer:
        value = answer[_ANSWERED_COLUMNS]
        named = value if isinstance(value, dict) and not is_b64(value) else {_only(infos): value}
        return {name: tensor_of(each, infos.get(name)) for name, each in named.items()}
    rows = answer.get(_ANSWERED_ROWS)
    if not isinstance(rows, list) or not rows:
        raise MonitorError(
            f"An answer must have {_ANSWERED_ROWS!r} or {_ANSWERED_COLUMNS!r}. Received: {sorted(answer)}"
        )
    if _is_named(rows[0]):
        return {name: tensor_of([row[name] for row in rows], infos.get(name)) for name in rows[0]}
    return {_only(infos): tensor_of(rows, infos[_only(infos)])}


def answer_of(outputs: Mapping[str, npt.NDArray[Any]], *, by_rows: bool) -> bytes:
    """The body of an answer.

    Args:
      outputs: at least one tensor.
      by_rows: whether it is asked for by rows, of which all outputs then must have as many.

    Raises:
      BadRequestError: they have not, or a tensor is of a type that JSON has no values for.

    """
    listed = {name: value_of(array, as_bytes=name.endswith(_BYTES_SUFFIX)) for name, array in sorted(outputs.items())}
    if not by_rows:
        value = listed if len(listed) > 1 else next(iter(listed.values()))
        return json.dumps({_ANSWERED_COLUMNS: value}, indent=4).encode()
    _require_rows(outputs)
    if len(listed) == 1:
        rows: Sequence[Any] = next(iter(listed.values()))
    else:
        rows = [dict(zip(listed, row, strict=True)) for row in zip(*listed.values(), strict=True)]
    return json.dumps({_ANSWERED_ROWS: rows}).encode()


def _of_rows(request: Mapping[str, Any], rows: Any, infos: Mapping[str, TensorInfo]) -> Tensors:
    if not isinstance(rows, list):
        raise BadRequestError(f"JSON Value: {shown(request)} Excepting '{_ROWS}' to be an list/array")
    if not rows:
        raise BadRequestError(f"JSON Value: {shown(request)} No values in '{_ROWS}' array")
    if not _is_named(rows[0]):
        if len(infos) > 1:
            told = "but expecting list of objects as multiple input tensors required as per tensorinfo_map"
            raise BadRequestError(f"instances is a plain list, {told}")
        place = next((place for place, row in enumerate(rows) if _is_named(row)), None)
        if place is not None:
            raise BadRequestError(f"Expecting value/list but got object at item {place} of input list")
        return {_only(infos): _in_rows(rows, infos[_only(infos)])}
    for place, row in enumerate(rows):
        if not _is_named(row):
            raise BadRequestError(f"Expecting object but got list at item {place} of input list")
        if set(row) != set(infos):
            told = f"JSON object: {shown(row)} keys must be equal to: {','.join(sorted(infos))}"
            raise BadRequestError(f"Failed to process element: {place} of 'instances' list. {told}")
    return {name: _in_rows([row[name] for row in rows], info, f" key: {name}") for name, info in infos.items()}


def _in_rows(rows: Sequence[Any], info: TensorInfo, key: str = "") -> npt.NDArray[Any]:
    """The rows as one tensor; where that fails, says by which row."""
    try:
        return tensor_of(rows, info)
    except BadRequestError as error:
        for place, row in enumerate(rows):
            try:
                tensor_of(row, info)
            except BadRequestError as cause:
                told = f"Failed to process element: {place}{key} of 'instances' list."
                raise BadRequestError(f"{told} Error: INVALID_ARGUMENT: {cause}") from error
        raise


def _of_columns(value: Any, infos: Mapping[str, TensorInfo]) -> Tensors:
    if not isinstance(value, dict) or is_b64(value):
        if len(infos) > 1:
            told = "but expecting an object as multiple input tensors required as per tensorinfo_map"
            raise BadRequestError(f"inputs is a plain value/list, {told}")
        return {_only(infos): tensor_of(value, infos[_only(infos)])}
    missing = sorted(set(infos) - set(value))
    if missing:
        raise BadRequestError(f"Missing named input: {missing[0]} in 'inputs' object.")
    return {name: tensor_of(value[name], info) for name, info in infos.items()}


def _is_named(row: Any) -> bool:
    """Whether a row names its tensors."""
    return isinstance(row, dict) and not is_b64(row)


def _only(infos: Mapping[str, TensorInfo]) -> str:
    """The one tensor that a value without a name can be."""
    if len(infos) != 1:
        raise MonitorError(f"A tensor without a name must be the only one of its signature, which has {sorted(infos)}")
    return next(iter(infos))


def _require_rows(outputs: Mapping[str, npt.NDArray[Any]]) -> None:
    sizes: set[int] = set()
    for name, array in sorted(outputs.items()):
        if array.ndim == 0:
            raise BadRequestError(f"Tensor name: {name} has no shape information ")
        if sizes and len(array) not in sizes:
            told = f"inconsistent batch size: {len(array)} expecting: {next(iter(sizes))}"
            raise BadRequestError(f"Tensor name: {name} has {told}")
        sizes.add(len(array))
