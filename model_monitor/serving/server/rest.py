"""The model server over HTTP: TensorFlow Serving's REST, and KServe's V2 protocol beside it."""

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from google.protobuf import json_format
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from tensorflow_serving.apis import get_model_metadata_pb2

from components.common.errors import MonitorError
from components.served_model.tensors import TensorInfo
from components.serving_log_writer.prediction_log_encoding import example_bytes

from ..protocols import classify_json, predict_json, v2_json, v2_tensors
from ..protocols.calls import Call, call_of, number_of
from ..protocols.content_coding import unpacked
from ..protocols.json_values import read_json
from .errors import Code, NotAnsweredError, invalid
from .model import Model
from .versions import State, Status, Versions

_STATUS = re.compile(
    r"/v1/models/(?P<model>[^/:]+)(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?(?P<metadata>/metadata)?",
    re.IGNORECASE,
)
_V2_MODEL = re.compile(r"/v2/models/(?P<model>[^/]+)(?:/versions/(?P<version>[^/]+))?(?P<ready>/ready)?")
MOST_BODY = 1 << 30  # bytes of a request, before it is unpacked
_PLATFORM = "tensorflow_savedmodel"


def application(served: Versions[Model]) -> Starlette:
    """The application that answers for one model."""
    rest = _Rest(served)
    methods = ["GET", "POST"]
    routes = [
        Route("/v1/{path:path}", rest.answer, methods=methods),
        Route("/v2/{path:path}", rest.answer, methods=methods),
        Route("/v2", rest.answer, methods=methods),
    ]
    return Starlette(routes=routes)


class _Rest:
    def __init__(self, served: Versions[Model]) -> None:
        self._served = served

    async def answer(self, request: Request) -> Response:
        path = request.scope["raw_path"].decode("latin-1")
        try:
            body = await _body_of(request)
            return await run_in_threadpool(self._answer, request.method, path, request.headers, body)
        except NotAnsweredError as error:
            return _refusal(error.code, str(error))
        except MonitorError as error:  # what the protocol's own readers say
            return _refusal(Code.INVALID_ARGUMENT, str(error))

    def _answer(self, method: str, path: str, headers: Any, body: bytes) -> Response:
        call = call_of(method, path)
        if call is not None:
            content = unpacked(body, headers.get("content-encoding", ""))
            return _VERBS[call.api](self._served, call, content, headers)
        if method == "GET":
            for pattern, tell in ((_STATUS, _tell_of_model), (_V2_MODEL, _tell_v2)):
                found = pattern.fullmatch(path)
                if found is not None:
                    return tell(self._served, {key: unquote(value or "") for key, value in found.groupdict().items()})
            if path in ("/v2", "/v2/", "/v2/health/live", "/v2/health/ready"):
                return _tell_of_server(self._served, path)
        raise invalid(f"Malformed request: {method} {path}")


async def _body_of(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        parts.append(part)
        size += len(part)
        if size > MOST_BODY:
            raise NotAnsweredError(Code.RESOURCE_EXHAUSTED, f"The body of a request may have {MOST_BODY} bytes")
    return b"".join(parts)


def _predict(served: Versions[Model], call: Call, body: bytes, headers: Any) -> Response:
    document = read_json(body)
    _, model = served.get(call.model, call.version, call.label)
    signature = predict_json.signature_name(document)
    inputs = predict_json.inputs_of(document, model.inputs_of(signature))
    outputs = model.predict(signature, inputs.tensors)
    return _json(predict_json.answer_of(outputs, by_rows=inputs.by_rows))


def _classify(served: Versions[Model], call: Call, body: bytes, headers: Any) -> Response:
    document = read_json(body)
    context, examples = classify_json.examples_of(document)
    _, model = served.get(call.model, call.version, call.label)
    # an example has the features that all share, and its own
    records = [example_bytes({**(context or {}), **each}) for each in examples]
    return _json(classify_json.answer_of(model.classify(predict_json.signature_name(document), records)))


def _regress(served: Versions[Model], call: Call, body: bytes, headers: Any) -> Response:
    served.get(call.model, call.version, call.label)
    told = "This server classifies images; it has no signature of the method tensorflow/serving/regress"
    raise NotAnsweredError(Code.UNIMPLEMENTED, told)


def _infer(served: Versions[Model], call: Call, body: bytes, headers: Any) -> Response:
    version, model = served.get(call.model, call.version)
    request = v2_json.read_request(body, headers.get(v2_json.JSON_LENGTH, ""))
    content, length = v2_json.response_of(model.predict("", request.tensors), request, call.model, version)
    if length is None:
        return _json(content)
    own = {v2_json.JSON_LENGTH: str(length)}
    return Response(content, media_type="application/octet-stream", headers=own)


_VERBS: dict[str, Callable[[Versions[Model], Call, bytes, Any], Response]] = {
    "predict": _predict,
    "classify": _classify,
    "regress": _regress,
    "infer": _infer,
}


def _tell_of_model(served: Versions[Model], asked: dict[str, str]) -> Response:
    version = number_of(asked["version"])
    if asked["version"] and version is None:
        raise invalid(f"Failed to convert version: {asked['version']} to numeric.")
    if asked["metadata"]:
        number, model = served.get(asked["model"], version, asked["label"])
        told = {"name": asked["model"], "signature_name": "", "version": str(number)}
        return _json(_indented({"model_spec": told, "metadata": {"signature_def": _definitions(model)}}))
    if asked["label"]:
        served.get(asked["model"], None, asked["label"])
    statuses = [_status(each) for each in served.statuses(asked["model"], version)]
    return _json(_indented({"model_version_status": statuses}))


def _tell_of_server(served: Versions[Model], path: str) -> Response:
    if path.endswith("ready"):
        return JSONResponse({"ready": served.is_ready}, 200 if served.is_ready else 503)
    if path.endswith("live"):
        return JSONResponse({"live": True})
    return JSONResponse({"name": "model-monitor", "version": "2", "extensions": ["binary_tensor_data"]})


def _tell_v2(served: Versions[Model], asked: dict[str, str]) -> Response:
    version = number_of(asked["version"])
    number, model = served.get(asked["model"], version)
    if asked["ready"]:
        return JSONResponse({"name": asked["model"], "ready": True})
    inputs, outputs = (_v2_tensors(each) for each in model.usual)
    told = {"name": asked["model"], "versions": [str(number)], "platform": _PLATFORM}
    return JSONResponse({**told, "inputs": inputs, "outputs": outputs})


def _v2_tensors(infos: dict[str, TensorInfo]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "datatype": v2_tensors.datatype_of(info.dtype),
            "shape": [-1 if size is None else size for size in info.shape or ()],
        }
        for name, info in infos.items()
    ]


def _status(status: Status) -> dict[str, Any]:
    failed = {"error_code": "UNKNOWN", "error_message": status.error}
    fine = {"error_code": "OK", "error_message": ""}
    ended = status.state is State.END and status.error
    return {"version": str(status.version), "state": status.state.name, "status": failed if ended else fine}


def _definitions(model: Model) -> dict[str, Any]:
    told = get_model_metadata_pb2.SignatureDefMap()
    for name, definition in model.definitions.items():
        told.signature_def[name].CopyFrom(definition)
    options: dict[str, Any] = {"preserving_proto_field_name": True}
    try:
        return dict(json_format.MessageToDict(told, including_default_value_fields=True, **options))
    except TypeError:  # protobuf 5 and later call it so
        return dict(json_format.MessageToDict(told, always_print_fields_with_no_presence=True, **options))


def _refusal(code: Code, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, code.http_status)


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")


def _indented(value: Any) -> bytes:
    return json.dumps(value, indent=1).encode()
