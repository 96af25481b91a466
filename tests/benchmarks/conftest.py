"""A cache of measured images small enough for tests: made-up rows, no model."""

import numpy as np
import pytest

from benchmarks.detection.data import table_path
from benchmarks.detection.suites import CLEAN
from benchmarks.detection.table import NAMES, SOFTMAX, Table

ROWS = 3000


def made_up(seed: int, shift: float = 0.0) -> Table:
    rng = np.random.default_rng(seed)
    values = rng.random((ROWS, len(NAMES))).astype(np.float32)
    values[:, SOFTMAX] = rng.dirichlet(np.ones(10), ROWS)
    values[:, 0] = np.clip(values[:, 0] + shift, 0, 1)
    return Table(values, values[:, SOFTMAX].argmax(axis=1), rng.random((ROWS, 32)).astype(np.float32))


@pytest.fixture
def cache(tmp_path):
    made_up(1).write(table_path(tmp_path, CLEAN))
    made_up(1, shift=0.8).write(table_path(tmp_path, "noise_large"))
    np.save(tmp_path / "labels.npy", np.random.default_rng(2).integers(0, 10, ROWS))
    return tmp_path
