"""A record whose form is known is read without being parsed, and holds what parsing it would have found."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from components.common.model_spec import ModelSpec
from components.serving_log_example_gen.layouts import Layouts
from components.serving_log_example_gen.prediction_log import Contents, read_contents, read_origin
from components.serving_log_example_gen.record_kinds import parse_example, parse_log
from components.serving_log_writer.log_fields import CLIENT_ID
from components.serving_log_writer.prediction_log_encoding import ServedModel, metadata, predict_log
from tests.components.serving_log_example_gen.conftest import SHAPE, make_images, make_log, make_probabilities
from tests.support.specs import model_spec

SPEC = model_spec(SHAPE, 3, embedding="embedding", class_id="class_id")
MODEL = ServedModel("m", 7)


def record(seed: int, batch: int = 1, *, ids: Any = None, timestamp: int | None = None, **inputs: Any) -> bytes:
    images, scores = make_images(batch, seed=seed), make_probabilities(batch, seed=seed)
    ids = f"r{seed}" if ids is None else ids
    outputs = {"probabilities": scores, "embedding": scores * 2, "class_id": scores.argmax(axis=1), "other": 1 - scores}
    log = predict_log(MODEL, {"image": images, **inputs}, outputs, ids, f"client-{seed}")
    return metadata(MODEL, 1_700_000_000 + seed if timestamp is None else timestamp) + log


def parsed(data: bytes, spec: ModelSpec = SPEC) -> Contents | None:
    log = parse_log(data)
    if log is None:
        return None
    return read_contents(log, read_origin(log), spec, b"f:1", parse_example, client_field=CLIENT_ID)


def learnt(*records: bytes, spec: ModelSpec = SPEC) -> Layouts:
    layouts = Layouts(parse_log, spec.input, CLIENT_ID)
    for data in records:
        learn(layouts, data, spec)
    return layouts


def learn(layouts: Layouts, data: bytes, spec: ModelSpec = SPEC) -> None:
    contents = parsed(data, spec)
    if contents is not None:
        layouts.learn(data, parse_log(data), contents)


def comparable(contents: Contents | None) -> Any:
    """With arrays as their bytes."""
    if contents is None:
        return None
    return [
        (value.dtype, value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value
        for value in _leaves(dataclasses.astuple(contents))
    ]


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        value = list(value.items())
    return [leaf for each in value for leaf in _leaves(each)] if isinstance(value, list | tuple) else [value]


@pytest.mark.parametrize("batch", [1, 3])
def test_what_a_record_of_a_known_form_holds(batch: int) -> None:
    layouts = learnt(record(1, batch))
    for seed in range(2, 9):
        other = record(seed, batch)
        assert comparable(layouts.read(other, b"f:1")) == comparable(parsed(other))
    assert layouts.known == 7


def test_without_ids_and_time_and_with_a_number_beside() -> None:
    layouts = learnt(record(1, ids="", timestamp=0, threshold=np.float32(0.5)))
    other = record(2, ids="", timestamp=0, threshold=np.float32(0.7))
    contents = layouts.read(other, b"f:1")
    assert contents is not None
    assert contents.request_ids == [b"f:1"]
    assert comparable(contents) == comparable(parsed(other))


def test_of_two_messages_in_a_row_the_later_one_counts() -> None:
    best = [int(make_probabilities(1, seed=seed).argmax()) for seed in range(10)]
    second, third = [seed for seed in range(2, 10) if best[seed] != best[1]][:2]
    layouts, other = learnt(record(1) + record(second)), record(1) + record(third)
    assert layouts.read(other, b"f:1") is not None
    assert comparable(layouts.read(other, b"f:1")) == comparable(parsed(other))
    assert layouts.read(record(second) + record(third), b"f:1") is None  # what counts for nothing is compared, too


def test_every_change_of_a_byte_is_another_form_or_read_as_it_is_parsed() -> None:
    layouts, other = learnt(record(1)), bytearray(record(2))
    known = 0
    for place in range(len(other)):
        for bit in range(8):
            other[place] ^= 1 << bit
            contents = layouts.read(bytes(other), b"f:1")
            if contents is not None:
                known += 1
                assert comparable(contents) == comparable(parsed(bytes(other)))
            other[place] ^= 1 << bit
    assert known > 8 * 60  # the pixels, the answer, the ids, the time


@pytest.mark.parametrize(
    "data",
    [
        record(1, 2, ids=["a", "b"]),  # an id for each image
        record(1, timestamp=1 << 20)[:-3],
        make_log({"image": [b"a file"]}, {"probabilities": make_probabilities(1)}).SerializeToString(),
        make_log({"image": make_images(1)}).SerializeToString(),
    ],
    ids=["ids", "cut", "files", "no answer"],
)
def test_what_is_no_plain_record_is_not_learnt(data: bytes) -> None:
    layouts = Layouts(parse_log, SPEC.input, CLIENT_ID)
    learn(layouts, data)
    assert layouts.read(data, b"f:1") is None


def test_records_that_are_all_different_are_soon_not_learnt_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    layouts = Layouts(parse_log, SPEC.input, CLIENT_ID)
    looked = []
    monkeypatch.setattr(layouts, "_layout_of", lambda *given: looked.append(given))
    for seed in range(300):
        learn(layouts, record(seed))
    assert len(looked) == 65
