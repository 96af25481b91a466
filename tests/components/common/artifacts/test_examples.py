"""The records of a split of `Examples`: all of its files, and of nothing else."""

import dataclasses
import gzip
import io
import json
import os

import pytest

from components.common.artifacts.examples import split_records
from components.common.artifacts.files import Artifact, local_files
from components.common.artifacts.tfrecord import frame
from components.common.errors import MonitorError


@pytest.fixture
def examples(tmp_path):
    folder = tmp_path / "Split-eval"
    folder.mkdir()
    (folder / "part-1").write_bytes(frame(b"c"))
    (folder / "part-0.gz").write_bytes(gzip.compress(frame(b"a") + frame(b"b")))
    for side_file in ("_SUCCESS", ".part-0.gz.crc"):
        (folder / side_file).write_bytes(b"no record")
    (folder / "beam-temp-part-1").mkdir()  # as Beam's own writers leave it
    return Artifact(str(tmp_path), properties={"split_names": '["eval"]'})


def having(examples: Artifact, **properties) -> Artifact:
    return dataclasses.replace(examples, properties={**examples.properties, **properties})


def test_every_file_of_a_split_is_read_in_order_and_none_that_lies_beside_them(examples):
    assert list(split_records(examples, "eval", local_files())) == [b"a", b"b", b"c"]
    whole = dataclasses.replace(local_files(), open=None)  # as where a file cannot be read piece by piece
    assert list(split_records(examples, "eval", whole)) == [b"a", b"b", b"c"]


def test_a_split_may_be_where_the_artifact_says(examples):
    told = having(examples, custom_split_pattern=json.dumps({"eval": "Split-eval/*.gz"}))
    assert list(split_records(told, "eval", local_files())) == [b"a", b"b"]


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"split_names": '["train"]'}, r"`split` must be one of train\. Received: 'eval'"),
        ({"payload_format": "FORMAT_PARQUET"}, r"must hold tf\.Examples .* Received: FORMAT_PARQUET"),
        ({"custom_split_pattern": '{"train": "*"}'}, "`custom_split_pattern` must be an object with a pattern for"),
    ],
)
def test_what_the_artifact_says_against_it_is_an_error(examples, properties, message):
    with pytest.raises(MonitorError, match=message):
        list(split_records(having(examples, **properties), "eval", local_files()))


def test_what_is_neither_a_file_nor_a_folder_is_an_error(examples, tmp_path):
    os.mkfifo(tmp_path / "Split-eval" / "part-2")
    with pytest.raises(MonitorError, match=r"part-2 must be a file of split 'eval' .* Received: "):
        list(split_records(examples, "eval", local_files()))


def test_a_damaged_file_is_an_error_that_names_it_and_so_is_a_file_that_fails_while_it_is_read(examples, tmp_path):
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell():
                raise OSError(5, "Input/output error")
            return super().read(size)

    failing = dataclasses.replace(local_files(), open=lambda path: Failing(frame(b"a")))
    with pytest.raises(MonitorError, match=r"part-0\.gz must be a readable file\. Received: Input/output error"):
        list(split_records(examples, "eval", failing))
    (tmp_path / "Split-eval" / "part-1").write_bytes(frame(b"c")[:-1])
    with pytest.raises(MonitorError, match="part-1 must be a whole TFRecord file"):
        list(split_records(examples, "eval", local_files()))
