"""The held-out images of CIFAR-10: the part of the training split that training held out, and the test split."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.cifar10_example_gen.cifar10_format import read_file
from components.common.errors import require
from pipelines.cifar10.config import DATASET_DEFAULTS, TrainerConfig

SHUFFLE_SEED = 20_000  # of the pool's order, in which validation and test images mix


@dataclass(frozen=True)
class Pool:
    """`images` uint8 [N, 32, 32, 3] and `labels` int64 [N], in an order that is random and always the same."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]


def held_out(folder: Path, trainer: TrainerConfig) -> Pool:
    """What training with these settings on the folder's data_batch files has not learnt from, and all its test images.

    The validation images are the ones `cifar10.training_data` sets aside: the content decides the order of all
    training images, the seed which of them are held out. They did choose the best epoch; the test images chose nothing.

    Raises:
      MonitorError: the folder lacks one of the two kinds of files, or a file is damaged.

    """
    training, test = (_read(folder, pattern) for pattern in ("data_batch*", "test_batch*"))
    order = _content_order(*training)
    held = round(len(order) * trainer.validation_fraction)
    validation = order[np.random.default_rng(trainer.seed).permutation(len(order))[:held]]
    images = np.concatenate([training[0][validation], test[0]])
    labels = np.concatenate([training[1][validation], test[1]])
    shuffled = np.random.default_rng(SHUFFLE_SEED).permutation(len(labels))
    return Pool(images[shuffled], labels[shuffled])


def trainer_settings(dataset: str) -> TrainerConfig:
    """The settings that a data set, "full" or "sample", is trained with by default."""
    return TrainerConfig(**DATASET_DEFAULTS[dataset]["trainer"])


def _read(folder: Path, pattern: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    paths = sorted(path for path in folder.glob(pattern) if path.suffix in (".bin", ".gz"))
    require(bool(paths), "data", f"hold files {pattern}.bin or {pattern}.bin.gz", str(folder))
    chunks = []
    for path in paths:
        with path.open("rb") as file:
            chunks += list(read_file(file, str(path)))
    images = np.concatenate([chunk.images for chunk in chunks])
    return images, np.concatenate([chunk.labels for chunk in chunks]).astype(np.int64)


def _content_order(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The order of `cifar10.training_data.read`, which cannot be imported without TensorFlow; a test compares."""
    digests = [hashlib.blake2b(image.tobytes(), digest_size=8).digest() for image in images]
    return np.array(sorted(range(len(labels)), key=lambda i: (digests[i], labels[i])))
