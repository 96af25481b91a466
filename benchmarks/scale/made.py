"""Images made for measurements, 32 x 32 in colour, no two alike, in build/scale: as each component reads them."""

import shutil
from collections.abc import Callable, Iterator
from importlib import import_module  # of what only some data is made by
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.common.artifacts.tfrecord import frame
from components.serving_log_writer.prediction_log_encoding import ServedModel, example_bytes, predict_log
from pipelines.cifar10.config import default_spec

KEPT = Path(__file__).resolve().parents[2] / "build" / "scale"
CLASSES = 10
_CHUNK = 10_000  # images that are made, and written to a file, at a time

Images = npt.NDArray[np.uint8]


def data_for(component: str, images: int, a_request: int) -> Path:
    """The folder of what a component reads: made, unless it is there. It is one file, however large."""
    kind, write = _READS[component]
    folder = KEPT / (f"{kind}-{images}" + f"-{a_request}" * (kind == "logs"))
    if folder.is_dir():
        return folder
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    write(unfinished, images, a_request)
    unfinished.rename(folder)
    return folder


def _chunks(images: int, begin: int = 0) -> Iterator[tuple[int, Images]]:
    """Images of smooth colours and some noise, `uint8[N, 32, 32, 3]`, with the number of the first of each chunk."""
    for first in range(begin, begin + images, _CHUNK):
        draw = np.random.default_rng(first)
        count = min(_CHUNK, begin + images - first)
        coarse = draw.integers(0, 256, (count, 4, 4, 3), np.uint8).repeat(8, axis=1).repeat(8, axis=2)
        yield first, coarse ^ draw.integers(0, 16, coarse.shape, np.uint8)


def _scores(first: int, count: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(first).dirichlet(np.ones(CLASSES), count).astype(np.float32)


def _write_cifar(folder: Path, images: int, _: int) -> None:
    with (folder / "all.bin").open("wb") as file:  # one file, however many there are
        for first, chunk in _chunks(images):
            labels = (np.arange(first, first + len(chunk)) % CLASSES).astype(np.uint8)
            planes = chunk.transpose(0, 3, 1, 2).reshape(len(chunk), -1)
            file.write(np.hstack([labels[:, None], planes]).tobytes())


def _write_examples(folder: Path, images: int, _: int) -> None:
    (folder / "Split-eval").mkdir()
    with (folder / "Split-eval" / "all.tfrecord").open("wb") as file:
        for first, chunk in _chunks(images):
            for number, image in enumerate(chunk, first):
                features = {"image": [image.tobytes()], "id": [b"%d" % number], "label": [number % CLASSES]}
                file.write(frame(example_bytes(features)))
    _write_model(folder / "model")


def _write_model(folder: Path) -> None:
    classifier, signatures = (
        import_module(f"pipelines.cifar10.{name}") for name in ("classifier", "serving_signatures")
    )
    model = classifier.build("tiny_cnn", classes=CLASSES, image_shape=(32, 32, 3), weights="none")
    width = model.get_layer("features").output.shape[-1]
    mean, components = np.zeros(width, np.float32), np.eye(width, signatures.EMBEDDING_SIZE, dtype=np.float32)
    projection = signatures.Projection(mean, components)
    signatures.export(model, projection, default_spec().classes, str(folder / "Format-Serving"))


def _write_logs(folder: Path, images: int, a_request: int) -> None:
    (folder / "1").mkdir()
    with (folder / "1" / "all.tfrecord").open("wb") as file:
        for first, chunk in _chunks(images):
            scores = _scores(first, len(chunk))
            for begin in range(0, len(chunk), a_request):
                part = slice(begin, begin + a_request)
                sent, answer = {"image": chunk[part]}, {"probabilities": scores[part]}
                file.write(frame(predict_log(ServedModel("m", 1), sent, answer, f"request-{first + begin}")))


def _write_windows(folder: Path, images: int, _: int) -> None:
    """A baseline and a window of scored examples, both described; labels of the window; a calibrated schema."""
    calls = import_module("benchmarks.scale.calls")
    for number, side in enumerate(("baseline", "window")):
        _write_scored(folder / side, images, number * images)
        calls.describe(folder / side, folder / side, ("--runner=DirectRunner",), scored=True)()
    shutil.rmtree(folder / "baseline" / "Split-eval")  # only its statistics are read
    calls.calibrate(folder, folder, ())()
    with (folder / "labels.csv").open("w") as file:
        file.write("id,label\n")
        file.writelines(f"request-{number}/0,{number % CLASSES}\n" for number in range(images, 2 * images))


def _write_scored(folder: Path, images: int, begin: int) -> None:
    (folder / "Split-eval").mkdir(parents=True)
    with (folder / "Split-eval" / "all.tfrecord").open("wb") as file:
        for first, chunk in _chunks(images, begin):
            for number, (image, scores) in enumerate(zip(chunk, _scores(first, len(chunk)), strict=True), first):
                features = {
                    "image": [image.tobytes()],
                    "id": [b"request-%d/0" % number],
                    "label": [number % CLASSES],
                    "class_id": [int(scores.argmax())],
                    "probabilities": scores.tolist(),
                }
                file.write(frame(example_bytes(features)))


_EXAMPLES = ("examples", _write_examples)
_WINDOWS = ("windows", _write_windows)
_READS: dict[str, tuple[str, Callable[[Path, int, int], None]]] = {
    "read-cifar": ("cifar", _write_cifar),
    "convert": ("logs", _write_logs),
    **dict.fromkeys(("describe", "score", "evaluate", "train"), _EXAMPLES),
    **dict.fromkeys(("calibrate", "compare", "estimate"), _WINDOWS),
}
COMPONENTS = tuple(_READS)
