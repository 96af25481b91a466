"""Log records that differ from an earlier one in their numbers, ids and time alone are read without being parsed.

The requests of one client to one model are alike: the same names, types and shapes, and so, byte for byte, the same
record but for what stands in a few places. A record of the same length with the same bytes around these places holds
the same as the earlier one, with other contents there: protobuf takes no notice of what a field of bytes holds. Where
the places are is not worked out but tried: other bytes are put there, and the record is parsed once more.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ..common.wire_format import BYTES, VARINT, key, varint
from ..serving_log_writer.log_fields import REQUEST_ID
from .prediction_log import Contents
from .predictions import Answer
from .read_options import EXAMPLES_INPUT
from .sent_images import SentImages
from .tensor_decoding import Array

_LARGEST = 1 << 20  # record; of a larger one parsing is not what takes long
_MOST_BYTES = 8 << 20  # of the records whose forms are remembered
_OVERHEAD = 1 << 13  # bytes that a form takes besides
_IN_VAIN = 64  # records that may be learnt beside eight for each that was known
_TENSOR_CONTENT, _STRING_VAL, _TIMESTAMP = 4, 8, 4  # fields of TensorProto and of the log's metadata
_OTHER = bytes(255 - byte for byte in range(256))
_OTHER_NUMBER = bytes(byte ^ 0x7F for byte in range(256))  # as long as the number was
_PREDICT = "predict_log"

_What: TypeAlias = tuple[str, str]  # ("inputs", "image"), ("outputs", "scores") or `_TIME`
_TIME: _What = ("metadata", "timestamp")


class _Place(NamedTuple):
    """A place where records differ: its bytes, and what they are."""

    begin: int
    end: int
    what: _What


class _Numbers(NamedTuple):
    """How the bytes of a place become an array."""

    place: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def of(self, found: list[bytes]) -> Array:
        return np.frombuffer(found[self.place], self.dtype).reshape(self.shape)


@dataclass(frozen=True)
class _Layout:
    """What records of one form hold, and where they differ.

    Attributes:
      contents: of one of them.
      places: in their order.
      around: the bytes before, between and behind these.
      image: the number of its place, type and shape.
      outputs: likewise, by name.
      request_id, client_id, timestamp: the number of their places; -1: there is none.

    """

    contents: Contents
    places: list[tuple[int, int]]
    around: list[tuple[int, int, bytes]]
    image: _Numbers
    outputs: dict[str, _Numbers]
    request_id: int
    client_id: int
    timestamp: int

    def read(self, record: bytes, fallback_id: bytes) -> Contents | None:
        """What a record of the same length holds; None where it is of another form."""
        for begin, end, fixed in self.around:
            if record[begin:end] != fixed:
                return None
        found = [record[begin:end] for begin, end in self.places]
        known, origin = self.contents, self.contents.origin
        sent, answer = known.images, known.answer
        if not isinstance(sent, SentImages) or not isinstance(answer, Answer):
            return None
        if self.timestamp >= 0:
            seconds = _number_in(found[self.timestamp])
            if not seconds:
                return None
            origin = replace(origin, timestamp=seconds)
        request_ids = [found[self.request_id]] if known.has_id else [fallback_id]
        client_ids = [found[self.client_id]] if known.client_ids else []
        stack = sent.stacks[0]._replace(array=self.image.of(found))
        images = SentImages(sent.count, [stack], wrong_dtype=sent.wrong_dtype)
        arrays = {name: numbers.of(found) for name, numbers in self.outputs.items()}
        return Contents(origin, request_ids, known.has_id, client_ids, images, answer._replace(arrays=arrays))


class Layouts:
    """The forms of the records that were read.

    Args:
      parse_log: a serialised PredictionLog to its message, None if it is none.
      image: the input that takes images.
      client_field: the string input that names the client; "" where nobody asks.

    """

    def __init__(self, parse_log: Callable[[bytes], Any], image: str, client_field: str) -> None:
        self._parse_log = parse_log
        self._image = image
        self._client_field = client_field
        self._layouts: dict[int, list[_Layout]] = {}
        self._bytes = self._in_vain = 0
        self.known = 0  # records

    def read(self, record: bytes, fallback_id: bytes) -> Contents | None:
        """What a record holds; None where none of its form was learnt."""
        for layout in self._layouts.get(len(record), ()):
            contents = layout.read(record, fallback_id)
            if contents is not None:
                self.known += 1
                return contents
        return None

    def learn(self, record: bytes, log: Any, contents: Contents) -> None:
        """Remembers the form of a record that was parsed, if nothing but numbers, ids and time differs in such."""
        full = self._bytes + len(record) > _MOST_BYTES
        if full or len(record) > _LARGEST or self._in_vain > _IN_VAIN + 8 * self.known:
            return
        self._in_vain += 1
        layout = self._layout_of(record, log, contents)
        if layout is not None:
            self._bytes += len(record) + _OVERHEAD
            self._layouts.setdefault(len(record), []).append(layout)

    def _layout_of(self, record: bytes, log: Any, contents: Contents) -> _Layout | None:
        sent, answer = contents.images, contents.answer
        if not isinstance(sent, SentImages) or not isinstance(answer, Answer) or log.WhichOneof("log_type") != _PREDICT:
            return None
        places = _places(record, log)
        numbers = {place.what: number for number, place in enumerate(places)}
        if not places or not self._are_all(record, log, places):
            return None
        inputs = log.predict_log.request.inputs
        image = next(name for name in (self._image, EXAMPLES_INPUT) if name in inputs)
        arrays = {("outputs", name): array for name, array in answer.arrays.items()}
        if len(sent.stacks) == 1 and sent.stacks[0].served:
            arrays["inputs", image] = sent.stacks[0].array
        ids = {("inputs", REQUEST_ID): contents.request_ids if contents.has_id else []}
        ids[("inputs", self._client_field)] = contents.client_ids
        found = [record[place.begin : place.end] for place in places]
        as_arrays = {what: _Numbers(numbers.get(what, -1), array.dtype, array.shape) for what, array in arrays.items()}
        fits = (
            ("inputs", image) in arrays
            and all(what in numbers and len(found[numbers[what]]) == array.nbytes for what, array in arrays.items())
            and all(not held or (len(held) == 1 and what in numbers) for what, held in ids.items())
        )
        if not fits:
            return None
        return _Layout(
            contents=contents,
            places=[(place.begin, place.end) for place in places],
            around=_around(record, places),
            image=as_arrays[("inputs", image)],
            outputs={name: as_arrays[("outputs", name)] for name in answer.arrays},
            request_id=numbers.get(("inputs", REQUEST_ID), -1),
            client_id=numbers.get(("inputs", self._client_field), -1),
            timestamp=numbers.get(_TIME, -1),
        )

    def _are_all(self, record: bytes, log: Any, places: list[_Place]) -> bool:
        """Whether other bytes in these places are other contents of the fields there, and change nothing else."""
        changed = bytearray(record)
        for begin, end, what in places:
            changed[begin:end] = record[begin:end].translate(_OTHER_NUMBER if what == _TIME else _OTHER)
        other = self._parse_log(bytes(changed))
        if other is None:
            return False
        for begin, end, what in places:
            if _content(other, what) != bytes(changed[begin:end]):
                return False
            _put(other, what, log)
        return bool(other == log)


def _places(record: bytes, log: Any) -> list[_Place]:
    """Where the contents of a record seem to be that differ from one to the next, in their order; none if unclear."""
    places = []
    for what, before in _fields(log):
        content = _content(log, what)
        begin = record.find(before + content)
        if begin < 0:
            return []
        begin += len(before)
        places.append(_Place(begin, begin + len(content), what))
    places.sort()
    overlap = any(first.end > second.begin for first, second in itertools.pairwise(places))
    return [] if overlap else places


def _fields(log: Any) -> Iterator[tuple[_What, bytes]]:
    """The fields with such contents, and what stands before each."""
    for side, tensors in _tensors(log).items():
        for name in tensors:
            content = _content(log, (side, name))
            number = _TENSOR_CONTENT if tensors[name].tensor_content else _STRING_VAL
            if content:
                yield (side, name), key(number, BYTES) + varint(len(content))
    if log.log_metadata.timestamp_secs > 0:
        yield _TIME, key(_TIMESTAMP, VARINT)


def _tensors(log: Any) -> dict[str, Any]:
    return {"inputs": log.predict_log.request.inputs, "outputs": log.predict_log.response.outputs}


def _content(log: Any, what: _What) -> bytes:
    """The bytes of a tensor, its only string, or the time; b"" for other tensors."""
    if what == _TIME:
        return varint(log.log_metadata.timestamp_secs)
    tensor = _tensors(log)[what[0]][what[1]]
    strings = tensor.string_val
    return bytes(tensor.tensor_content or (strings[0] if len(strings) == 1 else b""))


def _put(log: Any, what: _What, other: Any) -> None:
    """Gives a log the content that another has there."""
    if what == _TIME:
        log.log_metadata.timestamp_secs = other.log_metadata.timestamp_secs
        return
    tensor, known = (_tensors(each)[what[0]][what[1]] for each in (log, other))
    if known.tensor_content:
        tensor.tensor_content = known.tensor_content
    else:
        tensor.string_val[0] = known.string_val[0]


def _around(record: bytes, places: list[_Place]) -> list[tuple[int, int, bytes]]:
    """What lies before, between and behind the places."""
    edges = [0, *(edge for place in places for edge in (place.begin, place.end)), len(record)]
    return [(begin, end, record[begin:end]) for begin, end in zip(edges[::2], edges[1::2], strict=True)]


def _number_in(content: bytes) -> int | None:
    """The number that is encoded in so many bytes; None where it takes fewer or more."""
    number = 0
    for place, byte in enumerate(content):
        if (byte > 0x7F) is (place == len(content) - 1):
            return None
        number |= (byte & 0x7F) << 7 * place
    return number
