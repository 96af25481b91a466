"""An earlier pushed version becomes the newest again: its content under a new number, in one rename.

A model server loads the version with the largest number, so the way back is a new version and not a deletion: servers
take it up as they take up any push, whoever reads sees a whole version or none, and what was served in between stays
where it can be looked into. The next push is judged against it, as against any newest version.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.common import baseline_bundle
from components.common.baseline_bundle import Bundle
from components.common.errors import MonitorError, nearest
from components.common.object_store import places

from .copied_version import publish_copy

_SHOWN = 5  # versions that a message names


@dataclass(frozen=True)
class RolledBack:
    """What came of it.

    Attributes:
      version: the number of the new version.
      folder: its folder.
      of: the bundle of the version whose content it has.
      replaced: the bundle of the version that was the newest before.

    """

    version: int
    folder: str
    of: Bundle
    replaced: Bundle


def choose(serving_dir: str, version: str = "") -> tuple[Bundle, Bundle]:
    """The version to go back to, and the newest, which gives way.

    Args:
      serving_dir: the folder of versions that servers watch, of this machine or of an object store.
      version: the number of the one to go back to; "": the last one that was pushed before what is served now was. A
        version that was itself rolled back to counts as what it is a copy of, so that going back twice goes further
        back, and never forth.

    Raises:
      MonitorError: there is no such version, it was not pushed with a bundle, or it is the newest already.

    """
    folders = baseline_bundle.versions(serving_dir)
    if not folders:
        raise MonitorError(f"`serving_dir` must hold pushed versions. Received: {serving_dir!r}, which has none")
    newest = baseline_bundle.read(folders[-1])
    earlier = {Path(folder).name: folder for folder in folders[:-1]}
    if not version:
        return _before(newest, folders), newest
    if version == Path(folders[-1]).name:
        raise MonitorError(f"Version {version} is the newest in {serving_dir} already: it is what is served")
    if version not in earlier:
        known = ", ".join(list(earlier)[-_SHOWN:]) or "none"
        raise MonitorError(
            f"`VERSION` must be one of the earlier versions in {serving_dir}{nearest(version, list(earlier))}. "
            f"The last of them: {known}. Received: {version!r}"
        )
    return baseline_bundle.read(earlier[version]), newest


def roll_back(serving_dir: str, target: Bundle, replaced: Bundle, clock: Callable[[], float] = time.time) -> RolledBack:
    """Publishes the content of a version as the newest, all or nothing.

    Args:
      serving_dir: the folder of versions.
      target: the version to go back to.
      replaced: the newest version, as `choose` gave it.
      clock: seconds since the epoch, which becomes the number where none is higher.

    Raises:
      MonitorError: another version was pushed since `choose`; or as `publish`.
      OSError: from the file system. Nothing is published then.

    """
    number = publish_copy(serving_dir, target, replaced, clock)
    return RolledBack(number, os.path.join(serving_dir, str(number)), target, replaced)


def origin(bundle: Bundle) -> str:
    """The folder of the version that was pushed with a bundle's content: its own, or that which it is a copy of."""
    seen: list[str] = []
    while (before := bundle.manifest.copied_from) is not None and before not in seen:
        seen.append(before)
        if not places.is_folder(before):
            return before
        bundle = baseline_bundle.read(before)
    return bundle.version_dir


def _with_its_reference(pushed: Bundle, newest: Bundle, folders: Sequence[str]) -> Bundle:
    """A version, or its last copy before the newest where that has another reference, which is gone back to as well."""
    for folder in reversed(folders[folders.index(pushed.version_dir) + 1 :]):
        try:
            copy = baseline_bundle.read(folder)
        except MonitorError:
            continue  # what has no whole bundle is no copy
        if folder != newest.version_dir and origin(copy) == pushed.version_dir:
            return copy if copy.manifest.reference != pushed.manifest.reference else pushed
    return pushed


def _before(newest: Bundle, folders: Sequence[str]) -> Bundle:
    """The last version pushed before the one whose content is served now; copies are none."""
    served = baseline_bundle.version_of(origin(newest))
    older = [folder for folder in folders if baseline_bundle.version_of(folder) < served]
    for folder in reversed(older):
        bundle = baseline_bundle.read(folder)
        if bundle.manifest.copied_from is None:
            return _with_its_reference(bundle, newest, folders)
    folder, number = os.path.split(newest.version_dir)
    raise MonitorError(
        f"There is no version before {number} in {folder} to go back to"
        + (f": it is version {served} again" if newest.manifest.copied_from else "")
    )
