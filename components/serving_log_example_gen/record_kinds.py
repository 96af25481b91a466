"""What a record that is no PredictionLog looks like instead, for the message about it.

The messages are TensorFlow's, of which nothing else is imported: a worker of Beam starts with what it runs.
"""

from collections.abc import Iterable
from typing import Any

from google.protobuf.message import DecodeError

from ..common.artifacts.file_formats import HEAD_BYTES, looks_like
from ..common.lazy_packages import import_later

import_later("tensorflow", bare=True)

# isort: split

from tensorflow.core.example import example_pb2  # noqa: E402 - behind what puts off the package
from tensorflow_serving.apis import prediction_log_pb2  # noqa: E402

_SHOWN_NAMES = 3


def parse_log(data: bytes) -> Any:
    """The PredictionLog; None if the bytes are none."""
    return _parse(prediction_log_pb2.PredictionLog, data)


def parse_example(data: bytes) -> Any:
    """The tf.Example; None if the bytes are none."""
    return _parse(example_pb2.Example, data)


def why_no_log(data: bytes) -> str:
    """Why a record is taken for no PredictionLog that holds anything, with what it looks like where that can be told.

    A tf.Example is a PredictionLog to a parser, one of a model by the name of a feature, and without a request.
    """
    told = looks_like_record(data)
    return "the record cannot be parsed as a PredictionLog" + (f"; it looks like {told}" if told else "")


def looks_like_record(data: bytes) -> str:
    """What a record is by its bytes, such as "a tf.Example"; "" where that cannot be told."""
    if not data:
        return "nothing: it is empty"
    sequence = _parse(example_pb2.SequenceExample, data)
    if sequence is not None and _are_names(sequence.feature_lists.feature_list):
        return f"a tf.SequenceExample with {_named(sequence.feature_lists.feature_list)}"
    example = parse_example(data)
    if example is not None and _are_names(example.features.feature):
        return f"a tf.Example with {_named(example.features.feature)}"
    return looks_like(data[:HEAD_BYTES])


def _are_names(names: Iterable[str]) -> bool:
    given = list(names)
    return bool(given) and all(name and name.isprintable() for name in given)


def _named(names: Iterable[str]) -> str:
    given = sorted(names)
    more = f" and {len(given) - _SHOWN_NAMES} more" if len(given) > _SHOWN_NAMES else ""
    return ", ".join(given[:_SHOWN_NAMES]) + more


def _parse(kind: Any, data: bytes) -> Any:
    message = kind()
    try:
        # protobuf 3.20 stops at a stray end-group tag, warns and gives what it has so far: less than all is broken
        return message if message.MergeFromString(data) == len(data) else None
    except (DecodeError, UnicodeDecodeError):  # the latter from protobuf's implementation in Python
        return None
    except SystemError:  # what becomes of that warning where warnings are errors
        return None
