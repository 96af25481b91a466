"""Data sets like the embedded sample, smaller or with something changed."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipelines.cifar10.dataset import SAMPLE

RECORD = 3073  # a label byte and 3,072 bytes of image


def copy_of_sample(
    folder: Path,
    change: Callable[[np.ndarray], object] = lambda records: None,
    *,
    training: int = 4000,
    held_out: int = 2000,
) -> Path:
    """The first images of the sample, whose training records, [N, 3073] uint8, are changed."""
    folder.mkdir()
    for name, count in (("data_batch_1.bin", training), ("test_batch.bin", held_out)):
        sample = np.frombuffer(gzip.decompress((SAMPLE / f"{name}.gz").read_bytes()), np.uint8)
        records = sample.reshape(-1, RECORD)[:count].copy()
        if name.startswith("data"):
            change(records)
        (folder / name).write_bytes(records.tobytes())
    return folder
