"""Folders that an object store has lost on the way, or has given back as something else.

It knows objects and no folders: an empty folder leaves nothing behind, or an object of no bytes in its place, which
comes back as an empty file.
"""

import os
import re

from components.common.artifacts.names import PAIR_PREFIX, SPLIT_PREFIX

# What TFX and TensorFlow call folders. A file of no bytes of such a name never is one of theirs.
_FOLDERS = re.compile(rf"assets|assets\.extra|variables|(Format-|{SPLIT_PREFIX}|{PAIR_PREFIX}).*", re.DOTALL)


def restore(folder: str, splits: list[str]) -> None:
    """Makes an artifact's folder and those of its splits, where they are missing, and folders of what stands for them.

    Args:
      folder: of the artifact, on this machine.
      splits: that the artifact is said to have.

    """
    _make(folder)
    for split in splits:
        _make(os.path.join(folder, f"{SPLIT_PREFIX}{split}"))
    for parent, _, names in os.walk(folder):
        for name in names:
            if _FOLDERS.fullmatch(name):
                _make(os.path.join(parent, name))


def _make(path: str) -> None:
    if _is_empty_file(path):
        os.unlink(path)
    if not os.path.lexists(path):
        os.makedirs(path)


def _is_empty_file(path: str) -> bool:
    return os.path.isfile(path) and not os.path.islink(path) and os.path.getsize(path) == 0
