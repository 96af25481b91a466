"""What a PredictionLog says of itself, without decoding its images: how many there are, whose they are, from when.

For whoever divides records among windows and reads no pixel. TensorFlow Serving's own messages import TensorFlow; these
have the few fields that are asked for, under the same names and numbers, so that `read_origin` takes them as well.
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from ..common.image_spec import ImageSpec
from .image_shapes import as_batch
from .prediction_log import Origin, read_origin
from .problems import BrokenError
from .read_options import EXAMPLES_INPUT
from .sent_images import MAX_IMAGES
from .tensor_decoding import STRING, dtype_name, shape_of

_PACKAGE = "monitor.outline"
_FIELD = descriptor_pb2.FieldDescriptorProto
_KINDS = {"string": _FIELD.TYPE_STRING, "int64": _FIELD.TYPE_INT64, "int32": _FIELD.TYPE_INT32,
          "bool": _FIELD.TYPE_BOOL, "double": _FIELD.TYPE_DOUBLE}  # fmt: skip
# Of tensorflow_serving/apis and tensorflow/core/framework: a message's fields as number, type and name. `*` is
# repeated, `{...}` a map's type of values, and what stands behind `|` the oneof that a field is of.
_MESSAGES = {
    "Number": ("1 int64 value",),
    "ModelSpec": ("1 string name", "2 Number version|version_choice", "4 string version_label|version_choice"),
    "Sampling": ("1 double sampling_rate",),
    "Metadata": ("1 ModelSpec model_spec", "2 Sampling sampling_config", "4 int64 timestamp_secs"),
    "Dim": ("1 int64 size",),
    "Shape": ("2 *Dim dim", "3 bool unknown_rank"),
    "Tensor": ("1 int32 dtype", "2 Shape tensor_shape"),
    "PredictRequest": ("1 ModelSpec model_spec", "2 {Tensor} inputs"),
    "Answer": ("2 ModelSpec model_spec",),
    "PredictLog": ("1 PredictRequest request", "2 Answer response"),
    "Example": (),
    "Examples": ("1 *Example examples",),
    "Input": ("1 Examples example_list|kind", "2 Examples example_list_with_context|kind"),
    "ClassifyRequest": ("1 ModelSpec model_spec", "2 Input input"),
    "ClassifyLog": ("1 ClassifyRequest request", "2 Answer response"),
    "Log": ("1 Metadata log_metadata", "2 ClassifyLog classify_log|log_type", "3 Example regress_log|log_type",
            "4 Example multi_inference_log|log_type", "5 Example session_run_log|log_type",
            "6 PredictLog predict_log|log_type", "7 Example predict_streamed_log|log_type"),
}  # fmt: skip


@dataclass(frozen=True)
class Outline:
    """How many images a request holds, 0 where that cannot be told, and what the log's metadata say of it."""

    images: int
    origin: Origin


def outline(record: bytes, image: ImageSpec) -> Outline | None:
    """The outline of a serialised PredictionLog; None where the bytes are none. Never raises for what it holds."""
    log = _log_class()()
    try:
        # protobuf 3.20 stops at a stray end-group tag, warns and gives what it has so far
        if log.MergeFromString(record) not in (None, len(record)):
            return None
    except (DecodeError, UnicodeDecodeError, SystemError, RuntimeWarning):
        return None
    try:
        images = _images(log, image)
    except BrokenError:
        images = 0
    return Outline(images if images <= MAX_IMAGES else 0, read_origin(log))


def _images(log: Any, image: ImageSpec) -> int:
    kind = log.WhichOneof("log_type")
    if kind == "classify_log":
        given = log.classify_log.request.input
        which = given.WhichOneof("kind")
        return len(getattr(given, which).examples) if which else 0
    if kind != "predict_log":
        return 0
    inputs = log.predict_log.request.inputs
    name = next((name for name in (image.input, EXAMPLES_INPUT) if name in inputs), None)
    if name is None:
        return 0
    shape = shape_of(inputs[name])
    return math.prod(shape) if dtype_name(inputs[name]) == STRING else as_batch(shape, image, name)[0]


@cache
def _log_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="outline.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field in fields:
            _add_field(message, *field.split())
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    described = pool.FindMessageTypeByName(f"{_PACKAGE}.Log")
    if hasattr(message_factory, "GetMessageClass"):  # protobuf 4 and later
        return message_factory.GetMessageClass(described)
    return message_factory.MessageFactory(pool).GetPrototype(described)


def _add_field(message: Any, number: str, kind: str, name: str) -> None:
    name, _, one_of = name.partition("|")
    field = message.field.add(name=name, number=int(number))
    field.label = _FIELD.LABEL_REPEATED if kind[0] in "*{" else _FIELD.LABEL_OPTIONAL
    if kind in _KINDS:
        field.type = _KINDS[kind]
    else:
        field.type = _FIELD.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{kind.strip('*{}')}"
    if kind.startswith("{"):
        field.type_name = f".{_PACKAGE}.{message.name}.{_add_entry(message, name, kind.strip('{}'))}"
    if one_of:
        known = [each.name for each in message.oneof_decl]
        if one_of not in known:
            message.oneof_decl.add(name=one_of)
        field.oneof_index = [*known, one_of].index(one_of)


def _add_entry(message: Any, name: str, kind: str) -> str:
    """The type of a map's entries, in the message that has the map; its name, as protobuf wants it."""
    entry = message.nested_type.add(name=f"{name.capitalize()}Entry")
    entry.options.map_entry = True
    _add_field(entry, "1", "string", "key")
    _add_field(entry, "2", kind, "value")
    return str(entry.name)
