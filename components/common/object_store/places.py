"""Files and folders of this machine or of a store: one way to look at both, and to copy trees between them."""

import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from ..bounded_files import MOST_BYTES, open_regular, read_bounded
from ..errors import MonitorError
from .address import Address, is_address, parse

if TYPE_CHECKING:
    from .bucket import Bucket, Entry

_MOST_FILES = 100_000  # below one folder, where only their sizes are asked for
_AT_ONCE = 4  # files under way; the large ones among them in parts, see `Bucket.upload`
Job = TypeVar("Job")


def names(folder: str) -> list[str]:
    """What is in a folder. Raises `OSError` where there is no such folder, and `MonitorError` as a `Bucket` does."""
    if not is_address(folder):
        return os.listdir(folder)
    address = parse(folder)
    found = bucket_of(address).names(address.key)
    if not found and address.key:
        raise FileNotFoundError(2, "No such folder in the store", folder)
    return found


def is_folder(path: str) -> bool:
    """Whether there is a folder. Raises `MonitorError` as a `Bucket` does."""
    if not is_address(path):
        return os.path.isdir(path)
    address = parse(path)
    return bool(bucket_of(address).names(address.key)) or not address.key


def is_file(path: str) -> bool:
    """Whether there is a file. Raises `MonitorError` as a `Bucket` does."""
    if not is_address(path):
        return os.path.isfile(path)
    address = parse(path)
    return bool(address.key) and bucket_of(address).holds(address.key)


def read(path: str, most: int = MOST_BYTES) -> bytes:
    """A file's content of at most `most` bytes. Raises as `read_bounded`, or as `Bucket.read`."""
    if not is_address(path):
        return read_bounded(path, most)
    address = _object(path)
    return bucket_of(address).read(address.key, most).content


def open_to_read(path: str) -> BinaryIO:
    """A file, to be read piece by piece. Raises as `read`, also while it is read."""
    if not is_address(path):
        return open_regular(path)
    address = _object(path)
    return bucket_of(address).open(address.key)


def is_there(path: str) -> bool:
    """Whether there is a file or a folder. Raises `MonitorError` as a `Bucket` does."""
    return is_file(path) or is_folder(path)


def _object(path: str) -> Address:
    address = parse(path)
    if not address.key:
        raise MonitorError(f"{path} must be an object. Received: a bucket")
    return address


def sizes(path: str) -> dict[str, int]:
    """The bytes of each file below a folder of a store by its name there, or of an object itself under "".

    Raises:
      FileNotFoundError: there is no such object and no such folder.
      MonitorError: as a `Bucket` does, or there are too many objects to look at each.

    """
    address = parse(path)
    found = {_name(entry, address): entry.size for entry in bucket_of(address).tree(address.key, _MOST_FILES)}
    if address.key and not found:
        found = {"": bucket_of(address).size(address.key)}
    return found


def copy_here(source: str, folder: str, leave_out: Callable[[str], bool] = lambda _: False) -> None:
    """Copies a folder of this machine or of a store, with all that is in it, into a folder of this machine.

    Args:
      source: what is copied; it must hold something.
      folder: made where it is missing; what is there already stays beside what is copied.
      leave_out: says of a path below `source`, such as `assets.extra/baseline/manifest.json`, whether it is left out.

    Raises:
      MonitorError: as a `Bucket` does, or the store has an object and a folder of the same name.
      OSError: from the file system, or there is no such folder.

    """
    found = _tree(source)
    if not found:
        raise FileNotFoundError(2, "No such folder", source)
    wanted = {name: bring for name, bring in found.items() if not leave_out(name)}
    _refuse_both(source, wanted)
    for parent in {Path(folder), *(Path(folder, name).parent for name in wanted)}:
        parent.mkdir(parents=True, exist_ok=True)
    at_once(lambda name: wanted[name](Path(folder, name)), wanted)


def copy_tree(source: str, target: str, leave_out: str = "") -> None:
    """Copies a folder of a store, with all that is in it, to a place that is replaced.

    Args:
      source: the folder.
      target: a folder of this machine, or of a store, where nothing is taken away from what is there.
      leave_out: the path in it of what is not copied; "" for nothing.

    Raises:
      MonitorError: there is no such folder, or as `copy_here` and `copy_out`.
      OSError: from the file system.

    """
    if not is_folder(source):
        raise MonitorError(f"{source} must be a folder that is there")
    if is_address(target):
        with tempfile.TemporaryDirectory(prefix="copy-") as here:
            copy_tree(source, here, leave_out)
            copy_out(here, target)
        return
    if os.path.isdir(target):
        shutil.rmtree(target)
    copy_here(source, target, lambda name: bool(leave_out) and f"{name}/".startswith(f"{leave_out}/"))


def copy_out(folder: str, target: str, leave_out: Callable[[str], bool] = lambda _: False) -> None:
    """Copies a folder of this machine, with all that is in it, to a folder of this machine or of a store.

    In a store each object appears whole, and all of them in no order.

    Args:
      folder: what is copied.
      target: where to, see `copy_here` of what is there.
      leave_out: as of `copy_here`.

    Raises:
      MonitorError: as a `Bucket` does, or what is in the store afterwards is not what was copied.
      OSError: from the file system.

    """
    if not is_address(target):
        copy_here(folder, target, leave_out)
        return
    address = parse(target)
    bucket, files = bucket_of(address), {name: path for name, path in local_tree(folder).items() if not leave_out(name)}
    at_once(lambda name: bucket.upload(files[name], below(address.key, name)), files)
    require_whole(bucket, address.key, {name: path.stat().st_size for name, path in files.items()})


def require_whole(bucket: "Bucket", folder: str, sizes: dict[str, int]) -> None:
    """Raises `MonitorError` unless a folder of a store has files of these names, below it, and sizes."""
    there = {entry.key: entry.size for entry in bucket.tree(folder)}
    wrong = [name for name, size in sizes.items() if there.get(below(folder, name)) != size]
    if wrong:
        size = there.get(below(folder, wrong[0]))
        raise MonitorError(
            f"{bucket.at(below(folder, wrong[0]))} must have the {sizes[wrong[0]]} bytes that were uploaded. "
            f"Received: {'no such object' if size is None else f'{size} bytes'}"
        )


def local_tree(folder: str) -> dict[str, Path]:
    """Every file below a folder of this machine, by its path below it with slashes."""
    found = {}
    for parent, _, files in os.walk(folder):
        for name in files:
            path = Path(parent, name)
            found[path.relative_to(folder).as_posix()] = path
    return found


def at_once(job: Callable[[Job], object], of: Iterable[Job]) -> None:
    """Does a job for several things at a time. Raises the first error; what has not begun by then is left undone."""
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        under_way = [threads.submit(job, each) for each in of]
        try:
            for each in under_way:
                each.result()
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise


def below(folder: str, name: str) -> str:
    """The key of what is below a folder, which is "" for the bucket itself."""
    return f"{folder}/{name}" if folder else name


def bucket_of(address: Address) -> "Bucket":
    """The bucket of an address. Raises `MonitorError` where the environment has no credentials for it."""
    from . import bucket  # noqa: PLC0415 - what only reads this machine's files needs no client of stores

    return bucket.bucket_of(address)


def _tree(source: str) -> dict[str, Callable[[Path], object]]:
    """What brings each file below a folder to a path of this machine, by its own path below that folder."""
    if not is_address(source):
        return {name: _copying(path) for name, path in local_tree(source).items()}
    address = parse(source)
    bucket = bucket_of(address)
    entries = bucket.tree(address.key)
    return {_name(entry, address): _downloading(bucket, entry) for entry in entries if entry.key != address.key}


def _copying(path: Path) -> Callable[[Path], object]:
    return lambda target: shutil.copyfile(path, target)


def _downloading(bucket: "Bucket", entry: "Entry") -> Callable[[Path], object]:
    return lambda target: bucket.download(entry, target)


def _name(entry: "Entry", folder: Address) -> str:
    return entry.key[len(folder.key) + 1 :] if folder.key else entry.key


def _refuse_both(source: str, wanted: Collection[str]) -> None:
    folders = {str(parent) for name in wanted for parent in Path(name).parents}
    both = sorted(folders & set(wanted))
    if both:
        raise MonitorError(f"{source} must have no object and folder of one name. Received: {both[0]}")
