"""PredictionLog messages to rows, one an image.

Works on anything with the fields of `tensorflow_serving/apis/prediction_log.proto`, so it imports no TensorFlow.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..common.canonical_rows import Predictions, Value, stored_image
from ..common.class_scores import ScoreCounts
from ..common.image_spec import ImageSpec
from ..common.label_numbering import Agreement
from ..common.model_spec import ID, IMAGE, ModelSpec
from ..serving_log_writer.log_fields import CLIENT_ID, REQUEST_ID
from .image_shapes import as_batch
from .input_checks import Images, ParseExample, Values, images_of_examples, images_of_tensor
from .predictions import Flags, predictions_of_classifications, predictions_of_tensors
from .problems import BrokenError, Problem
from .read_options import EXAMPLES_INPUT
from .subsampling import ClientKey
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


@dataclass(frozen=True)
class Row:
    """One image: its place in the request, its id, the features of its tf.Example, and its pixels uint8 [H, W, C]."""

    number: int
    id: bytes
    features: dict[str, Value]
    pixels: npt.NDArray[np.uint8]


@dataclass
class Request:
    """What became of one log record.

    Attributes:
      origin: from the metadata.
      request_ids: one for the whole request, or one for each of its images.
      has_id: whether the log has them, and they are not made of the file's name.
      client_ids: likewise who sent the request; empty where the log does not say, or nobody asks.
      images: how many images the request holds; 0 if that cannot be told.
      rows: those that could be read, in order.
      flags: what is wrong: row (None: the whole request), problem, what was found.
      broken: row and reason of each image that is no row; (None, ...) alone when the whole request is none.
      outputs: number of classes and of embedding dimensions of the response; 0: none of it.
      values: the numbers that images came as.
      scores: how the model's scores look.
      numbering: how often its class ids are those of its scores.

    """

    origin: Origin
    request_ids: list[bytes]
    has_id: bool = False
    client_ids: list[bytes] = field(default_factory=list)
    images: int = 0
    rows: list[Row] = field(default_factory=list)
    flags: list[tuple[int | None, Problem, str]] = field(default_factory=list)
    broken: list[tuple[int | None, Problem, str]] = field(default_factory=list)
    outputs: tuple[int, int] | None = None
    values: Values = field(default_factory=Values)
    scores: ScoreCounts = field(default_factory=ScoreCounts)
    numbering: Agreement = field(default_factory=Agreement)

    def request_id(self, row: int) -> bytes:
        """The request id of one image: its own where each has one, otherwise the whole request's, which comes first."""
        return self.request_ids[row if len(self.request_ids) == self.images else 0]

    def client(self, row: int, key: ClientKey) -> bytes:
        """Who sent one image, b"" where the log does not say."""
        if key.field:
            own = len(self.client_ids) == self.images
            return self.client_ids[row if own else 0] if self.client_ids else b""
        return key.of_request_id(self.request_id(row)) if self.has_id else b""

    def row_id(self, row: int) -> bytes:
        """The id of one image, such as `part-0.tfrecord.gz:17/2`."""
        return b"%s/%d" % (self.request_id(row), row)


def read_origin(log: Any) -> Origin:
    """What the metadata of a PredictionLog say; the response knows the version best, then the server's metadata."""
    specs = [log.log_metadata.model_spec]
    kind = log.WhichOneof("log_type")
    if kind in ("predict_log", "classify_log"):
        body = getattr(log, kind)
        specs = [body.response.model_spec, log.log_metadata.model_spec, body.request.model_spec]
    names = [spec.name for spec in specs if spec.name]
    versions = [spec.version.value for spec in specs if spec.WhichOneof("version_choice") == "version"]
    timestamp, rate = log.log_metadata.timestamp_secs, log.log_metadata.sampling_config.sampling_rate
    return Origin(
        model_name=names[0].encode("utf-8", "replace") if names else None,
        model_version=versions[0] if versions and versions[0] >= 0 else None,
        timestamp=timestamp if timestamp > 0 else None,
        sampling_rate=rate if math.isfinite(rate) and 0 < rate <= 1 else None,
    )


def read_request(  # noqa: PLR0913 - the record, what is known of it and what is expected
    log: Any,
    origin: Origin,
    spec: ModelSpec,
    fallback_id: bytes,
    parse_example: ParseExample,
    *,
    client_field: str = "",
) -> Request:
    """The rows of one PredictionLog, and what is wrong with it. Never raises for what the log holds.

    Args:
      log: a PredictionLog message.
      origin: `read_origin(log)`.
      spec: what is expected.
      fallback_id: the request's id if it has none of its own.
      parse_example: serialised tf.Example to message, None if it is none.
      client_field: the string input that names the client; "" where nobody asks.

    """
    own_ids = _ids(log, REQUEST_ID)
    request = Request(origin, own_ids or [fallback_id], bool(own_ids), _ids(log, client_field))
    try:
        images = _read_images(log, spec.image, parse_example)
    except BrokenError as error:
        request.broken.append((None, error.problem, error.reason))
        request.flags.append((None, error.problem, error.reason))
        return request
    request.images, request.values = images.count, images.values
    predictions = _read_predictions(log, images.count, spec, request)
    for row in range(images.count):
        flags = images.flags.get(row, [])
        request.flags += [(row, problem, found) for problem, found in flags]
        if row in images.pixels:
            stored = _stored(images.pixels[row], images.files.get(row), spec.image)
            request.rows.append(_row(row, images.pixels[row], stored, predictions, request))
        else:
            problem, found = flags[0]
            request.broken.append((row, problem, found))
    return request


def _read_images(log: Any, image: ImageSpec, parse_example: ParseExample) -> Images:
    kind = log.WhichOneof("log_type")
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


def _images_of_inputs(inputs: Any, image: ImageSpec, parse_example: ParseExample) -> Images:
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


def _ids(log: Any, name: str) -> list[bytes]:
    """The ids that a request carries under `name`, one or one an image; none where it has none that can be one."""
    kind = log.WhichOneof("log_type")
    if kind == "predict_log" and name in log.predict_log.request.inputs:
        try:
            return _fitting(decode_strings(log.predict_log.request.inputs[name]))
        except BrokenError:
            return []  # as good as none: the request is known by its file and number then
    if kind == "classify_log" and log.classify_log.request.input.WhichOneof("kind") == _WITH_CONTEXT:
        context = log.classify_log.request.input.example_list_with_context.context.features.feature
        return _fitting(list(context[name].bytes_list.value)) if name in context else []
    return []


def _fitting(ids: list[bytes]) -> list[bytes]:
    """The ids, if every one of them can be one."""
    return ids if all(0 < len(identity) <= _MAX_ID_BYTES for identity in ids) else []


def _read_predictions(log: Any, batch: int, spec: ModelSpec, request: Request) -> Predictions | None:
    """The predictions; None, and a flag on every row, where there are none."""
    try:
        predictions, flags = _predictions_of(log, batch, spec)
    except BrokenError as error:
        request.flags += [(row, error.problem, error.reason) for row in range(batch)]
        return None
    request.flags += flags
    request.scores, request.numbering = predictions.counts, predictions.numbering
    request.outputs = (_columns(predictions.probabilities), _columns(predictions.embeddings))
    return predictions


def _columns(values: npt.NDArray[np.float32] | None) -> int:
    return 0 if values is None else int(values.shape[1])


def _predictions_of(log: Any, batch: int, spec: ModelSpec) -> tuple[Predictions, Flags]:
    if log.WhichOneof("log_type") == "predict_log":
        outputs = log.predict_log.response.outputs
        if not outputs:
            wanted = f"the response must have the output {spec.outputs.scores!r}"
            raise BrokenError(Problem.MISSING_RESPONSE, f"{wanted}, and has no outputs")
        return predictions_of_tensors(outputs, spec, batch)
    rows = log.classify_log.response.result.classifications
    if not rows:
        wanted = f"the response must have a classification for each of {batch} images"
        raise BrokenError(Problem.MISSING_RESPONSE, f"{wanted}, and has none")
    return predictions_of_classifications(rows, spec, batch)


def _stored(pixels: npt.NDArray[np.uint8], file: bytes | None, image: ImageSpec) -> bytes:
    """The image as rows hold it; a file that was sent stays as it is where rows hold files."""
    return file if file is not None and image.format != "raw" else stored_image(pixels, image)


def _row(
    number: int, pixels: npt.NDArray[np.uint8], stored: bytes, predictions: Predictions | None, request: Request
) -> Row:
    origin, identity = request.origin, request.row_id(number)
    features: dict[str, Value | None] = {
        IMAGE: stored,
        ID: identity,
        "request_id": request.request_id(number),
        "model_name": origin.model_name,
        "model_version": origin.model_version,
        "timestamp": origin.timestamp,
        "sampling_rate": origin.sampling_rate,
    }
    if predictions is not None:
        features.update(predictions.features(number))
    return Row(number, identity, {name: value for name, value in features.items() if value is not None}, pixels)
