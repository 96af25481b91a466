"""Fuzzed serving logs through ServingLogExampleGen's own executor: no failure, and every record is accounted for."""

import functools
import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.common.artifacts.tf_example import parse_example
from components.common.artifacts.tfrecord import frame, read_records
from components.serving_log_example_gen import tally
from components.serving_log_example_gen.prediction_log import read_origin
from components.serving_log_example_gen.sent_images import MAX_IMAGES
from components.serving_log_example_gen.tensor_decoding import MAX_EXPANSION
from tests.components.serving_log_example_gen.conftest import (
    SHAPE,
    SPEC,
    Result,
    make_good_log,
    make_images,
    make_log,
    make_probabilities,
    png,
    run_executor,
)
from tests.support.log_requests import read_request

pytestmark = pytest.mark.long

__all__ = ["run_executor"]  # the fixture
A_FILE = 500  # records
Random = np.random.Generator


def seeds() -> list[Any]:
    """Good requests of every kind that is read, two images each."""
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    images, probabilities = make_images(2), make_probabilities(2)
    outputs = {"probabilities": probabilities}

    def example(image: np.ndarray) -> tf.train.Example:
        feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[image.tobytes()]))
        return tf.train.Example(features=tf.train.Features(feature={"image": feature}))

    classify = prediction_log_pb2.PredictionLog()
    for image, row in zip(images, probabilities, strict=True):
        classify.classify_log.request.input.example_list.examples.append(example(image))
        classes = classify.classify_log.response.result.classifications.add().classes
        for number, score in enumerate(row):
            classes.add(label=str(number), score=score)
    filled = tf.make_tensor_proto(np.uint8(7))
    filled.tensor_shape.CopyFrom(tf.make_tensor_proto(images).tensor_shape)
    floats = tf.make_tensor_proto(images / np.float32(255))
    floats.float_val.extend(np.frombuffer(floats.tensor_content, np.float32).tolist())
    floats.ClearField("tensor_content")
    inputs = (
        {"image": images}, {"image": floats}, {"image": filled}, {"image": images.astype(np.int64)},
        {"image": np.array([png(image) for image in images], object)},
        {"image": np.array([png(image, "JPEG") for image in images], object)},
        {"examples": np.array([example(image).SerializeToString() for image in images], object)},
    )  # fmt: skip
    logs = [make_log(each, outputs, request_id=ids) for each in inputs for ids in (None, "r", ["a", "b"])]
    return [*logs, make_log({"image": images}), make_good_log(1), classify]


def fuzzed(pool: list[Any], chance: Random) -> bytes:
    """One record, changed in one of the ways in which logs are, and in ways in which only an attacker changes them."""
    ways = (_flipped, _cut, _spliced, _merged, _reshaped, _noise, _whole)
    return ways[chance.integers(len(ways))](pool, chance)


def _one(pool: list[Any], chance: Random) -> bytes:
    return pool[chance.integers(len(pool))].SerializeToString()


def _whole(pool: list[Any], chance: Random) -> bytes:
    return _one(pool, chance)


def _flipped(pool: list[Any], chance: Random) -> bytes:
    content = bytearray(_one(pool, chance))
    for place in chance.integers(len(content), size=chance.integers(1, 9)):
        content[place] ^= 1 << int(chance.integers(8))
    return bytes(content)


def _cut(pool: list[Any], chance: Random) -> bytes:
    content = _one(pool, chance)
    return content[: chance.integers(len(content))] + chance.bytes(int(chance.integers(3)))


def _spliced(pool: list[Any], chance: Random) -> bytes:
    first, second = _one(pool, chance), _one(pool, chance)
    return first[: chance.integers(len(first))] + second[chance.integers(len(second)) :]


def _merged(pool: list[Any], chance: Random) -> bytes:
    """Protobuf takes two messages in a row for one."""
    return _one(pool, chance) + _one(pool, chance)


def _noise(_: list[Any], chance: Random) -> bytes:
    return chance.bytes(int(chance.integers(200)))


def _reshaped(pool: list[Any], chance: Random) -> bytes:
    """A tensor whose type, shape and values have nothing to do with each other."""
    log = type(pool[0])()
    log.CopyFrom(pool[chance.integers(len(pool))])
    tensors = [*log.predict_log.request.inputs.values(), *log.predict_log.response.outputs.values()]
    for tensor in tensors:
        if chance.random() < 0.5:
            tensor.dtype = int(chance.integers(0, 25))
        for dim in tensor.tensor_shape.dim:
            if chance.random() < 0.5:
                dim.size = int(chance.choice([-1, 0, 1, 2, 3, 7, 100, 1 << 20, 1 << 40, (1 << 63) - 1]))
        if chance.random() < 0.2:
            tensor.tensor_shape.unknown_rank = True
        if chance.random() < 0.2:
            tensor.int_val.extend(int(value) for value in chance.integers(-(1 << 31), 1 << 31, 5))
        if chance.random() < 0.2:
            tensor.tensor_content = chance.bytes(int(chance.integers(100)))
    return log.SerializeToString()


def files(pool: list[Any], count: int, chance: Random) -> tuple[dict[str, bytes], int]:
    """Files of fuzzed records in whole frames, and how many records there are."""
    packed = {}
    for number in range(count):
        content = b"".join(frame(fuzzed(pool, chance)) for _ in range(A_FILE))
        packed[f"part-{number:04}"] = gzip.compress(content, 1) if number % 2 else content
    return packed, count * A_FILE


def damaged(content: bytes, chance: Random) -> bytes:
    """A file with flipped bits, a hole, a cut end, or bytes put in."""
    changed = bytearray(content)
    for place in chance.integers(len(changed), size=chance.integers(0, 20)):
        changed[place] ^= 1 << int(chance.integers(8))
    begin = int(chance.integers(len(changed)))
    if chance.random() < 0.5:
        del changed[begin : begin + int(chance.integers(5000))]
    if chance.random() < 0.5:
        changed[begin:begin] = chance.bytes(int(chance.integers(5000)))
    return bytes(changed[: len(changed) - int(chance.integers(3000))])


def ids_of(result: Result) -> list[bytes]:
    """The ids of all rows, which may be no text."""
    ids = []
    for path in Path(result.examples.uri, "Split-serving").iterdir():
        with path.open("rb") as file:
            for record in read_records(file, strict=True, source=path.name):
                [identity] = parse_example(record.data)["id"]
                ids.append(identity)
    return ids


def check_sums(result: Result) -> None:
    """Read, unusable and left out make what was given, by record and by image, and as many rows are there."""
    counts = result.counts
    assert counts["records"] == counts["records_with_rows"] + counts["records_broken"] + counts["records_excluded"]
    left_out = (
        tally.IMAGES_BROKEN, tally.DUPLICATES, tally.TOO_MANY, tally.SUBSAMPLED, tally.WITHOUT_TIMESTAMP,
        tally.WITHOUT_CLIENT,
    )  # fmt: skip
    assert counts["images"] == counts["rows"] + sum(counts[name] for name in left_out)
    ids = ids_of(result)
    assert counts["rows"] == len(ids) == len(set(ids))
    assert counts["dead_letters"] == len(result.dead_letters) >= counts["records_broken"]


@pytest.fixture(scope="module")
def pool() -> list[Any]:
    return seeds()


def test_fuzzed_records_are_all_accounted_for(tries, report, run_executor: Callable[..., Result], pool):
    chance = np.random.default_rng(9)  # also gives ids that are no text
    given = held = 0
    for _ in range(tries(1, 20)):
        content, count = files(pool, tries(3, 12), chance)
        result = run_executor(content)
        check_sums(result)
        given += count
        held += result.counts["records"]
        assert result.counts["rows"] > 0 < result.counts["records_broken"]
    report("fuzzed records through the executor", given, held)


def test_damaged_files_are_read_to_their_end(tries, report, run_executor: Callable[..., Result], pool):
    """Every byte of the unpacked files belongs to a record or to a damaged stretch."""
    chance = np.random.default_rng(10)
    tried = held = 0
    for _ in range(tries(1, 10)):
        content, _ = files(pool, tries(4, 12), chance)
        broken = {name: damaged(each, chance) for name, each in content.items()}
        result = run_executor(broken)
        check_sums(result)
        sizes = {name: sum(one.size for one in read_records(io.BytesIO(each))) for name, each in broken.items()}
        tried += len(broken)
        held += len(broken) if sum(sizes.values()) == result.counts["bytes"] else 0
        held_plain = [name for name, each in broken.items() if sizes[name] != len(each) and each[:2] != b"\x1f\x8b"]
        assert held_plain == []
    report("damaged log files through the executor", tried, held)


@functools.cache
def black(side: int) -> bytes:
    return png(np.zeros((side, side, 3), np.uint8))


def bombs(chance: Random) -> bytes:
    """A small record that stands for many or large images."""
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    log = prediction_log_pb2.PredictionLog()
    tensor = log.predict_log.request.inputs["image"]
    if chance.random() < 0.3:  # image files: of many pixels, or many of them
        side = int(chance.choice([4, 100, 2000, 6000]))
        tensor.CopyFrom(tf.make_tensor_proto([black(side)] * int(chance.integers(1, 5))))
        return log.SerializeToString()
    tensor.dtype = int(chance.choice([1, 3, 4, 9]))
    for size in (int(chance.choice([1, 10, 1000, 1 << 14, (1 << 14) + 1, 1 << 20, 1 << 62])), *SHAPE):
        tensor.tensor_shape.dim.add(size=size)
    field = {1: "float_val", 3: "int_val", 4: "int_val", 9: "int64_val"}[tensor.dtype]
    getattr(tensor, field).extend([0] * int(chance.integers(0, 100)))
    return log.SerializeToString()


def test_rows_are_bounded_by_the_bytes_of_their_record(tries, report):
    """1,024 values for each byte of a tensor, one image in any case, and the size of the spec for image files."""
    from components.serving_log_example_gen.record_kinds import parse_example, parse_log

    chance = np.random.default_rng(11)
    tried = held = images = 0
    for _ in range(tries(60, 5000)):
        record = bombs(chance)
        log = parse_log(record)
        request = read_request(log, read_origin(log), SPEC, b"id", parse_example)
        values = sum(row.pixels.size for row in request.rows)
        tried += 1
        images += len(request.rows)
        held += values <= max(MAX_EXPANSION * len(record), np.prod(SHAPE)) and len(request.rows) <= MAX_IMAGES
        assert request.rows or request.broken
    assert images > 0
    report("rows bounded by the bytes of their record", tried, held)
