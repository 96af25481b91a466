"""Our reader against TensorFlow's writer, and against damage."""

import gzip

import pytest
import tensorflow as tf

from components.common.errors import MonitorError
from components.tfrecord_reading import frame, read_records

RECORDS = [b"", b"a", bytes(range(256)) * 300]


@pytest.mark.parametrize("compression", ["", "GZIP"])
def test_what_tensorflow_writes_is_read(tmp_path, compression):
    path = tmp_path / "file"
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions(compression_type=compression)) as writer:
        for record in RECORDS:
            writer.write(record)
    assert list(read_records(path.read_bytes(), "file")) == RECORDS


def test_what_we_frame_tensorflow_reads(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"".join(map(frame, RECORDS)))
    assert [record.numpy() for record in tf.data.TFRecordDataset(str(path))] == RECORDS


def test_a_plain_file_that_begins_like_gzip_is_plain():
    record = bytes(0x088B1F)  # its length begins with gzip's magic number
    assert frame(record).startswith(b"\x1f\x8b\x08")
    assert list(read_records(frame(record), "file")) == [record]


WHOLE = frame(b"first") + frame(b"second")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (WHOLE[:-1], "byte 21, and it is cut off"),
        (WHOLE[:25], "cut off in its header"),
        (WHOLE[:-6] + b"X" + WHOLE[-5:], "checksum of its data"),
        (b"\1" + WHOLE[1:], "byte 0, and the checksum of its length"),
        (b"\x1f\x8b\x08 no gzip at all", "whole gzip file"),
    ],
)
def test_damage_is_an_error_that_names_the_file_and_the_place(content, says):
    with pytest.raises(MonitorError, match=f"broken.*{says}"):
        list(read_records(content, "broken"))


def test_a_gzip_file_that_is_cut_off_is_an_error():
    with pytest.raises(MonitorError, match="whole gzip file"):
        list(read_records(gzip.compress(WHOLE)[:-3], "broken"))
