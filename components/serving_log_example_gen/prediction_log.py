"""What a PredictionLog message holds: whose it is, its images and its answers, before any number is looked at.

Works on anything with the fields of `tensorflow_serving/apis/prediction_log.proto`, so it imports no TensorFlow.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..common.image_spec import ImageSpec
from ..common.model_spec import ModelSpec
from ..serving_log_writer.log_fields import CLIENT_ID, REQUEST_ID
from .image_shapes import as_batch
from .predictions import Answer, answer_of_classifications, answer_of_tensors
from .problems import BrokenError, Problem
from .read_options import EXAMPLES_INPUT
from .sent_images import ParseExample, SentImages, images_of_examples, images_of_tensor
from .tensor_decoding import STRING, decode_strings, dtype_name, shape_of

_WITH_CONTEXT = "example_list_with_context"  # the one kind of Classify request that can carry ids
_MAX_ID_BYTES = 256  # a longer request id is none: it would stand in every row of the request


@dataclass(frozen=True)
class Origin:
    """What the log's metadata say of a request. None: nothing, or nothing that makes sense.

    Attributes:
      model_name: UTF-8.
      model_version: the version that answered.
      timestamp: seconds since the epoch.
      sampling_rate: proportion of requests that were logged, in (0, 1].

    """

    model_name: bytes | None
    model_version: int | None
    timestamp: int | None
    sampling_rate: float | None


@dataclass
class Sender:
    """Where one log record comes from.

    Attributes:
      origin: from the metadata.
      request_ids: one for the whole request, or one for each of its images.
      has_id: whether the log has them, and they are not made of the file's name.
      client_ids: likewise who sent the request; empty where the log does not say, or nobody asks.

    """

    origin: Origin
    request_ids: list[bytes]
    has_id: bool
    client_ids: list[bytes]


@dataclass
class Contents(Sender):
    """What one log record holds.

    Attributes:
      images: as they were sent, or why none of them can become a row.
      answer: to these images, or why there is none.

    """

    images: SentImages | BrokenError
    answer: Answer | BrokenError

    @property
    def count(self) -> int:
        """How many images it holds; 0 if that cannot be told."""
        return 0 if isinstance(self.images, BrokenError) else self.images.count

    @property
    def size(self) -> int:
        """Bytes of its numbers."""
        images = 0 if isinstance(self.images, BrokenError) else sum(each.array.nbytes for each in self.images.stacks)
        return images + (0 if isinstance(self.answer, BrokenError) else self.answer.size)


def read_origin(log: Any) -> Origin:
    """What the metadata of a PredictionLog say; the response knows the version best, then the server's metadata."""
    metadata = log.log_metadata
    specs = [metadata.model_spec]
    kind = log.WhichOneof("log_type")
    if kind in ("predict_log", "classify_log"):
        body = getattr(log, kind)
        specs = [body.response.model_spec, metadata.model_spec, body.request.model_spec]
    name, version = "", None
    for spec in specs:
        name = name or spec.name
        if version is None and spec.WhichOneof("version_choice") == "version":
            version = spec.version.value
    timestamp, rate = metadata.timestamp_secs, metadata.sampling_config.sampling_rate
    return Origin(
        model_name=name.encode("utf-8", "replace") if name else None,
        model_version=version if version is not None and version >= 0 else None,
        timestamp=timestamp if timestamp > 0 else None,
        sampling_rate=rate if math.isfinite(rate) and 0 < rate <= 1 else None,
    )


def read_contents(  # noqa: PLR0913 - the record, what is known of it and what is expected
    log: Any,
    origin: Origin,
    spec: ModelSpec,
    fallback_id: bytes,
    parse_example: ParseExample,
    *,
    client_field: str = "",
) -> Contents:
    """What one PredictionLog holds. Never raises for that.

    Args:
      log: a PredictionLog message.
      origin: `read_origin(log)`.
      spec: what is expected.
      fallback_id: the request's id if it has none of its own.
      parse_example: serialised tf.Example to message, None if it is none.
      client_field: the string input that names the client; "" where nobody asks.

    """
    kind = log.WhichOneof("log_type")
    own_ids = _ids(log, kind, REQUEST_ID)
    client_ids = _ids(log, kind, client_field) if client_field else []
    images: SentImages | BrokenError
    answer: Answer | BrokenError
    try:
        images = _images_of(log, kind, spec.image, parse_example)
        answer = _answer_of(log, kind, images.count, spec)
    except BrokenError as error:
        images = answer = error
    return Contents(origin, own_ids or [fallback_id], bool(own_ids), client_ids, images, answer)


def _images_of(log: Any, kind: str | None, image: ImageSpec, parse_example: ParseExample) -> SentImages:
    if kind == "predict_log":
        return _images_of_inputs(log.predict_log.request.inputs, image, parse_example)
    if kind == "classify_log":
        given = log.classify_log.request.input
        with_context = given.WhichOneof("kind") == _WITH_CONTEXT
        examples = given.example_list_with_context if with_context else given.example_list
        return images_of_examples(examples.examples, image)
    if kind is None:
        raise BrokenError(Problem.NOT_A_LOG, "the record holds no request")
    raise BrokenError(Problem.UNSUPPORTED_LOG, f"a {kind} holds no images that can be read")


def _images_of_inputs(inputs: Mapping[str, Any], image: ImageSpec, parse_example: ParseExample) -> SentImages:
    name = next((name for name in (image.input, EXAMPLES_INPUT) if name in inputs), None)
    if name is None:
        held = sorted(set(inputs) - {REQUEST_ID, CLIENT_ID})[:20]
        raise BrokenError(Problem.NO_IMAGE, f"the request must have the input {image.input!r}, and has {held}")
    others = sorted(other for other in inputs if other != name and _holds_images(inputs[other], image))
    if others:
        named = ", ".join(map(repr, others[:20]))
        raise BrokenError(Problem.SEVERAL_IMAGES, f"beside {name!r} the request has {named}")
    serialised = name == EXAMPLES_INPUT and name != image.input
    return images_of_tensor(inputs[name], name, image, parse_example, serialised=serialised)


def _holds_images(proto: Any, image: ImageSpec) -> bool:
    """Whether an input holds numbers in a batch of images with all its axes, of the size that the spec gives."""
    try:
        return (
            len(proto.tensor_shape.dim) == 4
            and dtype_name(proto) != STRING
            and as_batch(shape_of(proto), image, "")[0] > 0
        )
    except BrokenError:
        return False


def _ids(log: Any, kind: str | None, name: str) -> list[bytes]:
    """The ids that a request carries under `name`, one or one an image; none where it has none that can be one."""
    if kind == "predict_log":
        inputs = log.predict_log.request.inputs
        if name in inputs:
            try:
                return _fitting(decode_strings(inputs[name]))
            except BrokenError:
                return []  # as good as none: the request is known by its file and number then
    if kind == "classify_log" and log.classify_log.request.input.WhichOneof("kind") == _WITH_CONTEXT:
        context = log.classify_log.request.input.example_list_with_context.context.features.feature
        return _fitting(list(context[name].bytes_list.value)) if name in context else []
    return []


def _fitting(ids: list[bytes]) -> list[bytes]:
    """The ids, if every one of them can be one."""
    lengths = set(map(len, ids))
    return ids if lengths and min(lengths) > 0 and max(lengths) <= _MAX_ID_BYTES else []


def _answer_of(log: Any, kind: str | None, batch: int, spec: ModelSpec) -> Answer | BrokenError:
    try:
        if kind == "predict_log":
            return _answer_of_outputs(log.predict_log.response.outputs, batch, spec)
        rows = log.classify_log.response.result.classifications
        if rows:
            return answer_of_classifications(rows, spec, batch)
        wanted = f"the response must have a classification for each of {batch} images"
        raise BrokenError(Problem.MISSING_RESPONSE, f"{wanted}, and has none")
    except BrokenError as error:
        return error


def _answer_of_outputs(outputs: Mapping[str, Any], batch: int, spec: ModelSpec) -> Answer:
    if not outputs:
        wanted = f"the response must have the output {spec.outputs.scores!r}"
        raise BrokenError(Problem.MISSING_RESPONSE, f"{wanted}, and has no outputs")
    return answer_of_tensors(outputs, spec, batch)
