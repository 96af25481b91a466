"""Downloads of single files that are resumable, verified and atomic. Standard library only."""

import hashlib
import http.client
import os
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from components.common.bounded_files import in_words
from components.common.durable_files import try_to_take
from components.common.errors import MonitorError, require

from .deadline import Deadline

# Called with the bytes that are on disk so far and the size of the whole file, or None where the server does not say.
Progress = Callable[[int, int | None], None]

_BLOCK = 1 << 18
_LENGTH = re.compile(r"[0-9]{1,18}")
_MAX_CUTS = 10  # connections that broke after they delivered something, within one call
_NETWORK_ERRORS = (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError, ssl.SSLError)


def cache_folder() -> Path:
    """Where downloads are kept that belong to no checkout: `tfx-model-monitor` in the user's cache (XDG_CACHE_HOME)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tfx-model-monitor"


@dataclass(frozen=True)
class Limits:
    """What a download may take: bytes, and seconds in all."""

    most_bytes: int = 1 << 30
    seconds: float = 3600.0


NO_MORE_THAN = Limits()


class _CutConnectionError(Exception):
    """The connection ended before the whole file was here. What arrived is in the `.part` file."""


def download(  # noqa: PLR0913 - all but the first two are optional keywords
    url: str,
    destination: Path,
    *,
    sha256: str | None = None,
    md5: str | None = None,
    progress: Progress | None = None,
    timeout: float = 30.0,
    limits: Limits = NO_MORE_THAN,
) -> Path:
    """Brings `url` to `destination`, checked against its digest, and returns `destination`.

    The bytes gather in `<destination>.part`, are verified there and renamed into place, so `destination` is never half
    written. A `.part` left by an earlier call is continued with an HTTP Range request; a server that ignores Range
    makes the download start over. A connection that breaks half way is taken up again; one that cannot be made is an
    error at once. A `.part` with the wrong digest is removed. A `destination` that has the right digest is not fetched
    again. What is too large or takes too long is given up: a `.part` beyond the size is removed, one that was only slow
    is kept.

    Args:
      url: an http or https address.
      destination: the file to write; its folder is created.
      sha256: the expected SHA-256 in hexadecimal. Exactly one of `sha256` and `md5` is needed.
      md5: the expected MD5 in hexadecimal, for publishers that give nothing better.
      progress: called after every block with (bytes so far, bytes in all or None).
      timeout: seconds without any answer from the server after which the connection is given up.
      limits: of the whole, however many connections it takes.

    Raises:
      MonitorError: the file cannot be had, is larger or takes longer than `limits` allow, is not what the digest says,
        cannot be written, or another process is downloading to the same place. The message names the address and the
        reason.

    """
    require(url.startswith(("http://", "https://")), "url", "begin with http:// or https://", url)
    algorithm, digest = _expected(sha256, md5)
    if destination.is_file() and file_digest(destination, algorithm) == digest:
        return destination
    part = destination.with_name(destination.name + ".part")
    deadline = Deadline(limits.seconds)
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        with part.open("ab") as file:
            _lock(file, part)
            try:
                transfer = _Transfer(url, file, progress or _no_progress, timeout, limits.most_bytes, deadline)
                with deadline.watching():
                    _fill_verified(transfer, (algorithm, digest))
                os.replace(part, destination)
            finally:
                if _size(file) == 0:
                    part.unlink()
    except _NETWORK_ERRORS as error:
        reason = _too_long(deadline) if deadline.passed else _reason(error)
        raise MonitorError(f"{url} could not be downloaded: {reason}") from error
    except OSError as error:
        raise MonitorError(f"{url} could not be written to {destination}: {error}") from error
    return destination


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """The digest of a file's contents in lower-case hexadecimal; `algorithm` is a name that `hashlib` knows."""
    state = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            state.update(block)
    return state.hexdigest()


def _expected(sha256: str | None, md5: str | None) -> tuple[str, str]:
    given = {name: value for name, value in (("sha256", sha256), ("md5", md5)) if value is not None}
    require(len(given) == 1, "sha256, md5", "be given, exactly one of the two", given)
    ((algorithm, digest),) = given.items()
    length = 2 * hashlib.new(algorithm, usedforsecurity=False).digest_size
    require(re.fullmatch(rf"[0-9a-fA-F]{{{length}}}", digest) is not None, algorithm, f"be {length} hex digits", digest)
    return algorithm, digest.lower()


def _lock(file: IO[bytes], part: Path) -> None:
    """Makes this process the only one that writes `file`, which must still be the one called `part`."""
    message = f"{part} is being written by another download. Wait for it, or end it."
    if not try_to_take(file.fileno()):
        raise MonitorError(message)
    # between opening and locking, the other download may have finished and renamed the very file we opened
    if not part.exists() or not os.path.samestat(part.stat(), os.fstat(file.fileno())):
        raise MonitorError(message)


@dataclass(frozen=True)
class _Transfer:
    """What fills a `.part`: from where, into what, and within which bounds."""

    url: str
    file: IO[bytes]
    progress: Progress
    timeout: float
    most_bytes: int
    deadline: Deadline

    @property
    def size(self) -> int:
        return _size(self.file)

    def require_size(self, size: int | None, what: str) -> None:
        """Raises `MonitorError` for more bytes than there may be, and gives up those that came: they are of no file."""
        if size is not None and size > self.most_bytes:
            self.file.truncate(0)  # an empty file is removed by download()
            rule = f"the file must have at most {in_words(self.most_bytes)}"
            raise MonitorError(f"{self.url} could not be downloaded: {rule}. Received: {what}")


def _fill_verified(transfer: _Transfer, expected: tuple[str, str]) -> None:
    """Fills the file until its digest is right; starts over once where a continued file turns out wrong."""
    algorithm, digest = expected
    part = Path(transfer.file.name)
    resumed = transfer.size > 0
    try:
        _fill(transfer)
    except _CutConnectionError as error:
        reason = _too_long(transfer.deadline) if transfer.deadline.passed else str(error)
        kept = f" What arrived is kept in {part}." if transfer.size else ""
        raise MonitorError(f"{transfer.url} could not be downloaded: {reason}.{kept}") from error
    found = file_digest(part, algorithm)
    if found == digest:
        return
    transfer.file.truncate(0)
    if resumed:  # what an earlier call left may be of another version of the file
        _fill_verified(transfer, expected)
        return
    raise MonitorError(f"{transfer.url} is not the expected file: its {algorithm} must be {digest}. Received: {found}")


def _fill(transfer: _Transfer) -> None:
    """Appends what is missing, connecting again after a cut as long as each connection brings something."""
    for cuts in range(_MAX_CUTS + 1):
        before = transfer.size
        try:
            _receive(transfer)
            return
        except _CutConnectionError:
            if cuts == _MAX_CUTS or transfer.size <= before or transfer.deadline.passed:
                raise


def _receive(transfer: _Transfer) -> None:
    """One connection: asks for what comes after the bytes in the file, and appends it."""
    have = transfer.size
    headers = {"User-Agent": "model-monitor", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(transfer.url, headers=headers)  # noqa: S310 - download() admits http and https only
    try:
        response = transfer.deadline.opener().open(request, timeout=transfer.timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            return  # nothing comes after what we have: the digest decides whether it is the file
        raise
    with response:
        if have and _range_start(response) != have:
            transfer.file.truncate(0)
            if response.status == http.HTTPStatus.PARTIAL_CONTENT:
                raise _CutConnectionError("the server sent another range than was asked for")
        _append(response, transfer)


def _append(response: http.client.HTTPResponse, transfer: _Transfer) -> None:
    length = response.headers.get("Content-Length", "")
    total = transfer.size + int(length) if _LENGTH.fullmatch(length) else None
    transfer.require_size(total, f"one that is said to have {in_words(total or 0)}")
    try:
        # read1 gives what there is; read(n) would wait for all n
        while block := response.read1(_BLOCK):
            transfer.file.write(block)
            transfer.require_size(transfer.size, "more")
            transfer.progress(transfer.size, total)
    except _NETWORK_ERRORS as error:
        raise _CutConnectionError(f"the connection broke after {transfer.size} bytes ({_reason(error)})") from error
    finally:
        transfer.file.flush()
        os.fsync(transfer.file.fileno())
    # http.client does not complain when the body ends early
    if transfer.deadline.passed or (total is not None and transfer.size < total):
        raise _CutConnectionError(f"the connection ended after {transfer.size} of {total} bytes")


def _too_long(deadline: Deadline) -> str:
    return f"it must be here within {deadline.seconds:g} s. Received: not all by then"


def _range_start(response: http.client.HTTPResponse) -> int | None:
    """The first byte of a partial answer, None when the server sends the file from its beginning."""
    if response.status != http.HTTPStatus.PARTIAL_CONTENT:
        return None
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def _size(file: IO[bytes]) -> int:
    return file.seek(0, os.SEEK_END)


def _reason(error: BaseException) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return str(error.reason)
    return str(error) or type(error).__name__


def _no_progress(done: int, total: int | None) -> None:
    """For callers who do not watch."""
