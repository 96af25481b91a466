"""The model server over gRPC: TensorFlow Serving's PredictionService and the status of its ModelService."""

from collections.abc import Callable
from concurrent import futures
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from components.common.errors import MonitorError
from components.served_model.tensors import Batch

from ..protocols.signatures import DEFAULT_SIGNATURE
from .errors import Code, NotAnsweredError, invalid
from .model import Model
from .versions import State, Versions

_THREADS = 8
_OPTIONS = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0))
_CODES = {code.value[0]: code for code in grpc.StatusCode}


def grpc_server(served: Versions[Model]) -> Any:
    """A server, not started and without an address, that answers for one model."""
    server = grpc.server(futures.ThreadPoolExecutor(_THREADS, "serve-grpc"), options=_OPTIONS)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(_Prediction(served), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(_Models(served), server)
    return server


def _answered(answer: Callable[[Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    """A method whose errors become gRPC's status."""

    def method(servicer: Any, request: Any, context: Any) -> Any:
        try:
            return answer(servicer, request)
        except NotAnsweredError as error:
            context.abort(_CODES[int(error.code)], str(error))
        except MonitorError as error:
            context.abort(grpc.StatusCode.INTERNAL, str(error))

    return method


class _Prediction(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, served: Versions[Model]) -> None:
        self._served = served

    @_answered
    def Predict(self, request: Any) -> Any:
        version, model = self._model(request)
        outputs = model.predict(
            request.model_spec.signature_name, _arrays(request.inputs), tuple(request.output_filter)
        )
        response = predict_pb2.PredictResponse()
        self._say_model(response.model_spec, request, version)
        for name, value in outputs.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return response

    @_answered
    def Classify(self, request: Any) -> Any:
        version, model = self._model(request)
        records = _examples(request.input)
        response = classification_pb2.ClassificationResponse()
        for row in model.classify(request.model_spec.signature_name, records):
            classes = response.result.classifications.add()
            for label, score in row:
                classes.classes.add(label=label, score=score)
        self._say_model(response.model_spec, request, version)
        return response

    @_answered
    def GetModelMetadata(self, request: Any) -> Any:
        if "signature_def" not in request.metadata_field or len(request.metadata_field) != 1:
            raise invalid(f"Metadata field {', '.join(request.metadata_field)} is not supported")
        version, model = self._model(request)
        response, told = get_model_metadata_pb2.GetModelMetadataResponse(), get_model_metadata_pb2.SignatureDefMap()
        for name, definition in model.definitions.items():
            told.signature_def[name].CopyFrom(definition)
        response.metadata["signature_def"].Pack(told)
        response.model_spec.name, response.model_spec.version.value = request.model_spec.name, version
        return response

    def _model(self, request: Any) -> tuple[int, Model]:
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        spec = request.model_spec
        version = spec.version.value if spec.HasField("version") else None
        return self._served.get(spec.name, version, spec.version_label)

    def _say_model(self, told: Any, request: Any, version: int) -> None:
        told.name, told.version.value = request.model_spec.name, version
        told.signature_name = request.model_spec.signature_name or DEFAULT_SIGNATURE


class _Models(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, served: Versions[Model]) -> None:
        self._served = served

    @_answered
    def GetModelStatus(self, request: Any) -> Any:
        spec = request.model_spec
        response = get_model_status_pb2.GetModelStatusResponse()
        for status in self._served.statuses(spec.name, spec.version.value if spec.HasField("version") else None):
            told = response.model_version_status.add(version=status.version, state=status.state.value)
            if status.state is State.END and status.error:
                told.status.error_code, told.status.error_message = int(Code.UNKNOWN), status.error
        return response


def _arrays(protos: Any) -> Batch:
    try:
        return {name: np.asarray(tf.make_ndarray(proto)) for name, proto in protos.items()}
    except (ValueError, TypeError) as error:
        raise invalid(f"Tensor proto cannot be parsed: {error}") from error


def _examples(given: Any) -> list[bytes]:
    """The examples of a Classify request, each with the features that all share."""
    if given.WhichOneof("kind") == "example_list_with_context":
        shared, records = given.example_list_with_context.context, []
        for example in given.example_list_with_context.examples:
            merged = type(example)()
            merged.CopyFrom(shared)
            merged.MergeFrom(example)
            records.append(merged.SerializeToString())
        return records
    return [example.SerializeToString() for example in given.example_list.examples]
