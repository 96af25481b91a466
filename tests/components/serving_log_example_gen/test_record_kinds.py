"""Records that are no PredictionLogs: what they look like is said, whatever else they could be taken for."""

import json
import zlib

import pytest
from tensorflow.core.example import example_pb2

from components.common.artifacts.tfrecord import frame
from components.serving_log_example_gen.record_kinds import looks_like_record, parse_log
from tests.components.serving_log_example_gen.conftest import make_good_log


def example(*names: str) -> bytes:
    made = example_pb2.Example()
    for name in names:
        made.features.feature[name].bytes_list.value.append(b"value")
    return made.SerializeToString()


def sequence() -> bytes:
    made = example_pb2.SequenceExample()
    made.context.feature["id"].bytes_list.value.append(b"a")
    made.feature_lists.feature_list["frames"].feature.add().bytes_list.value.append(b"a")
    return made.SerializeToString()


REQUEST = json.dumps({"instances": [[1, 2]]}).encode()
KINDS = {
    "a tf.Example with image, label": example("label", "image"),
    "a tf.Example with a, b, c and 2 more": example(*"edcba"),
    "a tf.SequenceExample with frames": sequence(),
    "JSON requests of a server's REST interface": REQUEST,
    "data packed with zlib; unpacked it looks like JSON requests of a server's REST interface": zlib.compress(REQUEST),
    "a PNG image": b"\x89PNG\r\n\x1a\n and so on",
    "plain text": b"INFO a request came",
    "nothing: it is empty": b"",
}


@pytest.mark.parametrize(("told", "record"), KINDS.items(), ids=list(KINDS))
def test_what_a_record_looks_like_is_told(told, record):
    assert looks_like_record(record) == told


def test_what_cannot_be_told_is_not():
    assert looks_like_record(b"\xff\xff\xff") == ""


def test_a_span_of_examples_is_said_to_be_one_and_not_to_be_of_another_version(run_executor):
    """To a parser an Example is a PredictionLog of a model without a version, by the name of its first feature."""
    assert parse_log(example("label", "image")) is not None
    good = make_good_log(2).SerializeToString()
    result = run_executor({"a": b"".join(map(frame, [*KINDS.values(), good]))}, model_version=7)
    assert result.counts["records_broken"] == len(KINDS)
    (info,) = [each for each in result.proto.anomaly_info.values() if each.short_description == "Not a PredictionLog"]
    assert "it looks like a tf.Example with image, label" in info.description
    reasons = [letter["images"][0]["reason"] for letter, _ in result.dead_letters]
    assert reasons == [f"the record cannot be parsed as a PredictionLog; it looks like {told}" for told in KINDS]
