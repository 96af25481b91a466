"""Arrays and words between two processes, as bytes that no one has to trust: nothing in them is run. NumPy only.

A message is `SIZES`, a header in JSON and the arrays' bytes. Strings lie one after the other, with their lengths in the
header.
"""

import json
import math
import struct
from collections.abc import Mapping
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from ..common.strict_text import parse_json
from .tensors import STRING, Batch

SIZES = struct.Struct("<QQ")  # bytes of the header, bytes of the arrays


def to_bytes(words: Mapping[str, Any], tensors: Mapping[str, npt.NDArray[Any]] | None = None) -> bytes:
    """A message of anything that JSON can say, and of arrays of numbers or of byte strings."""
    described, parts = [], []
    for name, value in (tensors or {}).items():
        record: dict[str, Any] = {"name": name, "shape": value.shape, "dtype": value.dtype.name}
        if value.dtype.kind in "OSU":
            texts = [_text(each) for each in value.reshape(-1).tolist()]
            record |= {"dtype": STRING, "lengths": [len(each) for each in texts]}
            parts += texts
        else:
            parts.append(np.ascontiguousarray(value).tobytes())
        described.append(record)
    header = json.dumps({"words": words, "tensors": described}).encode()
    body = b"".join(parts)
    return SIZES.pack(len(header), len(body)) + header + body


def from_bytes(header: bytes, body: bytes) -> tuple[dict[str, Any], Batch]:
    """The words and the arrays of a message.

    Raises:
      ValueError, KeyError, TypeError, AttributeError: it is none.

    """
    record = parse_json(header)
    tensors, place = {}, 0
    for each in record["tensors"]:
        value, place = _tensor(each, body, place)
        tensors[each["name"]] = value
    if place != len(body):
        raise ValueError(f"{len(body) - place} bytes too many")
    return dict(record["words"]), tensors


def _tensor(record: Mapping[str, Any], body: bytes, place: int) -> tuple[npt.NDArray[Any], int]:
    if record["dtype"] == STRING:
        texts = np.empty(len(record["lengths"]), object)
        for row, length in enumerate(record["lengths"]):
            texts[row] = body[place : place + length]
            place += length
        return texts.reshape(record["shape"]), place
    kind = _dtype(record["dtype"])
    count = math.prod(record["shape"])
    values = np.frombuffer(body, kind, count, place) if count else np.empty(0, kind)
    return values.reshape(record["shape"]), place + count * kind.itemsize


def _dtype(name: str) -> np.dtype[Any]:
    """NumPy's type of this name, or that of the types besides, such as bfloat16 and float8_e4m3fn."""
    return np.dtype(getattr(ml_dtypes, name, name))


def _text(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
