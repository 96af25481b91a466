"""A request and its answer, as they went over the wire, made a `PredictionLog` record."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from components.common.errors import require
from components.common.model_spec import ModelSpec
from components.serving_log_writer import prediction_log_encoding as encoding
from components.serving_log_writer.prediction_log_encoding import ServedModel

from ..protocols import classify_json, grpc_bytes, predict_json, v2_grpc, v2_json
from ..protocols.content_coding import unpacked
from ..protocols.json_values import read_json
from ..protocols.signatures import DEFAULT_SIGNATURE, ModelSignatures
from .frames import Frame


@dataclass(frozen=True)
class Made:
    """A record, without time and rate, and what is in it.

    Attributes:
      record: the serialised `PredictionLog`.
      model: who answered.
      tensors: inputs and outputs by name, of a Predict request that was read as far as that.

    """

    record: bytes
    model: ServedModel
    tensors: tuple[Mapping[str, Any], Mapping[str, Any]] | None = None


def make(frame: Frame, signatures: ModelSignatures | None, spec: ModelSpec | None) -> Made:
    """The record of an answered request.

    Args:
      frame: the bodies, with what is known of them.
      signatures: what the server says that the model takes and answers; None: it did not say.
      spec: the model's; None: unknown. Its names stand in where the server does not say.

    Raises:
      MonitorError: the bodies are not what the protocol says, or nobody says what the model's tensors are called.

    """
    known = signatures or _by_spec(spec)
    return _MAKERS[frame.words["api"]](frame, known)


def _predict(frame: Frame, signatures: ModelSignatures) -> Made:
    request, answer = _documents(frame)
    signature = signatures.named(predict_json.signature_name(request))
    inputs = predict_json.inputs_of(request, signature.inputs).tensors
    outputs = predict_json.outputs_of(answer, signature.outputs)
    model = _model(frame, signature.name)
    return Made(_predicted(frame, model, inputs, outputs), model, (inputs, outputs))


def _infer(frame: Frame, signatures: ModelSignatures) -> Made:
    words = frame.words
    asked, answered = _messages(frame)
    request = v2_json.read_request(asked, words["request_json"])
    answer = v2_json.read_response(answered, words["response_json"])
    version = answer.version if answer.version is not None else words["version"]
    model = ServedModel(words["model"], version, DEFAULT_SIGNATURE)
    return Made(_predicted(frame, model, request.tensors, answer.tensors), model, (request.tensors, answer.tensors))


def _grpc_infer(frame: Frame, signatures: ModelSignatures) -> Made:
    messages = _messages(frame)
    name, asked, request = v2_grpc.read_request(messages[0])
    answering, answer = v2_grpc.read_response(messages[1])
    version = answer.version if answer.version is not None else asked
    model = ServedModel(answering or name, version, DEFAULT_SIGNATURE)
    return Made(_predicted(frame, model, request.tensors, answer.tensors), model, (request.tensors, answer.tensors))


def _classify(frame: Frame, signatures: ModelSignatures) -> Made:
    request, answer = _documents(frame)
    model = _model(frame, predict_json.signature_name(request) or DEFAULT_SIGNATURE)
    context, examples = classify_json.examples_of(request)
    classes = classify_json.classes_of(answer)
    record = encoding.classify_log(model, examples, classes, context, **_ids(frame))
    return Made(record, model)


def _classify_log(request: bytes, response: bytes, **ids: str | None) -> bytes:
    return encoding.classify_log_of_bytes(grpc_bytes.with_context(request), response, **ids)


def _grpc(encode: Callable[..., bytes]) -> Callable[[Frame, ModelSignatures], Made]:
    def made(frame: Frame, signatures: ModelSignatures) -> Made:
        request, response = _messages(frame)
        asked, answered = grpc_bytes.asked_model(request), grpc_bytes.answering_model(response)
        version = answered.version if answered.version is not None else asked.version
        name = answered.name or asked.name
        require(bool(name), "model_spec", "name the model, in the request or in the answer", name)
        model = ServedModel(name, version, asked.signature or answered.signature or DEFAULT_SIGNATURE)
        return Made(encode(request, response, **_ids(frame)), model)

    return made


_MAKERS: dict[str, Callable[[Frame, ModelSignatures], Made]] = {
    "predict": _predict,
    "classify": _classify,
    "infer": _infer,
    "grpc_predict": _grpc(encoding.predict_log_of_bytes),
    "grpc_classify": _grpc(_classify_log),
    "grpc_infer": _grpc_infer,
}


def _predicted(frame: Frame, model: ServedModel, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> bytes:
    return encoding.predict_log(model, inputs, outputs, **_ids(frame))


def _ids(frame: Frame) -> dict[str, str | None]:
    return {"request_id": frame.words["id"], "client_id": frame.words["client"]}


def _model(frame: Frame, signature: str) -> ServedModel:
    return ServedModel(frame.words["model"], frame.words["version"], signature)


def _messages(frame: Frame) -> tuple[bytes, bytes]:
    """Request and answer as their senders had them before they compressed them."""
    words = frame.words
    return unpacked(frame.request, words["request_coding"]), unpacked(frame.response, words["response_coding"])


def _documents(frame: Frame) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    request, response = _messages(frame)
    return read_json(request), read_json(response)


def _by_spec(spec: ModelSpec | None) -> ModelSignatures:
    return ModelSignatures({}) if spec is None else ModelSignatures.of_spec(spec)
