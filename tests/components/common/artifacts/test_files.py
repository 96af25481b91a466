"""How files are read: what is an error, and what is kept below one folder."""

import json
import os

import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from components.common.artifacts.files import Files, confined_files, is_below, local_files, parse_message
from components.common.artifacts.tfrecord import frame
from components.common.errors import MonitorError


def test_what_cannot_be_read_is_an_error_that_names_it(tmp_path):
    files = local_files()
    with pytest.raises(MonitorError, match=r"/none must be a readable file\. Received: No such file"):
        files.content(f"{tmp_path}/none")
    with pytest.raises(MonitorError, match=r"/none must be a readable folder\. Received: No such file"):
        files.listing(f"{tmp_path}/none")
    with pytest.raises(MonitorError, match=r"must be a regular file\. Received: a folder"):
        files.content(str(tmp_path))
    with pytest.raises(MonitorError, match=r"must be the name of a file\. Received: embedded null byte"):
        files.content("a\0b")


def test_a_listing_is_sorted_and_knows_no_slashes():
    files = Files(lambda path, most: b"", lambda folder: ["b/", "a"])
    assert files.listing("/x") == ["a", "b"]
    assert files.holds("/x", "b")
    assert not files.holds("/x", "c")


def test_records_of_a_file_are_whole_or_an_error_with_its_name(tmp_path):
    path = tmp_path / "records"
    path.write_bytes(frame(b"a") + frame(b"b"))
    assert list(local_files().records(str(path))) == [b"a", b"b"]
    path.write_bytes(frame(b"a") + frame(b"b")[:-1])
    with pytest.raises(MonitorError, match=f"{path} must be a whole TFRecord file"):
        list(local_files().records(str(path)))


@pytest.mark.parametrize("name", ["schema.pb", "schema.pbtxt"])
def test_a_message_is_binary_or_text_by_the_file_s_name(tmp_path, name):
    schema = schema_pb2.Schema(feature=[schema_pb2.Feature(name="x")])
    text = name.endswith(".pbtxt")
    (tmp_path / name).write_bytes(str(schema).encode() if text else schema.SerializeToString())
    assert local_files().message(str(tmp_path / name), schema_pb2.Schema()) == schema


@pytest.mark.parametrize(
    ("path", "content", "says"),
    [
        ("f", b"", "an empty file"),
        ("f", b"\xff" * 9, "Received: "),
        ("f", b"\x0a\x7f", "Received: "),
        ("f.pbtxt", b"feature {", "Received: "),
        ("f.pbtxt", b"\xff\xff", "Received: "),
    ],
)
def test_what_is_no_message_is_an_error(path, content, says):
    with pytest.raises(MonitorError, match=f"^{path} must hold a message Anomalies.*{says}"):
        parse_message(anomalies_pb2.Anomalies(), content, path)


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b""])
def test_a_record_that_is_damaged_is_an_error_with_the_file_s_name(tmp_path, content):
    path = tmp_path / "record.json"
    path.write_bytes(content)
    with pytest.raises(MonitorError, match=f"{path} is damaged"):
        local_files().record(str(path), lambda text: json.loads(text)["key"])


@pytest.fixture
def root(tmp_path):
    """A root with a file, and around it what must not be seen."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("secret")
    (tmp_path / "root" / "run").mkdir(parents=True)
    (tmp_path / "root" / "run" / "file").write_text("shown")
    return tmp_path / "root"


def test_below_the_root_everything_is_read(root):
    files = confined_files(root)
    assert files.content(str(root / "run" / "file")) == b"shown"
    assert files.content(str(root / "run" / ".." / "run" / "file")) == b"shown"
    assert files.listing(str(root)) == ["run"]


@pytest.mark.parametrize(
    "place", ["../secret/key", "run/../../secret/key", "link/key", "run/file_link", "../root2/key"]
)
def test_nothing_outside_the_root_is_read_or_listed(root, place):
    (root / "link").symlink_to(root.parent / "secret")
    (root / "run" / "file_link").symlink_to(root.parent / "secret" / "key")
    (root.parent / "root2").mkdir()
    (root.parent / "root2" / "key").write_text("secret")
    files = confined_files(root)
    path = str(root / place)
    for read in (files.content, files.listing, files.check, lambda path: list(files.records(path))):
        with pytest.raises(MonitorError, match="is outside the pipeline root"):
            read(path)
    with pytest.raises(MonitorError, match="is outside the pipeline root"):
        files.record(path, json.loads)
    with pytest.raises(MonitorError, match="is outside the pipeline root"):
        files.message(path, schema_pb2.Schema())


def test_a_named_pipe_is_refused_and_not_waited_for(root):
    os.mkfifo(root / "pipe")
    with pytest.raises(MonitorError, match=r"pipe must be a regular file\. Received: a named pipe"):
        confined_files(root).content(str(root / "pipe"))
    with pytest.raises(MonitorError, match="pipe must be a readable folder"):
        confined_files(root).listing(str(root / "pipe"))


def test_a_root_that_is_a_link_is_what_it_points_to(root, tmp_path):
    (tmp_path / "alias").symlink_to(root)
    assert confined_files(tmp_path / "alias").content(str(root / "run" / "file")) == b"shown"
    assert is_below(root / "run", tmp_path / "alias")
    assert not is_below("a\0b", root)


def test_the_files_of_a_place_are_counted_with_their_bytes(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_bytes(b"123")
    (tmp_path / "a" / "d").write_bytes(b"1")
    files = local_files()
    assert files.sizes(str(tmp_path / "a")) == {"b/c": 3, "d": 1}
    assert files.sizes(str(tmp_path / "a" / "d")) == {"": 1}
    with pytest.raises(MonitorError, match="must be readable"):
        files.sizes(str(tmp_path / "z"))
    assert [files.gone(place) for place in (str(tmp_path / "a"), str(tmp_path / "z"), "gs://bucket/z")] == [
        False,
        True,
        False,
    ]
