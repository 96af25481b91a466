"""A store of ML Metadata, opened to be read, and how it is asked."""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ml_metadata import errors, metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.common.errors import MonitorError
from pipelines.kept_stores import kept_store

from . import store_server

_BUSY_SECONDS = 5.0  # how long a store that is locked is waited for
LOCKED = "database is locked"  # in SQLite's words
MLMD_LOCKED = "Concurrent writes aborted"  # in those of ML Metadata, once it has tried for long enough
Answer = TypeVar("Answer")


def open_store(path: str | Path) -> metadata_store.MetadataStore:
    """An ML Metadata store that is there already, to be read and not written.

    Args:
      path: a SQLite file, or the address of a server such as `kfp://localhost:8080`.

    Raises:
      MonitorError: when there is no such file or server, or it is no such store.

    """
    if store_server.is_server(path):
        return store_server.open_server(str(path))
    if not Path(path).is_file():
        raise MonitorError(f"The ML Metadata store must be a SQLite file. Received: {str(path)!r}, which is not there")
    if not _holds_anything(Path(path)):
        raise MonitorError(f"The ML Metadata store {str(path)!r} is empty: nothing has been run there yet")
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READONLY
    return reading(lambda: kept_store(config), str(path))


def is_empty(path: Path) -> bool:
    """Whether there is no store yet: no file, or one whose maker was killed before anything was in it.

    Raises:
      MonitorError: it cannot be read.

    """
    return not path.exists() or not _holds_anything(path)


def _holds_anything(path: Path) -> bool:
    """Raises `MonitorError` when SQLite cannot read a file, or not soon: ML Metadata tries a locked one for 36 s.

    What a process was writing when it was killed in the middle of a commit is taken back, which only somebody who may
    write can do, and ML Metadata, reading, does not. Where there is no such thing nothing is written.
    """
    uri = f"{path.absolute().as_uri()}?mode=rw"  # of a file that may not be written SQLite makes that `ro` by itself
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS)) as database:
            return database.execute("SELECT name FROM sqlite_master LIMIT 1").fetchone() is not None
    except sqlite3.Error as error:
        raise MonitorError(f"{path} cannot be read: {error}") from error


def require_free(path: Path) -> None:
    """Raises `MonitorError` where there is a store that nobody can write to, or not soon.

    Before much is written: ML Metadata tries each of its statements for half a minute, and says nothing meanwhile.
    """
    if not path.is_file():
        return
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise MonitorError(f"{path} cannot be written: {error}") from error


def reading(question: Callable[[], Answer], store: str = "the ML Metadata store", done: str = "read") -> Answer:
    """The answer to a question to a store; ML Metadata asks again by itself while another process is writing it.

    Args:
      question: asks it.
      store: what it is called in the error.
      done: what the question does with it, likewise.

    Raises:
      MonitorError: when the store cannot be read.

    """
    try:
        return question()
    except (errors.StatusError, RuntimeError) as error:
        # ML Metadata says so behind all that was to be written
        why = LOCKED if MLMD_LOCKED in str(error) else store_server.said(error)
        raise MonitorError(f"{store} cannot be {done}: {why}") from error
