"""What is given for TFRecords and is none: told by its content, and said with what is wanted."""

import bz2
import gzip
import io
import json
import lzma
import sqlite3
import tarfile
import zipfile
import zlib

import numpy as np
import pytest

from components.common.artifacts.file_formats import HEAD_BYTES, looks_like
from components.common.artifacts.gunzip import Damage
from components.common.artifacts.tfrecord import frame, read_records
from components.common.errors import MonitorError

EVENT = {"specversion": "1.0", "type": "org.kubeflow.serving.inference.request", "data": {"instances": [[1, 2]]}}


def tar() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"), io.BytesIO())
    return stream.getvalue()


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a", b"b")
    return stream.getvalue()


def parquet() -> bytes:
    import pyarrow
    import pyarrow.parquet

    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"a": [1, 2]}), stream)
    return stream.getvalue()


def avro() -> bytes:
    import fastavro

    stream = io.BytesIO()
    fastavro.writer(stream, {"type": "record", "name": "a", "fields": [{"name": "b", "type": "int"}]}, [{"b": 1}])
    return stream.getvalue()


def zstandard() -> bytes:
    import zstandard

    return zstandard.compress(frame(b"record") * 100)


def sqlite(path) -> bytes:
    with sqlite3.connect(path) as database:
        database.execute("create table a (b)")
    database.close()
    return path.read_bytes()


def numpy() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.arange(9))
    return stream.getvalue()


KINDS = {
    "zlib": (lambda: zlib.compress(frame(b"record") * 100), "data packed with zlib"),
    "zlib of JSON": (lambda: zlib.compress(b'{"a": 1}\n{"a": 2}\n'), "zlib; unpacked it looks like JSON lines"),
    "zstd": (zstandard, "data packed with Zstandard"),
    "bzip2": (lambda: bz2.compress(frame(b"record")), "data packed with bzip2"),
    "xz": (lambda: lzma.compress(frame(b"record")), "data packed with xz"),
    "zip": (zipped, "a zip archive"),
    "tar": (tar, "a tar archive"),
    "Parquet": (parquet, "a Parquet file"),
    "Avro": (avro, "an Avro file"),
    "NumPy": (numpy, "a NumPy array"),
    "JSON lines": (lambda: b'{"a": 1}\n{"a": 2}\n', "JSON lines"),
    "manifest": (lambda: json.dumps({"entries": [{"url": "s3://a/b"}]}, indent=2).encode(), "a JSON file"),
    "CloudEvents": (lambda: b"\n".join([json.dumps(EVENT).encode()] * 3), "CloudEvents, JSON lines"),
    "REST": (lambda: json.dumps({"instances": [[0.5] * 5000]}).encode(), "a JSON file"),
    "small REST": (lambda: json.dumps({"instances": [[0.5]]}).encode(), "JSON requests of a server's REST interface"),
    "CSV": (lambda: b"id,label\n1,cat\n2,dog\n", "CSV"),
    "quoted CSV": (lambda: b'id,text\n1,"a, b"\n', "CSV"),
    "table": (lambda: b"id\tlabel\n1\tcat\n", "a table with tabs"),
    "HTML": (lambda: b"<!doctype html><title>503</title>", "XML or HTML"),
    "text": (lambda: "ein Protokoll über Züge\n".encode() * 1000, "plain text"),
    "checksum": (lambda: b"crc\0\0\0\2\0" + bytes(range(200)), "a Hadoop checksum file"),
    ".DS_Store": (lambda: b"\0\0\0\1Bud1" + bytes(6000), "a folder's settings of macOS (.DS_Store)"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_named_and_the_message_says_wanted_and_found(kind):
    make, name = KINDS[kind]
    content = make()
    assert looks_like(content[:HEAD_BYTES]).endswith(name)
    [record] = read_records(io.BytesIO(content))
    assert (record.damage, record.size) == (Damage.FOREIGN, len(content))
    with pytest.raises(
        MonitorError, match=r"day-1 must be a whole TFRecord file. Received: .* no TFRecord file"
    ) as told:
        list(read_records(io.BytesIO(content), strict=True, source="day-1"))
    assert f"looks like {looks_like(content[:HEAD_BYTES])}. Wanted are TFRecords, plain or gzipped" in str(told.value)


def test_an_sqlite_database(tmp_path):
    assert looks_like(sqlite(tmp_path / "a.db")) == "an SQLite database"


def test_gzip_of_something_else():
    [record] = read_records(io.BytesIO(gzip.compress(b"id,label\n1,cat\n2,dog\n")))
    assert record.reason == (
        "this is no TFRecord file; gzipped, and unpacked it looks like CSV. Wanted are TFRecords, plain or gzipped"
    )


@pytest.mark.parametrize(
    "content",
    [bytes(100), b"\x01" * 100, np.random.default_rng(0).bytes(5000), frame(b"a")[1:], frame(b"{}")[:-1], b"", b"{}"],
    ids=["zeros", "ones", "noise", "shifted", "torn", "empty", "shorter than a header"],
)
def test_what_may_be_damage_is_no_other_format(content):
    assert all(record.damage is not Damage.FOREIGN for record in read_records(io.BytesIO(content)))


def test_records_that_look_like_another_format_are_records():
    for make, _ in KINDS.values():
        content = make()
        assert [record.data for record in read_records(io.BytesIO(frame(content)))] == [content]


def test_noise_of_the_first_bytes_of_tfrecords_is_never_taken_for_another_format():
    """Flips anywhere in the first header: the records behind it are read all the same."""
    records = [b"x" * 200] * 5
    whole = b"".join(map(frame, records))
    for place in range(12):
        for bit in range(8):
            content = bytearray(whole)
            content[place] ^= 1 << bit
            found = list(read_records(io.BytesIO(bytes(content))))
            assert [record.data for record in found if record.damage is None] == records[1:]


def test_no_record_at_all_is_said():
    [record] = read_records(io.BytesIO(b"\x01" * 100))
    assert record.reason == "its header is damaged, and there is no record in all 100 bytes of the file"
