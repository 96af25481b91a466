"""Requests to rows, one an image: those of many log records are checked and converted together.

What becomes of a request depends on it alone, not on what it is read with.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..common.canonical_rows import Value, stored_image
from ..common.class_scores import ScoreCounts
from ..common.image_spec import ImageSpec
from ..common.label_numbering import Agreement
from ..common.model_spec import ID, IMAGE, ModelSpec
from .input_checks import Images, Values, check_images
from .prediction_log import Contents, Origin, Sender
from .predictions import Answered, check_answers
from .problems import BrokenError, Problem
from .sent_images import SentImages
from .subsampling import ClientKey


class Row(NamedTuple):
    """One image: its place in the request, its id, the features of its tf.Example, and its pixels uint8 [H, W, C]."""

    number: int
    id: bytes
    features: dict[str, Value]
    pixels: npt.NDArray[np.uint8]


@dataclass
class Request(Sender):
    """What became of one log record.

    Attributes:
      images: how many images the request holds; 0 if that cannot be told.
      rows: those that could be read, in order.
      flags: what is wrong: row (None: the whole request), problem, what was found.
      broken: row and reason of each image that is no row; (None, ...) alone when the whole request is none.
      outputs: number of classes and of embedding dimensions of the response; 0: none of it.

    """

    images: int = 0
    rows: list[Row] = field(default_factory=list)
    flags: list[tuple[int | None, Problem, str]] = field(default_factory=list)
    broken: list[tuple[int | None, Problem, str]] = field(default_factory=list)
    outputs: tuple[int, int] | None = None

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


@dataclass
class Requests:
    """What became of several log records.

    Attributes:
      requests: of each record.
      values: the numbers that all their images came as.
      scores: how the model's scores look.
      numbering: how often its class ids are those of its scores.

    """

    requests: list[Request]
    values: Values
    scores: ScoreCounts
    numbering: Agreement


def read_requests(records: Sequence[Contents], spec: ModelSpec) -> Requests:
    """The rows of log records, and what is wrong with each. Never raises for what they hold."""
    requests = [Request(each.origin, each.request_ids, each.has_id, each.client_ids) for each in records]
    sent: list[tuple[Request, Contents, SentImages]] = []
    for request, record in zip(requests, records, strict=True):
        if isinstance(record.images, BrokenError):
            found = (None, record.images.problem, record.images.reason)
            request.broken.append(found)
            request.flags.append(found)
        else:
            sent.append((request, record, record.images))
    images, values = check_images([each for _, _, each in sent], spec.image.range)
    answers = [record.answer for _, record, _ in sent if not isinstance(record.answer, BrokenError)]
    answered, scores, numbering = check_answers(answers, spec)
    of_answers = iter(answered)
    for (request, record, each), checked in zip(sent, images, strict=True):
        request.images = each.count
        answer = _unanswered(record.answer, each.count) if isinstance(record.answer, BrokenError) else next(of_answers)
        _fill_in(request, each, checked, answer, spec.image)
    return Requests(requests, values, scores, numbering)


def _unanswered(error: BrokenError, images: int) -> Answered:
    return Answered(flags=[(row, error.problem, error.reason) for row in range(images)])


def _fill_in(request: Request, sent: SentImages, checked: Images, answered: Answered, image: ImageSpec) -> None:
    """Gives a request its rows, and says what is wrong with it."""
    request.flags += answered.flags
    predictions = answered.predictions
    if predictions is not None:
        request.outputs = (_columns(predictions.probabilities), _columns(predictions.embeddings))
    shared = _features_of(request.origin)
    for row in range(sent.count):
        flags = checked.flags.get(row, [])
        request.flags += [(row, problem, found) for problem, found in flags]
        pixels = checked.pixels.get(row)
        if pixels is None:
            request.broken.append((row, *flags[0]))
            continue
        identity = request.row_id(row)
        features: dict[str, Value] = {
            IMAGE: _stored(pixels, sent.files.get(row), image),
            ID: identity,
            "request_id": request.request_id(row),
            **shared,
        }
        if predictions is not None:
            features.update(predictions.features(answered.first + row))
        request.rows.append(Row(row, identity, features, pixels))


def _columns(values: npt.NDArray[np.float32] | None) -> int:
    return 0 if values is None else int(values.shape[1])


def _features_of(origin: Origin) -> dict[str, Value]:
    """What every row of a request says of it."""
    return {name: value for name, value in vars(origin).items() if value is not None}


def _stored(pixels: npt.NDArray[np.uint8], file: bytes | None, image: ImageSpec) -> bytes:
    """The image as rows hold it; a file that was sent stays as it is where rows hold files."""
    return file if file is not None and image.format != "raw" else stored_image(pixels, image)
