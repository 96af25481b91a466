"""The executor on real files, with real Beam."""

import gzip
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
from tensorflow_serving.apis import prediction_log_pb2

from components.common.artifacts.tfrecord import frame
from components.common.errors import MonitorError
from components.serving_log_example_gen import dead_letters, read_parts
from tests.components.serving_log_example_gen.conftest import (
    SHAPE,
    Result,
    log_file,
    make_good_log,
    make_images,
    make_log,
    make_probabilities,
)
from tests.support.specs import model_spec

Run = Callable[..., Result]


def good(requests: int, images: int = 2, **metadata: Any) -> bytes:
    return log_file(*(make_good_log(images, seed=i, request_id=f"r{i}", **metadata) for i in range(requests)))


def check_sums(result: Result) -> None:
    """Every record and every image is accounted for, in the whole and by version; files and counts agree."""
    counts = result.counts
    for one in (counts, *counts["by_model_version"].values()):
        count = lambda name, one=one: one.get(name, 0)  # noqa: E731
        parts = ("records_with_rows", "records_broken", "records_excluded")
        assert count("records") == sum(map(count, parts))
        left_out = ("over_max_rows", "subsampled", "without_timestamp", "without_client")
        parts = ("rows", "images_broken", "duplicates", *left_out)
        assert count("images") == sum(map(count, parts))
    for name in ("records", "images", "rows", "records_broken"):
        assert counts[name] == sum(one.get(name, 0) for one in counts["by_model_version"].values())
    assert counts["rows"] == len(result.rows)
    assert counts["dead_letters"] == len(result.dead_letters)
    assert counts["dead_letters"] >= counts["records_broken"]
    for name, value in counts.items():
        if isinstance(value, int):
            assert result.examples.get_int_custom_property(name) == value


def test_span_without_a_problem(run_executor: Run) -> None:
    result = run_executor(
        {"part-0.tfrecord": good(20), "part-1.tfrecord.gz": gzip.compress(log_file(make_good_log(3)))}
    )
    check_sums(result)
    rows = result.rows
    assert len(rows) == 43
    assert set(rows) == {f"r{i}/{j}" for i in range(20) for j in range(2)} | {
        f"part-1.tfrecord.gz:0/{j}" for j in range(3)
    }
    np.testing.assert_array_equal(np.frombuffer(rows["r4/1"]["image"], np.uint8), make_images(2, seed=4)[1].ravel())
    np.testing.assert_array_equal(rows["r4/1"]["probabilities"], make_probabilities(2, seed=4)[1])
    assert result.found == {}
    assert result.dead_letters == []
    assert json.loads(result.examples.split_names) == json.loads(result.anomalies.split_names) == ["serving"]
    assert result.examples.get_string_custom_property("payload_format") == "FORMAT_TF_EXAMPLE"
    assert result.examples.span == result.anomalies.span == 3


def test_scaled_span_is_named_as_such(run_executor: Run) -> None:
    scaled = [make_log({"image": make_images(2, seed=i) / np.float32(255)}, {"probabilities": make_probabilities(2)})
              for i in range(5)]  # fmt: skip
    result = run_executor({"a": log_file(*scaled) + good(45)}, spec=model_spec(SHAPE, 3, image={"dtype": "uint8"}))
    check_sums(result)
    assert result.found == {"Pixels scaled to 0..1": "ERROR", "Wrong type of pixels": "ERROR"}
    (key,) = [key for key in result.proto.anomaly_info if "0..1" in key]
    info = result.proto.anomaly_info[key]
    assert list(info.path.step) == ["image"]
    assert info.reason[0].type == info.CUSTOM_VALIDATION
    assert "10 of 100 images (10 %), such as a:0/0: float32 values 0 to 1" in info.description
    assert set(np.frombuffer(result.rows["a:0/0"]["image"], np.uint8)) == {0, 1}
    table = tfdv.utils.display_util.get_anomalies_dataframe(result.proto)
    assert set(table["Anomaly short description"]) == set(result.found)


def test_share_within_the_bound_is_a_warning(run_executor: Run) -> None:
    logs = log_file(make_log({"image": make_images(1)}, request_id="mute")) + good(99, 1)
    assert run_executor({"a": logs}).found == {"Missing response": "WARNING"}
    result = run_executor({"a": logs}, max_broken_fraction=0.0)
    assert result.found == {"Missing response": "ERROR"}
    assert "confidence" not in result.rows["mute/0"]
    check_sums(result)


def test_broken_records_become_dead_letters(run_executor: Run) -> None:
    wrong = make_log({"image": make_images(2, (5, 4, 3))}, request_id="w").SerializeToString()
    result = run_executor({"a.gz": gzip.compress(good(3) + frame(b"\xff\xff\xff") + frame(wrong) + good(0))})
    check_sums(result)
    assert result.counts["records_broken"] == 2
    assert len(result.rows) == 6
    (first, first_bytes), (second, second_bytes) = result.dead_letters
    assert (first["file"], first["record"], first["images"][0]["problem"]) == ("a.gz", 3, "not_a_prediction_log")
    assert (first_bytes, second_bytes) == (b"\xff\xff\xff", wrong)
    assert second["images"] == [
        {
            "row": None,
            "problem": "wrong_shape",
            "reason": "input 'image' must have the shape [batch, 4, 5, 3] or [batch, 60], and has [2, 5, 4, 3]",
        }
    ]
    assert result.found["Too many broken records"] == "ERROR"
    assert result.found["Wrong image shape"] == "ERROR"
    assert sorted(path.name for path in Path(result.anomalies.uri, "dead_letters").iterdir()) == [
        "a.gz.dead.jsonl.gz",
        "a.gz.dead.tfrecord.gz",
    ]


def test_partly_broken_record_gives_rows_and_a_dead_letter(run_executor: Run) -> None:
    images = make_images(3).astype(np.float32)
    images[1, 0, 0, 0] = np.nan
    result = run_executor(
        {"a": log_file(make_log({"image": images}, request_id="r"))},
        spec=model_spec(SHAPE, 3, image={"dtype": "float32"}),
    )
    check_sums(result)
    assert set(result.rows) == {"r/0", "r/2"}
    ((line, _),) = result.dead_letters
    assert (line["broken_images"], line["images"][0]["row"]) == (1, 1)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_torn_last_record_is_counted_and_not_fatal(run_executor: Run, pack: Callable[[bytes], bytes]) -> None:
    result = run_executor({"a": pack(good(30))[:-9], "b": good(1, timestamp=5).replace(b"r0", b"s0")[:-1]})
    check_sums(result)
    assert result.counts["records_torn"] == result.counts["records_broken"] == 2
    assert set(result.found) <= {"Torn records", "Nothing readable in the span"}
    assert result.found["Torn records"] == "WARNING"
    assert result.counts["rows"] >= 50


def test_corrupt_record_in_the_middle(run_executor: Run) -> None:
    content = bytearray(good(400, 1))
    content[len(content) // 2] ^= 1
    result = run_executor({"a": bytes(content)})
    check_sums(result)
    assert (result.counts["rows"], result.counts["records_broken"]) == (399, 1)
    assert result.found == {"Corrupt records": "WARNING"}


def test_long_damaged_stretch_is_an_error_though_it_is_one_record(run_executor: Run) -> None:
    content = good(300, 1)
    noise = np.random.default_rng(0).bytes(len(content) // 4)
    result = run_executor({"a": content + noise + good(1).replace(b"r0", b"z0")})
    check_sums(result)
    assert result.counts["records_broken"] <= 3
    assert result.found["Too many broken records"] == "ERROR"


def test_other_kinds_of_files_beside_good_ones(run_executor: Run, tmp_path: Path) -> None:
    """What tools leave is no concern of anybody's; a file of another format, a link out and a pipe are, by name."""
    (tmp_path / "secret").write_bytes(good(1))
    files = {
        "a": good(300, 1),
        "b.gz": gzip.compress(np.random.default_rng(0).bytes(100))[:-12] + bytes(range(90)),
        "c.zst": b"\x28\xb5\x2f\xfd" + bytes(range(90)),
        ".a.crc": b"crc\0\0\0\2\0" + bytes(range(200)),
        ".DS_Store": b"\0\0\0\1Bud1" + bytes(6000),
        "_SUCCESS": b"",
        "manifest.json": b"{}",
    }
    others = {"pipe": os.mkfifo, "zero": lambda path: path.symlink_to("/dev/zero"), "sub": Path.mkdir}
    others["out"] = lambda path: path.symlink_to(tmp_path / "secret")
    result = run_executor(files, beside=others)
    check_sums(result)
    errors = {"Unreadable log file", "Files of another format", "Files that were not read", "Too many broken records"}
    assert {short for short, severity in result.found.items() if severity == "ERROR"} <= errors
    assert errors - {"Too many broken records"} <= set(result.found)
    counts = result.counts
    assert (counts["files"], counts["files_not_read"], counts["side_files"], counts["rows"]) == (7, 4, 4, 300)
    assert counts["left_out"] == {
        **dict.fromkeys((".a.crc", ".DS_Store", "_SUCCESS", "manifest.json"), "a side file"),
        "out": f"a link out of its folder, to {tmp_path / 'secret'}",
        "pipe": "a named pipe",
        "sub": "a folder",
        "zero": "a device",
    }
    texts = {info.short_description: info.description for info in result.proto.anomaly_info.values()}
    assert "such as out: a link out of its folder" in texts["Files that were not read"]
    assert texts["Files of another format"].endswith(
        "such as c.zst:0: this is no TFRecord file; it looks like data packed with Zstandard. "
        "Wanted are TFRecords, plain or gzipped"
    )


def test_a_file_of_very_many_records_is_read_so_far(run_executor: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dead letters are kept so far, too, whatever the length of the file's name."""
    monkeypatch.setattr(read_parts, "MAX_RECORDS", 50)
    monkeypatch.setattr(dead_letters, "MAX_LETTERS", 20)
    result = run_executor({"a": good(20), "b" * 255: gzip.compress(frame(b"") * 1_000_000)})
    counts = result.counts
    assert (counts["records"], counts["records_broken"], counts["dead_letters"], counts["rows"]) == (70, 50, 20, 40)
    assert len(result.dead_letters) == 20
    assert counts["left_out"] == {"b" * 255: "it has more than 50 records, and is read no further"}
    assert result.found["Files that were not read"] == "ERROR"


def test_side_files_alone_change_nothing(run_executor: Run) -> None:
    result = run_executor({"a": good(3), ".a.crc": b"crc\0\0\0\2\0" + bytes(range(200)), "_SUCCESS": b""})
    check_sums(result)
    assert result.found == {}
    assert (result.counts["files"], result.counts["side_files"], result.counts["rows"]) == (1, 2, 6)


def test_nothing_but_files_that_cannot_be_read_is_not_no_data(run_executor: Run) -> None:
    result = run_executor({}, beside={"pipe": os.mkfifo})
    assert result.found == {"Nothing readable in the span": "ERROR", "Files that were not read": "ERROR"}
    assert "1 of 1 files were not read" in result.proto.dataset_anomaly_info.description


def test_rows_beyond_what_a_span_may_have_are_counted_and_named(run_executor: Run) -> None:
    """The first in the order of files and records stay, whatever the number of files."""
    files = {name: log_file(*(make_good_log(2, seed=i, request_id=f"{name}{i}") for i in range(3))) for name in "abc"}
    result = run_executor(files, max_rows=7)
    check_sums(result)
    assert sorted(result.rows) == ["a0/0", "a0/1", "a1/0", "a1/1", "a2/0", "a2/1", "b0/0"]
    assert result.counts["over_max_rows"] == 11
    assert result.found == {"More rows than a span may have": "ERROR"}
    [info] = result.proto.anomaly_info.values()
    assert "11 of 18 images (61.1 %), such as b0/1: at most 7 may be in a span; log fewer" in info.description


def test_nothing_readable_is_not_no_data(run_executor: Run) -> None:
    result = run_executor({"a": b"".join(frame(b"\xff" * n) for n in range(1, 9))})
    check_sums(result)
    assert result.found["Nothing readable in the span"] == "ERROR"
    assert result.proto.dataset_anomaly_info.reason[0].type == result.proto.dataset_anomaly_info.CUSTOM_VALIDATION


@pytest.mark.parametrize(
    "files", [{}, {"a": b""}, {"a": gzip.compress(b""), "_SUCCESS": b""}], ids=["none", "empty", "gz"]
)
def test_no_record_at_all_is_no_data(run_executor: Run, files: dict[str, bytes]) -> None:
    result = run_executor(files)
    check_sums(result)
    assert result.found == {"No data in the span": "ERROR"}
    assert result.proto.dataset_anomaly_info.reason[0].type == result.proto.dataset_anomaly_info.NO_DATA_IN_SPAN
    assert list(Path(result.examples.uri, "Split-serving").iterdir())  # an empty file, so that readers find one


def test_model_versions(run_executor: Run) -> None:
    logs = good(3, version=7) + log_file(*(make_good_log(1, request_id=f"e{i}", version=8) for i in range(4)))
    logs += log_file(make_good_log(1, request_id="none", version=None))
    result = run_executor({"a": logs})
    check_sums(result)
    assert {version: one["rows"] for version, one in result.counts["by_model_version"].items()} == {
        "7": 6,
        "8": 4,
        "unknown": 1,
    }
    result = run_executor({"a": logs}, model_version=8)
    check_sums(result)
    assert (result.counts["rows"], result.counts["records_excluded"]) == (4, 4)
    assert {row["model_version"] for row in result.rows.values()} == {8}
    assert result.found == {}
    result = run_executor({"a": logs}, model_version=9)
    check_sums(result)
    assert result.found == {"No data in the span": "ERROR"}
    assert "8 are of other model versions (7, 8, unknown)" in result.proto.dataset_anomaly_info.description


def test_duplicates_are_kept_once(run_executor: Run) -> None:
    result = run_executor({"a": good(5), "b": good(3)})
    check_sums(result)
    assert (result.counts["rows"], result.counts["duplicates"]) == (10, 6)
    assert result.found == {"Duplicate ids": "WARNING"}


def test_one_example_of_each_request(run_executor: Run) -> None:
    result = run_executor({"a": good(10, 5)}, one_example_per="request")
    check_sums(result)
    assert (result.counts["rows"], result.counts["subsampled"]) == (10, 40)
    assert {row["request_id"] for row in result.rows.values()} == {f"r{i}".encode() for i in range(10)}
    assert len({identity.split("/")[1] for identity in result.rows}) > 1  # by lot, not the first of each
    halves = [
        log_file(*(make_good_log(5, seed=i, request_id=f"r{i}") for i in part)) for part in (range(5, 10), range(5))
    ]
    again = run_executor({"x": halves[0], "y": halves[1]}, one_example_per="request")
    assert set(again.rows) == set(result.rows)


def test_one_example_of_each_minute(run_executor: Run) -> None:
    logs = [make_good_log(2, seed=i, request_id=f"r{i}", timestamp=6_000 + 10 * i) for i in range(18)]
    result = run_executor({"a": log_file(*logs[::2]), "b": log_file(*logs[1::2])}, one_example_per="60s")
    check_sums(result)
    assert (result.counts["rows"], result.counts["subsampled"]) == (3, 33)
    assert {row["timestamp"] // 60 for row in result.rows.values()} == {100, 101, 102}
    assert set(run_executor({"c": log_file(*logs)}, one_example_per="60s").rows) == set(result.rows)


def test_one_example_of_each_image(run_executor: Run) -> None:
    """A client that asks three times for the same two images, and one that asks for another."""
    again = [make_good_log(2, seed=0, request_id=f"r{i}") for i in range(3)]
    other = make_good_log(1, seed=1, request_id="o")
    result = run_executor({"a": log_file(*again[:2]), "b": log_file(again[2], other)}, one_example_per="image")
    check_sums(result)
    assert (result.counts["rows"], result.counts["subsampled"]) == (3, 4)
    assert len({row["image"] for row in result.rows.values()}) == 3
    assert not result.found


@pytest.mark.parametrize("how", ["client", "client:field:user", "client:prefix:-", "client:pattern:^(c[0-9]+)"])
def test_one_example_of_each_client(run_executor: Run, how: str) -> None:
    """Three clients send 2, 3 and 4 requests of 2 images in two files; a request that names no client is left out."""
    logs = []
    for client in range(3):
        for number in range(2 + client):
            log = make_good_log(2, seed=10 * client + number, request_id=f"c{client}-{number}", client_id=f"u{client}")
            log.predict_log.request.inputs["user"].CopyFrom(log.predict_log.request.inputs["log/client_id"])
            logs.append(log)
    unnamed = make_good_log(1, seed=99)
    result = run_executor(
        {"part-0": log_file(*logs[::2], unnamed), "part-1": log_file(*logs[1::2])}, one_example_per=how
    )
    check_sums(result)
    counts = result.counts
    assert (counts["rows"], counts["subsampled"], counts["without_client"]) == (3, 15, 1)
    assert {row["request_id"][:2] for row in result.rows.values()} == {b"c0", b"c1", b"c2"}
    assert result.found == {"No client": "ERROR"}
    assert "log/client_id" not in next(iter(result.rows.values()))
    again = run_executor({"part-9": log_file(*logs[::-1])}, one_example_per=how)
    assert set(again.rows) == set(result.rows)
    assert again.found == {}


def test_a_client_of_each_image(run_executor: Run) -> None:
    """A gateway that batches: three images of two clients in one request, and one of them again in another."""
    both = make_good_log(3, seed=0, request_id="r0", client_id=["a", "b", "a"])
    one = make_good_log(2, seed=1, request_id="r1", client_id="b")
    result = run_executor({"x": log_file(both, one)}, one_example_per="client")
    check_sums(result)
    assert (result.counts["rows"], result.counts["subsampled"]) == (2, 3)


def test_without_timestamp_nothing_is_subsampled_by_time(run_executor: Run) -> None:
    result = run_executor({"a": good(2, timestamp=0)}, one_example_per="60s")
    check_sums(result)
    assert result.counts["without_timestamp"] == 4
    assert result.found == {"No timestamp": "ERROR", "No data in the span": "ERROR"}


def test_red_and_blue_exchanged(run_executor: Run) -> None:
    rng = np.random.default_rng(0)
    images = np.clip(rng.normal([140, 120, 110], 60, (200, *SHAPE)), 0, 255).astype(np.uint8)
    means = [140.0, 120.0, 110.0]
    for given, expected in ((images, {}), (images[..., ::-1], {"Red and blue look swapped (BGR)": "ERROR"})):
        log = log_file(make_log({"image": given}, {"probabilities": make_probabilities(200)}))
        assert run_executor({"a": log}, spec=model_spec(SHAPE, 3, image={"channel_means": means})).found == expected
        assert run_executor({"a": log}).found == {}


def test_responses_of_different_sizes(run_executor: Run) -> None:
    five = make_log({"image": make_images(1)}, {"probabilities": make_probabilities(1, 5)})
    result = run_executor({"a": good(3) + log_file(five)})
    assert result.found == {"Unusable response": "ERROR"}
    embeddings = [
        make_log(
            {"image": make_images(1)}, {"probabilities": make_probabilities(1), "embedding": np.ones((1, size), "f4")}
        )
        for size in (4, 5)
    ]
    result = run_executor({"a": log_file(*embeddings)}, spec=model_spec(SHAPE, 3, embedding="embedding"))
    assert result.found == {"Responses of different sizes": "ERROR"}


def test_ids_that_are_no_text(run_executor: Run) -> None:
    log = make_log({"image": make_images(1)}, request_id=[b"\xff\xfe"])
    result = run_executor({"a": log_file(log)})
    assert r"such as \xff\xfe/0" in next(iter(result.proto.anomaly_info.values())).description


def test_bulk_inferrers_own_logs(run_executor: Run, tmp_path: Path) -> None:
    """A signature over serialised tf.Examples, run by what BulkInferrer runs, logged as BulkInferrer logs it."""
    import apache_beam as beam
    from tfx_bsl.public.beam import run_inference
    from tfx_bsl.public.proto import model_spec_pb2

    class Model(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
        def answer(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
            rows = tf.shape(examples)[0]
            p = tf.tile([[0.25, 0.75]], [rows, 1])
            return {"probabilities": p, "class_id": tf.ones([rows], tf.int64)}

    model = Model()
    tf.saved_model.save(model, str(tmp_path / "model"), {"serving_default": model.answer})
    images = make_images(5)
    examples = [
        tf.train.Example(features=tf.train.Features(feature={
            "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image.tobytes()]))}))
        for image in images
    ]  # fmt: skip
    inference = model_spec_pb2.InferenceSpecType(
        saved_model_spec=model_spec_pb2.SavedModelSpec(model_path=str(tmp_path / "model"))
    )
    with beam.Pipeline(runner="apache_beam.runners.portability.fn_api_runner.FnApiRunner") as pipeline:
        _ = (
            pipeline
            | beam.Create(examples)
            | run_inference.RunInference(inference)
            | beam.io.WriteToTFRecord(
                str(tmp_path / "prediction_logs"),
                file_name_suffix=".gz",
                coder=beam.coders.ProtoCoder(prediction_log_pb2.PredictionLog),
            )
        )
    (path,) = tmp_path.glob("prediction_logs*")
    spec = model_spec(SHAPE, 2, class_id="class_id")
    result = run_executor({path.name: path.read_bytes()}, spec=spec)
    check_sums(result)
    assert result.found == {}
    assert {row["image"] for row in result.rows.values()} == {image.tobytes() for image in images}
    assert {row["confidence"] for row in result.rows.values()} == {0.75}


def test_files_of_the_same_name_are_refused(tmp_path: Path) -> None:
    from tfx.proto import example_gen_pb2
    from tfx.utils import proto_utils

    from components.serving_log_example_gen.executor import log_files

    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "part-0").touch()

    def properties(pattern: str) -> dict[str, str]:
        split = example_gen_pb2.Input.Split(name="serving", pattern=pattern)
        config = proto_utils.proto_to_json(example_gen_pb2.Input(splits=[split]))
        return {"input_base": str(tmp_path), "input_config": config}

    assert log_files(properties("x/*")).files == [str(tmp_path / "x" / "part-0")]
    with pytest.raises(MonitorError, match="must have different names"):
        log_files(properties("*/*"))
    with pytest.raises(MonitorError, match="must match files, not folders"):
        log_files(properties("*"))


def hostile_file(rng: random.Random) -> bytes:
    """Good, wrong, random, damaged and cut records in one file."""
    records = []
    for number in range(rng.randrange(12)):
        record = make_good_log(rng.randrange(1, 4), seed=number, request_id=f"r{rng.randrange(9)}").SerializeToString()
        kind = rng.randrange(6)
        if kind == 0:
            record = rng.randbytes(rng.randrange(200))
        elif kind == 1:
            spoiled = bytearray(record)
            for _ in range(3):
                spoiled[rng.randrange(len(spoiled))] = rng.randrange(256)
            record = bytes(spoiled)
        elif kind == 2:
            record = record[: rng.randrange(len(record))]
        framed = bytearray(frame(record))
        if rng.randrange(5) == 0:
            framed[rng.randrange(len(framed))] ^= 1 << rng.randrange(8)
        records.append(bytes(framed))
    content = b"".join(records)
    content = gzip.compress(content) if rng.randrange(2) else content
    return content[: rng.randrange(len(content) + 1)] if rng.randrange(3) == 0 else content


def test_hostile_files_never_crash_and_always_add_up(run_executor: Run) -> None:
    for seed in range(4):
        rng = random.Random(seed)  # noqa: S311
        result = run_executor({f"part-{number}": hostile_file(rng) for number in range(25)})
        check_sums(result)
        assert result.counts["files"] == 25
        assert result.counts["rows"] > 0
        assert result.counts["records_broken"] > 0
        assert result.found["Too many broken records"] == "ERROR"
