"""In one process logs are converted without a pipeline, and come to the same as with one."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.common.artifacts import record_parts
from components.serving_log_example_gen import executor
from tests.components.serving_log_example_gen.conftest import (
    Result,
    log_file,
    make_good_log,
    make_images,
    make_log,
    make_probabilities,
)
from tests.support.specs import model_spec

Run = Callable[..., Result]


def files() -> dict[str, bytes]:
    """Two files with repeated requests, a broken record, images of a wrong size, and none of an excluded version."""
    logs = [
        make_good_log(3, seed=i, request_id=f"r{i % 7}", client_id=f"c{i % 2}", timestamp=6_000 + 9 * i)
        for i in range(9)
    ]
    wrong = make_log({"image": make_images(2, (5, 4, 3))}, request_id="w")
    other = make_good_log(2, seed=99, request_id="v", version=8)
    return {"a": log_file(*logs[:4], b"\xff\xff", wrong), "b.gz": gzip.compress(log_file(*logs[4:], other))}


@pytest.mark.parametrize(
    "options",
    [{}, {"one_example_per": "60s"}, {"one_example_per": "client"}, {"max_rows": 11, "model_version": 7}],
    ids=lambda each: " ".join(map(str, each.values())) or "all",
)
def test_logs_come_to_the_same_without_a_pipeline(
    run_executor: Run, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    logs = files()  # once: the order of a message's maps is not decided
    small = run_executor(logs, **options)
    monkeypatch.setattr(executor, "runs_alone", lambda _: False)
    assert comparable(run_executor(logs, **options)) == comparable(small)
    assert small.counts["rows"] > 0


@pytest.mark.parametrize(
    ("options", "alone"),
    [({}, True), ({}, False), ({"one_example_per": "60s", "max_rows": 20}, False)],
    ids=["alone", "spread", "spread-60s"],
)
def test_large_files_that_are_read_in_parts_come_to_the_same(
    run_executor: Run, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], alone: bool
) -> None:
    logs = files()
    whole = run_executor(logs, **options)
    monkeypatch.setattr("components.common.beam.records.PART_BYTES", 600)  # a record or two
    monkeypatch.setattr(record_parts, "PIECE_BYTES", 1)
    monkeypatch.setattr(executor, "runs_alone", lambda _: alone)
    in_parts = run_executor(logs, **options)
    assert comparable(in_parts) == comparable(whole)
    names = {path.name for path in Path(in_parts.anomalies.uri, "dead_letters").iterdir()}
    assert any(name.startswith("a.from-") for name in names)


def comparable(result: Result) -> tuple[Any, ...]:
    letters = sorted(result.dead_letters, key=lambda letter: (letter[0]["file"], letter[0]["record"]))
    return result.counts, result.rows, result.proto, letters


@pytest.mark.parametrize(("flat", "packed"), [(False, False), (True, True)])
def test_rows_are_packed_where_that_makes_them_smaller(run_executor: Run, flat: bool, packed: bool) -> None:
    images = make_images(60, (40, 40, 3))
    if flat:
        images[:, 1:-1] = 7
    log = make_log({"image": images}, {"probabilities": make_probabilities(60)}, request_id="r")
    result = run_executor({"a": log_file(log)}, spec=model_spec((40, 40, 3), 3))
    assert len(result.rows) == 60
    (path,) = Path(result.examples.uri, "Split-serving").iterdir()
    assert path.read_bytes().startswith(b"\x1f\x8b")
    assert (path.stat().st_size < images.nbytes) is packed
