"""Requests and answers of gRPC as bytes: which model is asked and which answers, without TensorFlow's own messages.

`tensorflow_serving.apis` imports TensorFlow. What has to be known stands in a few fields, whose numbers are those of
tensorflow_serving/apis: the model in field 1 of a request and in field 2 of an answer, of Predict as of Classify.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

from components.common.artifacts.files import parse_message

from .described_messages import FIELD, Fields, message_classes

_TEXT, _BYTES, _INT64 = FIELD.TYPE_STRING, FIELD.TYPE_BYTES, FIELD.TYPE_INT64
_MESSAGES: dict[str, Fields] = {
    "Version": {"value": (1, _INT64)},
    "Model": {"name": (1, _TEXT), "version": (2, "Version"), "signature_name": (3, _TEXT), "version_label": (4, _TEXT)},
    "Asked": {"model": (1, "Model")},
    "Answered": {"model": (2, "Model")},
    # Bytes and a message look alike on the wire, so that what is in it can be moved without being read.
    "Classify": {"model": (1, _BYTES), "input": (2, _BYTES)},
    "Input": {"examples": (1, _BYTES), "examples_with_context": (2, _BYTES)},
}


@dataclass(frozen=True)
class Model:
    """What a request or an answer says of the model: its name, version (None: nothing) and signature."""

    name: str
    version: int | None
    signature: str


def asked_model(request: bytes) -> Model:
    """The model that a request of Predict or Classify names. Raises `MonitorError` when it is no such request."""
    return _model(_parsed("Asked", request, "a request").model)


def answering_model(response: bytes) -> Model:
    """The model that an answer names. Raises `MonitorError` when it is no such answer."""
    return _model(_parsed("Answered", response, "an answer").model)


def with_context(request: bytes) -> bytes:
    """A Classify request whose examples have a context, where ids have their place, and which is the same otherwise.

    Raises:
      MonitorError: it is no such request.

    """
    classify = _parsed("Classify", request, "a Classify request")
    given = _parsed("Input", classify.input, "the input of a Classify request")
    if given.examples_with_context:
        return request
    # a list of examples is a list with context that has none yet
    moved = _classes()["Input"](examples_with_context=given.examples)
    return bytes(_classes()["Classify"](model=classify.model, input=moved.SerializeToString()).SerializeToString())


def _model(message: Any) -> Model:
    version = message.version.value if message.HasField("version") else None
    return Model(message.name, version if version is not None and version >= 0 else None, message.signature_name)


def _parsed(name: str, content: bytes, what: str) -> Any:
    return parse_message(_classes()[name](), content, what)


@cache
def _classes() -> dict[str, Any]:
    return message_classes("model_monitor_serving", _MESSAGES)
