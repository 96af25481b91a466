"""A connection is kept as long as it is to the same file and nothing went wrong with it; else there is a new one."""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ml_metadata import errors
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.common.pipes import output_of
from pipelines.kept_stores import kept_store

_LOCKING = """
import sqlite3, sys
store = sqlite3.connect(sys.argv[1], isolation_level=None)
store.execute("BEGIN EXCLUSIVE")
print(flush=True)
sys.stdin.read()
"""


def config_of(path: Path, mode: str = "READWRITE_OPENCREATE") -> mlmd.ConnectionConfig:
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.ConnectionMode.Value(mode)
    return config


def names(store) -> list[str]:
    return sorted(each.name for each in store.get_artifact_types())


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process has the store for itself: within one, locks of files keep nobody out."""
    command = [sys.executable, "-c", _LOCKING, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        output_of(other).readline()
        yield
        other.communicate()


@pytest.fixture
def config(tmp_path):
    return config_of(tmp_path / "metadata.sqlite")


def test_the_same_connection_is_given_again_and_sees_what_others_wrote(config, tmp_path):
    kept = kept_store(config)
    reader = kept_store(config_of(tmp_path / "metadata.sqlite", "READONLY"))
    assert names(reader) == names(kept)
    kept_store(config).put_artifact_type(mlmd.ArtifactType(name="Made"))
    assert kept_store(config) is kept
    assert "Made" in names(reader)
    assert reader is not kept


def test_a_file_that_took_the_place_of_another_is_opened(config, tmp_path):
    kept_store(config).put_artifact_type(mlmd.ArtifactType(name="Before"))
    os.replace(tmp_path / "metadata.sqlite", tmp_path / "moved.sqlite")
    assert "Before" not in names(kept_store(config))
    os.replace(tmp_path / "moved.sqlite", tmp_path / "metadata.sqlite")
    assert "Before" in names(kept_store(config))


def test_a_connection_that_failed_is_not_given_again(config, tmp_path):
    kept = kept_store(config)
    kept._max_num_retries = 1  # ML Metadata waits seconds between two tries
    with locked(tmp_path / "metadata.sqlite"), pytest.raises(errors.StatusError):
        kept.put_artifact_type(mlmd.ArtifactType(name="Late"))
    assert kept_store(config) is not kept
    kept_store(config).put_artifact_type(mlmd.ArtifactType(name="Late"))


def test_an_answer_that_there_is_none_is_no_failure(config):
    kept = kept_store(config)
    with pytest.raises(errors.NotFoundError):
        kept.get_artifact_type("None")
    assert kept_store(config) is kept


def test_each_thread_has_its_own(config):
    found = []
    thread = threading.Thread(target=lambda: found.append(kept_store(config)))
    thread.start()
    thread.join()
    assert found[0] is not kept_store(config)


def test_a_file_that_is_no_store_is_an_error_each_time(tmp_path):
    path = tmp_path / "metadata.sqlite"
    path.write_text("this is no database, however long one looks at it" * 100)
    for _ in range(2):
        with pytest.raises((RuntimeError, errors.StatusError)):
            kept_store(config_of(path))
