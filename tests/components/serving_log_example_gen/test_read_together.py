"""Log records are read many at once, and come to what they come to one by one: to the byte, and in the same order."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.serving_log_example_gen import read_parts, stacking
from components.serving_log_example_gen import tally as names
from components.serving_log_example_gen.convert_logs import convert_here
from components.serving_log_example_gen.layouts import Layouts
from components.serving_log_example_gen.read_options import ReadOptions
from components.serving_log_example_gen.tally import Tally
from tests.components.serving_log_example_gen.conftest import SHAPE
from tests.support.random_logs import log_file
from tests.support.specs import model_spec

RECORDS = 150
EVERY_OUTPUT = {"embedding": "embedding", "class_id": "class_id"}
FILES: dict[str, Any] = {"format": "jpeg", "size": None}
MODELS = {
    "raw": (model_spec(SHAPE, 3), {}),
    "every output": (model_spec(SHAPE, ["cat", "dog", "owl"], **EVERY_OUTPUT), {"one_example_per": "request"}),
    "0..1": (model_spec(SHAPE, 6, image={"range": [0, 1], "dtype": "float32"}), {"one_example_per": "client"}),
    "logits": (model_spec((4, 5, 1), 3, kind="logits", class_id="class_id", class_id_from=1), {"model_version": 7}),
    "a sigmoid": (model_spec(SHAPE, 2, kind="sigmoid"), {"one_example_per": "3s"}),
    "files of any size": (model_spec(SHAPE, 3, image=FILES), {"one_example_per": "image", "max_rows": 150}),
    "channels' means": (model_spec(SHAPE, 3, image={"channel_means": [120, 125, 130]}), {}),
}


def converted(folder: Path, file: Path, options: ReadOptions) -> tuple[list[bytes], Tally, dict[str, bytes]]:
    tally = Tally()
    rows = list(convert_here([str(file)], options, str(folder), tally))
    assert tally.balances()
    return rows, tally, {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(params=MODELS)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, ReadOptions]]:
    spec, options = MODELS[request.param]
    chance = np.random.default_rng(list(request.param.encode()))
    (tmp_path / "log").write_bytes(log_file(spec, chance, RECORDS))
    return tmp_path / "log", ReadOptions(spec, **options)


def test_records_read_together_come_to_what_each_comes_to_alone(
    case: tuple[Path, ReadOptions], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = converted(tmp_path / "together", *case)
    monkeypatch.setattr(read_parts, "BATCH_IMAGES", 1)
    monkeypatch.setattr(Layouts, "read", lambda *_: None)  # each is parsed
    assert converted(tmp_path / "alone", *case) == together
    rows, tally, letters = together
    assert rows
    assert tally.counts[names.RECORDS_WITH_ROWS] > RECORDS / 5
    assert len(letters) == 2
    assert len(tally.problems) > 5


@pytest.mark.parametrize(("most", "large"), [(700, 1 << 20), (5_000, 100)])
def test_so_do_those_of_batches_that_are_full_and_of_large_arrays(
    case: tuple[Path, ReadOptions], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, large: int
) -> None:
    together = converted(tmp_path / "together", *case)
    monkeypatch.setattr(read_parts, "BATCH_BYTES", most)
    monkeypatch.setattr(stacking, "LARGE_BYTES", large)
    assert converted(tmp_path / "again", *case) == together
