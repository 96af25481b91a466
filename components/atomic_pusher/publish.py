"""Publishing a version of a serving folder, or a bundle beside one that is served, all or nothing.

A model server polls the serving folder and loads any new folder whose name is a number. So a version is put together
under a hidden name beside the others, on the same file system, forced to disk, and then renamed: POSIX's rename(2) is
atomic, to other processes and, the folder being synced first, to a crash of the machine. Needs no TFX or TensorFlow.
"""

import errno
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from ..common.baseline_bundle import BUNDLE, MODEL_FILES
from ..common.durable_files import locked, locked_folder, open_to_lock, sync, sync_tree, try_to_take
from ..common.errors import MonitorError, require
from ..common.object_store.address import is_address, refuse_remote
from .version_numbers import next_version

_logger = logging.getLogger(__name__)
STAGING_PREFIX = ".push-"
_LOCK = "lock"
_ENTRY_LOCK = ".push.lock"
_PAYLOAD = "version"
_REPLACED = "replaced"
_ATTEMPTS = 100
# What rename(2) says when the name is taken: by a folder that is not empty, or by a file.
_TAKEN = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)


def publish(
    serving_dir: str,
    fill: Callable[[str], None],
    seal: Callable[[str, int], None],
    clock: Callable[[], float] = time.time,
) -> int:
    """Publishes what `fill` writes as a new version.

    The number is the time in seconds, or one more than the highest there is when the clock is not beyond that. Pushes
    at the same time, from any number of processes on one file system, get a number each. When anything fails before
    the rename nothing is published, and what was staged is removed now or, after a crash, by the next push. Object
    stores cannot rename: see `publish_remote` for how it is done there, where one of two pushes at once wins.

    Args:
      serving_dir: the folder that the model server watches, of this machine or in an object store; made when missing.
      fill: writes the version's content into the folder it is given, which exists and is empty.
      seal: called after `fill` with the folder and the version's number, and again should the number turn out taken.
      clock: seconds since the epoch.

    Returns:
      The version's number.

    Raises:
      MonitorError: if no free number is found, or the highest is the last that there can be.
      OSError: from the file system.

    """
    if is_address(serving_dir):
        from .publish_remote import publish_remote  # noqa: PLC0415 - only then is a client of stores needed

        return publish_remote(serving_dir, fill, seal, clock)
    os.makedirs(serving_dir, exist_ok=True)
    with _staging(serving_dir) as payload:
        fill(payload)
        for _ in range(_ATTEMPTS):
            version = next_version(serving_dir, os.listdir(serving_dir), clock())
            seal(payload, version)
            sync_tree(payload)
            if _rename(payload, os.path.join(serving_dir, str(version))):
                sync(serving_dir)
                return version
    require(False, serving_dir, f"have a free version number within {_ATTEMPTS} attempts", None)
    return 0


def publish_bundle(
    version_dir: str, fill: Callable[[str], None], check: Callable[[str], object], *, replace: bool = False
) -> None:
    """Publishes what `fill` writes as the baseline bundle of a model that is served already.

    The model's files are not touched, and servers do not look where the bundle is. Whoever reads finds no bundle or a
    whole one, whenever this is killed; between the two renames of a replacement there is none.

    Args:
      version_dir: the folder of the SavedModel.
      fill: writes the bundle into the folder it is given, which exists and is empty.
      check: raises if that is no whole bundle; nothing is published then.
      replace: whether a bundle that is there gives way.

    Raises:
      MonitorError: `version_dir` holds no SavedModel, cannot be written to, or has a bundle and `replace` is false.
      OSError: from the file system.

    """
    refuse_remote(version_dir, "version_dir", "Copy the version to this machine, adopt it, and push it again")
    names = os.listdir(version_dir) if os.path.isdir(version_dir) else []
    require(any(name in names for name in MODEL_FILES), version_dir, f"hold a SavedModel ({MODEL_FILES[0]})", names)
    target = os.path.join(version_dir, BUNDLE)
    _refuse_taken(target, replace=replace)
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with _staging(os.path.dirname(target)) as payload:
            fill(payload)
            check(payload)
            sync_tree(payload)
            if replace and os.path.exists(target):
                os.rename(target, os.path.join(os.path.dirname(payload), _REPLACED))  # removed with the staging
            if not _rename(payload, target):
                _refuse_taken(target, replace=False)  # by someone else, meanwhile
            sync(os.path.dirname(target))
    except PermissionError as error:
        raise MonitorError(
            f"{version_dir} must be a folder that can be written to, for the bundle goes into its {BUNDLE}. "
            f"Received: {error}. Adopt a copy of it, or ask whoever owns it"
        ) from error


def _refuse_taken(target: str, *, replace: bool) -> None:
    if os.path.exists(target) and not replace:
        raise MonitorError(f"{target} is there already. Say `replace` to put another bundle in its place")


def _rename(source: str, target: str) -> bool:
    """Renames a folder; False when the name has been taken meanwhile."""
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        raise
    return True


@contextmanager
def _staging(serving_dir: str) -> Iterator[str]:
    """An empty folder to put a version together in, gone afterwards if it is still there.

    The lock is held as long as this process lives, which is how the next push knows whose staging is abandoned. It
    lies beside the payload, not in it, so that it is not published.
    """
    with ExitStack() as stack:
        with locked_folder(serving_dir, _ENTRY_LOCK):
            # One push at a time gets here, so none can take another's staging, not locked yet, for an abandoned one.
            _remove_abandoned(serving_dir)
            staging = tempfile.mkdtemp(prefix=STAGING_PREFIX, dir=serving_dir)
            stack.enter_context(locked(os.path.join(staging, _LOCK)))
            # Undone in reverse: removed while still locked. What cannot be removed is left to the next push.
            stack.callback(shutil.rmtree, staging, ignore_errors=True)
        payload = os.path.join(staging, _PAYLOAD)
        os.mkdir(payload)  # not mkdtemp, whose folders only their owner can read: the server may be another user
        yield payload


def _remove_abandoned(serving_dir: str) -> None:
    for name in os.listdir(serving_dir):
        staging = os.path.join(serving_dir, name)
        if not name.startswith(STAGING_PREFIX) or os.path.islink(staging) or not os.path.isdir(staging):
            continue
        if not _is_locked(os.path.join(staging, _LOCK)):
            # Errors are no reason not to push: it may be another user's, or another process may be removing it too.
            shutil.rmtree(staging, ignore_errors=True)


def _is_locked(path: str) -> bool:
    """Whether a process holds the lock, or, where another user's file does not let us ask, may hold it."""
    try:
        with os.fdopen(open_to_lock(path, make=False)) as file:
            return not try_to_take(file.fileno())
    except FileNotFoundError:  # killed before it was locked or while it was removed
        return False
    except OSError as error:
        _logger.warning("%s is left alone: %s", path, error)
        return True
