"""What clients ask the model of `grey_model.py`, and the records that such requests make."""

import numpy as np
import numpy.typing as npt

from components.serving_log_writer.prediction_log_encoding import ServedModel, metadata, predict_log
from tests.support.plain_models import levels, pixels, softmax

DARKER = 0.5


def images(count: int, seed: int, *, dark: bool = False) -> npt.NDArray[np.float32]:
    """Images [N, 6, 6, 1] as the model takes them, 0..1; dark ones are no longer like those it was validated on."""
    return (pixels(count, seed=seed)[0] / 255 * (DARKER if dark else 1)).astype(np.float32)


def request(name: str, given: npt.NDArray[np.float32], at: float) -> bytes:
    """The record of a request, with what the model answers to it."""
    model = ServedModel("grey", 7)
    return metadata(model, int(at)) + predict_log(model, {"x": given}, {"dense": softmax(levels(given))}, name)
