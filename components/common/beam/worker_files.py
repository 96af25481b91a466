"""Files that workers read and write: on this machine by Python, elsewhere by TFX's file system.

That brings TensorFlow, five seconds of processor time, and is imported when a path says that the file is elsewhere.
"""

import os
import pickle
import uuid
from typing import Any, BinaryIO

from ..artifacts.files import Files
from ..artifacts.record_files import is_remote, open_regular
from ..object_store.address import is_address
from ..object_store.files import store_files


def open_records(path: str, *, links_out: bool = True) -> BinaryIO:
    """A file of records, to be read and sought in; one of this machine is never waited for. Raises `OSError`."""
    if not is_remote(path):
        return open_regular(path, links_out=links_out)
    file: BinaryIO = _tfx_files().open(path, "rb")
    return file


def create(path: str) -> BinaryIO:
    """A file to be written, whose folder is there."""
    if not is_remote(path):
        return open(path, "wb")
    file: BinaryIO = _tfx_files().open(path, "wb")
    return file


def make_folders(path: str) -> None:
    """Makes a folder, and those that it is in, where they are missing."""
    if is_remote(path):
        _tfx_files().makedirs(path)
    else:
        os.makedirs(path, exist_ok=True)


def replace(path: str, target: str) -> None:
    """Gives a file another name, whatever has that."""
    if is_remote(path):
        _tfx_files().rename(path, target, overwrite=True)
    else:
        os.replace(path, target)


def remove(path: str) -> None:
    """Removes a file."""
    if is_remote(path):
        _tfx_files().remove(path)
    else:
        os.remove(path)


def write_whole(value: Any, path: str) -> None:
    """Writes a value, pickled, to a file that is there whole or not at all; done twice, it comes to the same."""
    written = f"{path}.{uuid.uuid4().hex}"
    with create(written) as file:
        pickle.dump(value, file)
    replace(written, path)


def files_of(path: str) -> Files:
    """How a file is read that may be anywhere: in a store that we know as we do, in any other as TFX does."""
    if is_remote(path) and not is_address(path):
        from ..tfx_files import tfx_files  # noqa: PLC0415 - as below

        return tfx_files()
    return store_files()


def _tfx_files() -> Any:
    from tfx.dsl.io import fileio  # noqa: PLC0415 - imports TensorFlow, which workers without such files can do without

    return fileio
