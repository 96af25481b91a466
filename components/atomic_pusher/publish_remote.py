"""Publishing a version of a serving folder in an object store, where nothing can be renamed.

A server loads a version once `saved_model.pb` is in its folder. So that comes last, and whether it may come is decided
by one object that is written with a precondition, the pointer:

1. The number is claimed, by an object that only one push can create.
2. All but `saved_model.pb` is uploaded into `<number>/`; that waits beside it, where no server looks.
3. The pointer is written: this version is the next. The precondition is that nobody has pushed since this push began;
   of two at once one wins, and the other removes what it has uploaded and says so.
4. `saved_model.pb` is copied into the version, within the store and in one request: servers see a whole version.
5. The pointer is written again: this version is the newest. Then what killed pushes have left is removed.

A push that is killed before 3 leaves a folder that is no version, and one that is killed between 3 and 5 a version that
is decided on: the next push puts its `saved_model.pb` in place before it decides on its own. What a push does after 3
comes to the same whoever does it, and however often; so a push that is slow and not dead can do no harm either.
"""

import logging
import secrets
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

from ..common.baseline_bundle import MODEL_FILES
from ..common.errors import MonitorError, require
from ..common.object_store.address import parse
from ..common.object_store.places import at_once, local_tree, require_whole
from .remote_folder import Pointer, RemoteFolder, main_files

_logger = logging.getLogger(__name__)
_ATTEMPTS = 20  # to write the pointer, each of which means that somebody else has written it meanwhile


class LostError(MonitorError):
    """Another push has won."""


def publish_remote(
    serving_dir: str,
    fill: Callable[[str], None],
    seal: Callable[[str, int], None],
    clock: Callable[[], float] = time.time,
) -> int:
    """Publishes what `fill` writes as a new version in a store; see `publish.publish`, whose arguments these are.

    Returns:
      The version's number.

    Raises:
      MonitorError: what was put together holds no SavedModel; the store cannot be reached, has no such bucket, refuses,
        or does not heed preconditions; or another push has won meanwhile. The message says so where the version may be
        served in the end.
      OSError: from the file system of this machine.

    """
    folder, push = RemoteFolder(parse(serving_dir, "serving_dir")), secrets.token_hex(8)
    seen, _ = folder.pointer()
    with tempfile.TemporaryDirectory(prefix="push-") as payload:
        fill(payload)
        number = folder.claim(push, clock, seen)
        try:
            folder.require_preconditions(number)
            seal(payload, number)
            _upload(folder, number, payload)
        except BaseException as error:
            _give_up(folder, number)
            if isinstance(error, MonitorError):
                _refuse_lost(folder, seen, error)  # whoever has won removes what others have uploaded
            raise
    _decide(folder, number, push, seen)
    _finish(folder, number, push)
    return number


def _upload(folder: RemoteFolder, number: int, payload: str) -> None:
    """Uploads a version without that by which servers see it, which waits elsewhere, and checks what has arrived."""
    files = local_tree(payload)
    last = main_files(files)
    require(bool(last), "what is pushed", f"hold a SavedModel ({' or '.join(MODEL_FILES)})", sorted(files))
    keys = {
        name: folder.waiting_key(number, name) if name in last else folder.version_key(number, name) for name in files
    }
    at_once(lambda name: folder.bucket.upload(files[name], keys[name]), files)
    for waits, key in ((False, folder.version_key(number, "")), (True, folder.waiting_key(number, ""))):
        sizes = {name: _size(path) for name, path in files.items() if (name in last) == waits}
        require_whole(folder.bucket, key.rstrip("/"), sizes)


def _size(path: Path) -> int:
    return path.stat().st_size


def _decide(folder: RemoteFolder, number: int, push: str, seen: Pointer) -> None:
    """Makes a version the next, unless there was another push since the pointer was `seen`."""
    try:
        for _ in range(_ATTEMPTS):
            current, state = folder.pointer()
            if current.push == push:
                return
            if current.push != seen.push:
                raise LostError(_lost(folder, current))
            if folder.point(Pointer(_newest(folder, current), number, push, _now()), state):
                return
        raise LostError(
            f"{folder.address} is pushed to all the time. Nothing of this push is served: make it again later"
        )
    except LostError:
        # A write whose answer got lost may have won, and whoever has pushed since has made the version whole first.
        if folder.is_whole(number):
            return
        _give_up(folder, number)
        raise
    except MonitorError as error:
        raise MonitorError(
            f"{error}. Whether version {number} was decided on is not known; the next push removes or finishes it"
        ) from error


def _refuse_lost(folder: RemoteFolder, seen: Pointer, error: MonitorError) -> None:
    """Raises `LostError` where another push has won, which is then why this one has failed."""
    try:
        current, _ = folder.pointer()
    except MonitorError:
        return
    if current.push != seen.push:
        raise LostError(_lost(folder, current)) from error


def _lost(folder: RemoteFolder, current: Pointer) -> str:
    return (
        f"{folder.address} was pushed to by somebody else meanwhile: version {current.next or current.version} is the "
        "newest, and this model was not judged against it. Nothing of this push is served. Run the pipeline again"
    )


def _newest(folder: RemoteFolder, pointer: Pointer) -> int | None:
    """The newest version by the pointer, which is made whole where its push did not come to that."""
    if pointer.next is None:
        return pointer.version
    if folder.complete(pointer.next):
        return pointer.next
    _logger.warning("%s: version %s was decided on, and nothing of it is left", folder.address, pointer.next)
    return pointer.version


def _finish(folder: RemoteFolder, number: int, push: str) -> None:
    """Has servers see a version that is decided on."""
    try:
        whole = folder.complete(number)
    except MonitorError as error:
        raise MonitorError(
            f"{error}. Version {number} is uploaded and not served yet; the next push does that"
        ) from error
    require(whole, f"{folder.address}/{number}", "keep what was uploaded, which somebody has removed", None)
    try:
        current, state = folder.pointer()
        if current.push == push and current.next is not None:
            # Where that fails somebody has pushed since, and has written this version's number first.
            folder.point(Pointer(number, None, push, _now()), state)
        _clean_up(folder, number)
    except MonitorError as error:  # it is served, and the next push does the rest
        _logger.warning(
            "%s: version %s is pushed, and what is left of pushes is not removed: %s", folder.address, number, error
        )


def _clean_up(folder: RemoteFolder, number: int) -> None:
    """Removes what pushes have left that cannot win any more: all that have lower numbers than one that has won.

    A push that has begun since has a higher one. Of those that began before, the pointer's precondition fails.
    """
    for claimed in folder.claimed():
        if claimed < number and not folder.is_whole(claimed):
            folder.remove(claimed)
        elif claimed <= number:
            folder.forget(claimed)


def _give_up(folder: RemoteFolder, number: int) -> None:
    """Removes what was uploaded of a version, as far as the store lets us; else the next push does."""
    try:
        folder.remove(number)
    except MonitorError as error:
        _logger.warning(
            "%s: what was uploaded of version %s is left to the next push: %s", folder.address, number, error
        )


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
