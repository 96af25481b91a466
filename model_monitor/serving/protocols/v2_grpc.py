"""`ModelInfer` of the Open Inference Protocol (KServe V2) over gRPC as named tensors.

What is read of its messages stands in a few fields, whose numbers are those of KServe's `grpc_predict_v2.proto`, which
Triton's `grpc_service.proto` extends. Values are in each tensor's `contents`, by type, or all together in raw contents.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from components.common.artifacts.files import parse_message

from .calls import number_of
from .described_messages import FIELD, Fields, message_classes
from .json_values import BadRequestError
from .v2_json import Request, Response
from .v2_tensors import Tensors, name_of, of_values, unpacked

METHOD = "/inference.GRPCInferenceService/ModelInfer"
_SHARED_MEMORY = "shared_memory_region"  # a parameter of a tensor whose values did not come with the message
_MESSAGES: dict[str, Fields] = {
    "Parameter": {"key": (1, FIELD.TYPE_STRING)},
    "Contents": {
        "bools": (1, [FIELD.TYPE_BOOL]),
        "int32s": (2, [FIELD.TYPE_INT32]),
        "int64s": (3, [FIELD.TYPE_INT64]),
        "uint32s": (4, [FIELD.TYPE_UINT32]),
        "uint64s": (5, [FIELD.TYPE_UINT64]),
        "floats": (6, [FIELD.TYPE_FLOAT]),
        "doubles": (7, [FIELD.TYPE_DOUBLE]),
        "bytes": (8, [FIELD.TYPE_BYTES]),
    },
    "Tensor": {
        "name": (1, FIELD.TYPE_STRING),
        "datatype": (2, FIELD.TYPE_STRING),
        "shape": (3, [FIELD.TYPE_INT64]),
        "parameters": (4, ["Parameter"]),
        "contents": (5, "Contents"),
    },
    "ModelInferRequest": {
        "model": (1, FIELD.TYPE_STRING),
        "version": (2, FIELD.TYPE_STRING),
        "id": (3, FIELD.TYPE_STRING),
        "tensors": (5, ["Tensor"]),
        "raw": (7, [FIELD.TYPE_BYTES]),
    },
    "ModelInferResponse": {
        "model": (1, FIELD.TYPE_STRING),
        "version": (2, FIELD.TYPE_STRING),
        "tensors": (5, ["Tensor"]),
        "raw": (6, [FIELD.TYPE_BYTES]),
    },
}
# Which contents a datatype has; FP16 and BF16 have none and come raw.
_CONTENTS = {
    "BOOL": "bools",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int32s"),
    "INT64": "int64s",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint32s"),
    "UINT64": "uint64s",
    "FP32": "floats",
    "FP64": "doubles",
    "BYTES": "bytes",
}


def read_request(message: bytes) -> tuple[str, int | None, Request]:
    """Which model a request asks, which version of it (None: it does not say a number), and what.

    Raises:
      MonitorError: it is no such request.

    """
    asked = parse_message(_classes()["ModelInferRequest"](), message, "a ModelInfer request")
    tensors = _tensors(asked.tensors, asked.raw)
    return asked.model, number_of(asked.version), Request(tensors, asked.id)


def read_response(message: bytes) -> tuple[str, Response]:
    """Which model answered, and what. Raises `MonitorError` when it is no such answer."""
    answered = parse_message(_classes()["ModelInferResponse"](), message, "a ModelInfer answer")
    return answered.model, Response(_tensors(answered.tensors, answered.raw), number_of(answered.version))


def _tensors(described: Sequence[Any], raw: Sequence[bytes]) -> Tensors:
    records = [_record(each) for each in described]
    if not records or (raw and len(raw) != len(records)):
        raise BadRequestError(f"a message must have values for each of its {len(records)} tensors, and has {len(raw)}")
    tensors: Tensors = {}
    for place, (each, record) in enumerate(zip(described, records, strict=True)):
        values = getattr(each.contents, _CONTENTS.get(each.datatype, ""), ())
        tensors[name_of(record)] = unpacked(record, raw[place]) if raw else of_values(record, values)
    return tensors


def _record(tensor: Any) -> dict[str, Any]:
    if any(each.key == _SHARED_MEMORY for each in tensor.parameters):
        raise BadRequestError(f"the values of {tensor.name!r} are in shared memory, where only the server reads them")
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}


@cache
def _classes() -> dict[str, Any]:
    return message_classes("model_monitor_inference", _MESSAGES)
