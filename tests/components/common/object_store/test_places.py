"""Files in a store, on a real connection: what is read is what was written, and what fails says what."""

from pathlib import Path

import pytest

from components.common.errors import MonitorError
from components.common.object_store import places
from components.common.object_store.address import parse
from components.common.object_store.files import store_files
from components.common.object_store.places import copy_here, copy_out

FILES = {
    "saved_model.pb": b"1" * 5000,
    "variables/variables.data-00000-of-00001": bytes(range(256)) * (33 << 10),  # 8.7 MB: in two parts
    "variables/empty": b"",
    "assets/a name with ü, + and 100 %.txt": b"x",
}


def written(folder: Path) -> Path:
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_tree_comes_back_as_it_went(bucket, tmp_path):
    copy_out(str(written(tmp_path / "a")), f"{bucket}/deep/below/7")
    copy_here(f"{bucket}/deep/below/7/", str(tmp_path / "b"))
    assert content_of(tmp_path / "b") == FILES


def test_what_is_left_out_does_not_travel(bucket, tmp_path):
    copy_out(str(written(tmp_path / "a")), f"{bucket}/7", lambda name: name.startswith("variables/"))
    copy_here(f"{bucket}/7", str(tmp_path / "b"), lambda name: name.startswith("assets/"))
    assert set(content_of(tmp_path / "b")) == {"saved_model.pb"}


def test_a_large_file_is_read_piece_by_piece(bucket, tmp_path):
    copy_out(str(written(tmp_path)), f"{bucket}/7")
    name = "variables/variables.data-00000-of-00001"
    with store_files().stream(f"{bucket}/7/{name}") as file:
        pieces = []
        while piece := file.read(3 << 20):
            pieces.append(piece)
    assert b"".join(pieces) == FILES[name]
    assert max(map(len, pieces)) <= 3 << 20
    with store_files().stream(f"{bucket}/7/variables/empty") as file:
        assert file.read() == b""


def test_more_than_may_be_read_is_not_read(bucket, tmp_path):
    copy_out(str(written(tmp_path)), f"{bucket}/7")
    told = r"saved_model\.pb must have at most 5\.0 kB to be read"
    with pytest.raises(MonitorError, match=told), store_files().stream(f"{bucket}/7/saved_model.pb", 4_999) as file:
        file.read()
    with pytest.raises(MonitorError, match=r"must be an object\. Received: a bucket"), store_files().stream(bucket):
        raise AssertionError("a bucket was opened")


def test_a_file_that_is_written_anew_while_it_is_read_is_an_error(bucket, tmp_path):
    (tmp_path / "labels").write_bytes(bytes(9 << 20))
    copy_out(str(tmp_path), f"{bucket}/7")
    with store_files().stream(f"{bucket}/7/labels") as file:
        assert len(file.read(1 << 20)) == 1 << 20
        (tmp_path / "labels").write_bytes(bytes(9 << 20) + b"1")
        copy_out(str(tmp_path), f"{bucket}/7")
        with pytest.raises(MonitorError, match=r"7/labels was written anew while it was read"):
            file.read(9 << 20)


def test_files_are_listed_and_read_as_those_of_this_machine(bucket, tmp_path):
    copy_out(str(written(tmp_path)), f"{bucket}/7")
    files = store_files()
    for root in (str(tmp_path), f"{bucket}/7"):
        assert files.listing(root) == ["assets", "saved_model.pb", "variables"]
        assert files.content(f"{root}/saved_model.pb") == FILES["saved_model.pb"]
        assert files.content(f"{root}/variables/empty") == b""
        assert (places.is_folder(f"{root}/variables"), places.is_folder(f"{root}/saved_model.pb")) == (True, False)
        assert (places.is_file(f"{root}/variables"), places.is_file(f"{root}/saved_model.pb")) == (False, True)
        assert not places.is_folder(f"{root}/variab")  # names are whole
        assert files.sizes(root) == {name: len(content) for name, content in sorted(FILES.items())}
        assert files.sizes(f"{root}/saved_model.pb") == {"": 5000}
        assert [files.gone(f"{root}/{name}") for name in ("variables", "saved_model.pb", "none")] == [
            False,
            False,
            True,
        ]
        with pytest.raises(MonitorError, match=f"{root}/none must be a readable file. Received: No such file"):
            files.content(f"{root}/none")
        with pytest.raises(MonitorError, match=f"{root}/none must be a readable folder. Received: No such"):
            files.listing(f"{root}/none")
        with pytest.raises(MonitorError, match=f"{root}/none must be readable. Received: No such"):
            files.sizes(f"{root}/none")
        with pytest.raises(MonitorError, match=r"must have at most 100 bytes to be read. Received: 5.0 kB"):
            files.content(f"{root}/saved_model.pb", 100)


def test_an_empty_object_that_stands_for_a_folder_is_none(bucket, tmp_path):
    copy_out(str(written(tmp_path / "a")), f"{bucket}/7")
    store = places.bucket_of(parse(bucket))
    assert store.create("7/variables", b"")
    assert store.create("7", b"")
    copy_here(f"{bucket}/7", str(tmp_path / "b"))
    assert content_of(tmp_path / "b") == FILES
    assert store_files().listing(f"{bucket}/7") == ["assets", "saved_model.pb", "variables"]


def test_an_object_and_a_folder_of_one_name_fit_on_no_disk(bucket, tmp_path):
    store = places.bucket_of(parse(bucket))
    store.create("7/a", b"x")
    store.create("7/a/b", b"x")
    with pytest.raises(MonitorError, match=r"no object and folder of one name. Received: a"):
        copy_here(f"{bucket}/7", str(tmp_path))


def test_a_precondition_holds_for_one_of_two(bucket):
    store = places.bucket_of(parse(bucket))
    assert store.create("pointer", b"1")
    assert not store.create("pointer", b"2")
    state = store.read("pointer", 10)
    assert state.content == b"1"
    assert store.replace("pointer", b"3", state)
    assert not store.replace("pointer", b"4", state)
    assert store.read("pointer", 10).content == b"3"


def test_what_was_written_by_a_request_whose_answer_got_lost_counts(bucket):
    """The client asks again and is told that the precondition does not hold, by what it has written itself."""
    store = places.bucket_of(parse(bucket))
    assert store.create("pointer", b"1")
    assert store.create("pointer", b"1")
    state = store.read("pointer", 10)
    assert store.replace("pointer", b"2", state)
    assert store.replace("pointer", b"2", state)


@pytest.mark.parametrize(
    ("environment", "address", "sentence"),
    [
        ({}, "s3://nowhere", "s3://nowhere must be a bucket that exists"),
        (
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "MODEL_MONITOR_STORE_SECONDS": "0.2"},
            "",
            "must be in reach. Received: .*127.0.0.1:9/",
        ),
        ({"AWS_ENDPOINT_URL": "127.0.0.1:9"}, "", "`AWS_ENDPOINT_URL` must be an address that begins with http"),
        ({"AWS_ACCESS_KEY_ID": ""}, "", "`AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY` must be set both"),
        (
            {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
            "",
            "must be asked with credentials, and there are no",
        ),
        ({"MODEL_MONITOR_STORE_SECONDS": "soon"}, "", "`MODEL_MONITOR_STORE_SECONDS` must be a number of seconds"),
    ],
)
def test_what_is_missing_is_said_in_a_sentence(bucket, monkeypatch, environment, address, sentence):
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    for look in (
        store_files().listing,
        store_files().content,
        lambda path: copy_here(path, "/nonexistent"),
        lambda path: places.bucket_of(parse(path)).create(parse(path).key, b""),
    ):
        with pytest.raises(MonitorError, match=sentence) as found:
            look(f"{address or bucket}/serving/7")
        assert "\n" not in str(found.value)
        assert "must be a readable" not in str(found.value)  # one sentence, not one in another


def test_keys_of_a_profile_are_taken(bucket, monkeypatch, tmp_path):
    file = tmp_path / "credentials"
    file.write_text("[ours]\naws_access_key_id = a\naws_secret_access_key = b\n")
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(key)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_PROFILE", "ours")
    assert places.bucket_of(parse(bucket)).create("a", b"x")
