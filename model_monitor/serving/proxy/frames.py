"""What the proxy and the process that logs tell each other: a few words in JSON and, of requests, their bodies."""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from components.common.strict_text import parse_json

_SIZES = struct.Struct("<IQQ")  # bytes of the words, of the request, of the answer


@dataclass(frozen=True)
class Frame:
    """One message: words, and the bodies of a request and of its answer."""

    words: dict[str, Any]
    request: bytes = b""
    response: bytes = b""


def parts_of(
    words: Mapping[str, Any], request: Sequence[bytes | memoryview] = (), response: Sequence[bytes | memoryview] = ()
) -> list[bytes | memoryview]:
    """A frame as bytes to be sent one after the other."""
    said = json.dumps(words).encode()
    sizes = _SIZES.pack(len(said), sum(map(len, request)), sum(map(len, response)))
    return [sizes + said, *request, *response]


def read_frame(file: BinaryIO) -> Frame | None:
    """The next frame; None at the end, of a frame too."""
    sizes = file.read(_SIZES.size)
    if len(sizes) < _SIZES.size:
        return None
    lengths = _SIZES.unpack(sizes)
    words, request, response = (file.read(length) for length in lengths)
    if len(words) + len(request) + len(response) < sum(lengths):
        return None
    return Frame(parse_json(words), request, response)
