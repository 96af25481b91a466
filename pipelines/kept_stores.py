"""Connections to ML Metadata that are kept, as a process that judges one window after the other wants them.

To open a store takes longer than most questions to it, and one run would do so thirty times: TFX for each step of each
node, and whoever reads what came of it. A connection holds no lock between two calls, so that a kept one is in nobody's
way. It is given up where the file is another one, and after any error that it was not asked for: what ML Metadata does
after a roll-back that failed is not known. Each thread has connections of its own.
"""

import os
import threading
from collections import OrderedDict
from typing import Any

from ml_metadata import errors, metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

_MOST = 8  # connections of a thread: a process that watches several models has two for each
_ANSWERS = (errors.AlreadyExistsError, errors.NotFoundError)  # which leave a connection as it was


class KeptStore(metadata_store.MetadataStore):
    """A connection to a SQLite file.

    Attributes:
      usable: whether no call has failed.

    """

    def __init__(self, config: mlmd.ConnectionConfig) -> None:
        self.usable = True
        super().__init__(config)

    def _call_method(self, method_name: str, request: Any, response: Any) -> None:
        try:
            super()._call_method(method_name, request, response)
        except _ANSWERS:
            raise
        except BaseException:
            self.usable = False
            raise


class _Known(threading.local):
    def __init__(self) -> None:
        self.stores: OrderedDict[bytes, tuple[tuple[int, int], KeptStore]] = OrderedDict()


_known = _Known()


def kept_store(config: mlmd.ConnectionConfig) -> metadata_store.MetadataStore:
    """The connection of this thread to a SQLite file, opened where there is none that can be used.

    Raises:
      RuntimeError: or what else ML Metadata raises: it cannot be opened.

    """
    key, path = config.SerializeToString(), config.sqlite.filename_uri
    there = _known.stores.pop(key, None)
    if there is None or not there[1].usable or there[0] != _identity(path):
        opened = KeptStore(config)
        identity = _identity(path)
        if identity is None:  # no file, as of a database in memory: each connection is another one
            return opened
        there = identity, opened
    _known.stores[key] = there
    if len(_known.stores) > _MOST:
        _known.stores.popitem(last=False)
    return there[1]


def _identity(path: str) -> tuple[int, int] | None:
    """What tells a file from the one that takes its place: while it is open, no other has its number."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
