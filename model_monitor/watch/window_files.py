"""The files of windows, a folder each, of which as much counts as the journal says.

    <root>/windows/<number>/window-<number>.tfrecord      the whole records, byte for byte
                            torn-<n>.tfrecord.gz ...      what could not be read, a file each

What could not be read is put so that whoever reads the window finds the same fault again: a stretch of a wrong
checksum among the records, as long as it was; a cut-off end, an unreadable rest and a file of another format in files
of their own. A request without an id of its own is known by the file and number that it has here.
"""

import contextlib
import os
import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path

from components.common.artifacts.gunzip import Damage
from components.common.artifacts.tfrecord import Record, frame, framed_wrongly
from components.common.durable_files import SAFELY, sync

_GZIP = 16 + zlib.MAX_WBITS  # zlib's number for gzip's header and trailer
_NO_BLOCK = b"\x07" * 32  # deflate has no blocks of this type


class WindowFiles:
    """Appends to windows' files. Nothing counts before the journal has the lengths that `flush` gives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lengths: dict[int, dict[str, int]] = {}
        self._pending: dict[tuple[int, str], list[bytes]] = {}
        self.pending_bytes = 0

    def recover(self, counted: Mapping[int, Mapping[str, int]], last: int) -> None:
        """Makes the folder what the journal says: cuts off and removes what was written and never counted.

        Args:
          counted: the files of the open windows, with the lengths that count.
          last: the number of the last window; folders of later ones were begun and never counted.

        Raises:
          OSError: from the file system.

        """
        self._pending.clear()
        self.pending_bytes = 0
        self._lengths = {number: dict(files) for number, files in counted.items()}
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            number = int(path.name) if path.name.isdecimal() else 0
            if number > last:
                shutil.rmtree(path)
            elif number in counted:
                _cut(path, counted[number])

    def add(self, window: int, record: Record) -> None:
        """Takes a record, or what stands in the place of one that could not be read, for the next `flush`."""
        files = self._lengths.setdefault(window, {})
        name, data = self._piece(window, record)
        files[name] = files.get(name, 0) + len(data)
        self._pending.setdefault((window, name), []).append(data)
        self.pending_bytes += len(data)

    def _piece(self, window: int, record: Record) -> tuple[str, bytes]:
        number = len(self._lengths[window])
        if record.damage is None:
            return _main(window), frame(record.data)
        if record.damage is Damage.CORRUPT:
            return _main(window), framed_wrongly(record)
        if record.damage is Damage.TORN:
            return f"torn-{number}.tfrecord.gz", _cut_off(record.data)
        if record.damage is Damage.FOREIGN:
            return f"foreign-{number}", record.data
        return f"unreadable-{number}.tfrecord.gz", _unreadable(record.data)

    def flush(self) -> None:
        """Writes what was added and forces it to disk. Raises `OSError` from the file system; then `recover` is due."""
        for (window, name), pieces in self._pending.items():
            folder = self.folder / str(window)
            if not folder.is_dir():
                folder.mkdir(parents=True)
                sync(str(self.folder))
            new = _append(folder / name, pieces)
            if new:
                sync(str(folder))
        self._pending.clear()
        self.pending_bytes = 0

    def of(self, window: int) -> dict[str, int]:
        """The files of a window, by name, and their lengths in bytes."""
        return dict(self._lengths.get(window, {}))

    def forget(self, window: int) -> None:
        """Of a window that is closed and counted, nothing more is kept in memory."""
        self._lengths.pop(window, None)

    def remove(self, window: int) -> int:
        """Removes a window's folder; how many bytes that frees. Raises `OSError` from the file system."""
        folder = self.folder / str(window)
        size = size_of(folder)
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(folder)
        return size


def size_of(folder: Path) -> int:
    """The bytes of all files below a folder; 0 where there is none."""
    return sum(os.lstat(os.path.join(parent, name)).st_size for parent, _, names in os.walk(folder) for name in names)


def _main(window: int) -> str:
    return f"window-{window}.tfrecord"


def _cut(folder: Path, counted: Mapping[str, int]) -> None:
    for path in folder.iterdir():
        if path.name not in counted:
            path.unlink()
        elif path.stat().st_size > counted[path.name]:
            os.truncate(path, counted[path.name])
            sync(str(path))


def _append(path: Path, pieces: list[bytes]) -> bool:
    """Appends to a file and forces it to disk; whether it is a new one."""
    new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | SAFELY, 0o666)
    with os.fdopen(descriptor, "ab") as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return new


def _cut_off(data: bytes) -> bytes:
    """A gzip stream of `data` that lacks its end."""
    packer = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
    return packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)


def _unreadable(data: bytes) -> bytes:
    """A gzip stream of `data`, and behind it what cannot be unpacked."""
    return _cut_off(data) + _NO_BLOCK
