"""Images made for measurements, 32 x 32 in colour, no two alike, in build/scale: as each component reads them."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.common.artifacts.tfrecord import frame
from components.serving_log_writer.prediction_log_encoding import ServedModel, example_bytes, predict_log

KEPT = Path(__file__).resolve().parents[2] / "build" / "scale"
CLASSES = 10
_CHUNK = 10_000  # images that are made, and written to a file, at a time

Images = npt.NDArray[np.uint8]


def data_for(component: str, images: int, a_request: int) -> Path:
    """The folder of what a component reads: made, unless it is there. It is one file, however large."""
    folder = KEPT / (f"{component}-{images}" + f"-{a_request}" * (component == "convert"))
    if folder.is_dir():
        return folder
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for first, chunk in _chunks(images):
        _WRITERS[component](unfinished, chunk, first, a_request)
    unfinished.rename(folder)
    return folder


def _chunks(images: int) -> Iterator[tuple[int, Images]]:
    """Images of smooth colours and some noise, `uint8[N, 32, 32, 3]`, with the number of the first of each chunk."""
    for first in range(0, images, _CHUNK):
        draw = np.random.default_rng(first)
        count = min(_CHUNK, images - first)
        coarse = draw.integers(0, 256, (count, 4, 4, 3), np.uint8).repeat(8, axis=1).repeat(8, axis=2)
        yield first, coarse ^ draw.integers(0, 16, coarse.shape, np.uint8)


def _write_cifar(folder: Path, images: Images, first: int, _: int) -> None:
    labels = (np.arange(first, first + len(images)) % CLASSES).astype(np.uint8)
    planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    with (folder / "all.bin").open("ab") as file:  # one file, however many there are
        file.write(np.hstack([labels[:, None], planes]).tobytes())


def _write_examples(folder: Path, images: Images, first: int, _: int) -> None:
    (folder / "Split-eval").mkdir(exist_ok=True)
    with (folder / "Split-eval" / "all.tfrecord").open("ab") as file:
        for number, image in enumerate(images, first):
            features = {"image": [image.tobytes()], "id": [b"%d" % number], "label": [number % CLASSES]}
            file.write(frame(example_bytes(features)))


def _write_logs(folder: Path, images: Images, first: int, a_request: int) -> None:
    (folder / "1").mkdir(exist_ok=True)
    scores = np.random.default_rng(first).dirichlet(np.ones(CLASSES), len(images)).astype(np.float32)
    with (folder / "1" / "all.tfrecord").open("ab") as file:
        for begin in range(0, len(images), a_request):
            part = slice(begin, begin + a_request)
            sent, answer = {"image": images[part]}, {"probabilities": scores[part]}
            file.write(frame(predict_log(ServedModel("m", 1), sent, answer, f"request-{first + begin}")))


_WRITERS: dict[str, Callable[[Path, Images, int, int], None]] = {
    "read-cifar": _write_cifar,
    "describe": _write_examples,
    "convert": _write_logs,
}
COMPONENTS = tuple(_WRITERS)
