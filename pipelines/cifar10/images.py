"""The images of a folder of CIFAR-10 binary files, held in memory. Imports neither TFX nor TensorFlow."""

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.cifar10_example_gen import cifar10_format
from components.common.errors import require

SPLITS = {"train": "data_batch*", "eval": "test_batch*", "serving": "serving_batch*"}


def read(folder: Path, split: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """All images uint8 [N, 32, 32, 3] and labels [N] of one of the `SPLITS`.

    Raises:
      MonitorError: there is no such file, or one is damaged.

    """
    paths = sorted(folder.glob(SPLITS[split]))
    require(bool(paths), f"{folder}", f"hold files {SPLITS[split]} for the split {split}", sorted(os.listdir(folder)))
    chunks = [chunk for path in paths for chunk in _chunks(path)]
    return np.concatenate([c.images for c in chunks]), np.concatenate([c.labels for c in chunks]).astype(np.int64)


def unseen_split(folder: Path) -> str:
    """Images that the baseline does not have either, where there are any: a clean window of its own is too good."""
    return "serving" if any(folder.glob(SPLITS["serving"])) else "eval"


def _chunks(path: Path) -> list[cifar10_format.Chunk]:
    with path.open("rb") as file:
        return list(cifar10_format.read_file(file, str(path)))
