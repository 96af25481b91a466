"""Workers write and read files alike, by Python on this machine and by TFX's file system elsewhere."""

import json
import os
from pathlib import Path

import pytest

from components.common.artifacts.tfrecord import read_records
from components.common.beam import worker_files
from components.common.beam.shard_writer import LIST, ShardWriter, write_list

ROWS = [b"%d" % number * 100 for number in range(200)]
PLACES = pytest.mark.parametrize("scheme", ["", "file://"])  # the latter is TFX's to open, as a store is


@PLACES
def test_shards_are_written_where_the_path_says(tmp_path, scheme):
    folder = f"{scheme}{tmp_path}/a/b"
    worker_files.make_folders(folder)
    worker_files.make_folders(folder)  # by another worker, too
    with ShardWriter(folder) as writer:
        for row in ROWS:
            writer.write(row)
    write_list(writer.paths, folder)
    assert json.loads(Path(tmp_path, "a", "b", LIST).read_text()) == writer.paths
    (path,) = writer.paths
    assert path.startswith(folder)
    with worker_files.open_records(path) as file:
        assert [record.data for record in read_records(file, strict=True)] == ROWS


@PLACES
def test_a_file_takes_the_place_of_another_and_is_removed(tmp_path, scheme):
    old, new = (f"{scheme}{tmp_path}/{name}" for name in ("old", "new"))
    for path, content in ((old, b"1"), (new, b"2")):
        with worker_files.create(path) as file:
            file.write(content)
    worker_files.replace(new, old)
    assert os.listdir(tmp_path) == ["old"]
    assert Path(tmp_path, "old").read_bytes() == b"2"
    worker_files.remove(old)
    assert os.listdir(tmp_path) == []


@PLACES
def test_a_file_that_may_be_anywhere_is_read_piece_by_piece(tmp_path, scheme):
    path = f"{scheme}{tmp_path}/labels.csv"
    Path(tmp_path, "labels.csv").write_bytes(b"id,label\n")
    files = worker_files.files_of(path)
    assert files.there(path)
    with files.stream(path, 100) as file:
        assert file.read(100) == b"id,label\n"
    assert not files.there(path + "x")
