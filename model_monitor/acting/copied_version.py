"""A pushed version under a new number, its bundle changed or as it was: all or nothing, as a push is."""

import dataclasses
import datetime
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from components.atomic_pusher.publish import STAGING_PREFIX, publish
from components.common import baseline_bundle
from components.common.baseline_bundle import BUNDLE, MANIFEST_FILE, Bundle, Manifest
from components.common.errors import MonitorError
from components.common.object_store.address import is_address
from components.common.object_store.places import copy_here

LEFTOVERS = shutil.ignore_patterns(f"{STAGING_PREFIX}*", ".push.lock")


def publish_copy(
    serving_dir: str,
    of: Bundle,
    newest: Bundle,
    clock: Callable[[], float] = time.time,
    change: Callable[[Path], dict[str, Any]] = lambda _bundle: {},
) -> int:
    """Publishes the content of a version as the newest.

    Args:
      serving_dir: the folder of versions, of this machine or of an object store.
      of: the version to copy.
      newest: the newest version as it was looked at: should there be another by now, nothing is published.
      clock: seconds since the epoch, which becomes the number where none is higher.
      change: changes the bundle in the folder that it is given, and says what its manifest says of that.

    Returns:
      The number of the new version.

    Raises:
      MonitorError: another version was pushed meanwhile; or as `publish`.
      OSError: from the file system. Nothing is published then.

    """
    said: dict[str, Any] = {}

    def fill(payload: str) -> None:
        copy_version(of.version_dir, payload)
        said.update(change(Path(payload, BUNDLE)))

    def seal(payload: str, number: int) -> None:
        _refuse_newer(serving_dir, newest)
        write_manifest(Path(payload, BUNDLE), of.manifest, model_version=number, copied_from=of.version_dir, **said)
        baseline_bundle.read(payload)  # what cannot be read back must not be published

    return publish(serving_dir, fill, seal, clock)


def copy_version(version_dir: str, folder: str) -> None:
    """Copies what a version holds, without what killed pushes have left in it, into a folder of this machine."""
    if is_address(version_dir):
        copy_here(version_dir, folder)
    else:
        shutil.copytree(version_dir, folder, dirs_exist_ok=True, ignore=LEFTOVERS)


def write_manifest(bundle: Path, manifest: Manifest, **changes: Any) -> None:
    """Writes a manifest with changes, made now, into the folder of a bundle."""
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    changed = dataclasses.replace(manifest, pushed_at=now, **changes)
    (bundle / MANIFEST_FILE).write_text(changed.to_json(), encoding="utf-8")


def _refuse_newer(serving_dir: str, newest: Bundle) -> None:
    last = baseline_bundle.versions(serving_dir)[-1]
    if last != newest.version_dir:
        raise MonitorError(
            f"{last} was pushed meanwhile, and nobody has looked at it: nothing was published. Run the command again "
            "if it is to give way too"
        )
