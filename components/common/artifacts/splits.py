"""The splits of an artifact: which there are, and the folder of each."""

from ..errors import MonitorError, require
from ..strict_text import parse_json
from .files import Artifact, Files
from .names import PAIR_PREFIX, SPLIT_PREFIX

WHOLE = "all examples"  # the one split of an artifact without any, such as the statistics of Transform


def split_path(uri: str, split: str) -> str:
    """The folder of a split of an artifact.

    >>> split_path("/runs/7", "eval")
    '/runs/7/Split-eval'
    """
    return f"{uri}/{SPLIT_PREFIX}{split}"


def split_folders(artifact: Artifact, files: Files) -> dict[str, str]:
    """Where each split is: those that an artifact names, then those that it has a folder for without naming them.

    An artifact without splits is all in its own folder, as `WHOLE`.

    Raises:
      MonitorError: the artifact's `split_names` are no names, or nothing can be known of its splits.

    """
    named = named_splits(artifact)
    try:
        present = files.listing(artifact.uri)
    except MonitorError:
        if not named:
            raise
        present = []  # reading a split says why it cannot be read
    found = {split: split_path(artifact.uri, split) for split in named}
    for prefix in (SPLIT_PREFIX, PAIR_PREFIX):
        found |= {name[len(prefix) :]: artifact.path(name) for name in present if name.startswith(prefix)}
    return found or {WHOLE: artifact.uri}


def named_splits(artifact: Artifact) -> list[str]:
    """The splits that an artifact says it has. Raises `MonitorError` where it does not say it in names."""
    text = str(artifact.properties.get("split_names") or "[]")
    rule = f"be a JSON list of names in {artifact.known_as}"
    try:
        named = parse_json(text)
    except ValueError as error:
        raise MonitorError(f"`split_names` must {rule}. Received: {text[:60]!r}") from error
    if named is None:
        return []
    require(isinstance(named, list) and all(isinstance(name, str) for name in named), "split_names", rule, text[:60])
    return list(dict.fromkeys(named))


def split_folder(artifact: Artifact, split: str, files: Files, what: str = "split") -> str:
    """The folder of one split. Raises `MonitorError`, in which `what` names the split, when there is none."""
    folders = split_folders(artifact, files)
    require(split in folders, what, f"be one of {', '.join(folders)} of {artifact.known_as}", split)
    return folders[split]


def only_split_folder(artifact: Artifact, wanted: str, files: Files) -> str:
    """The folder of the only split that there is, else of the one that is wanted."""
    folders = split_folders(artifact, files)
    return next(iter(folders.values())) if len(folders) == 1 else split_folder(artifact, wanted, files)
