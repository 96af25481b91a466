"""The records of an `Examples` artifact."""

import os
import posixpath
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from ..errors import MonitorError, require, require_known
from ..strict_text import parse_json
from .files import Artifact, Files
from .record_files import choose
from .splits import named_splits, split_path

_PAYLOAD = "payload_format"  # of TFX's ExampleGens: what the records are
_TF_EXAMPLE = "FORMAT_TF_EXAMPLE"  # where an artifact says nothing, too
_PATTERNS = "custom_split_pattern"  # of TFX: JSON from the name of a split to its files, below the artifact's folder


def split_records(examples: Artifact, split: str, files: Files) -> Iterator[bytes]:
    """The records of one split, file by file, in the order of their names.

    Raises:
      MonitorError: as `split_paths`, or a file cannot be read.

    """
    for path in split_paths(examples, split, files):
        yield from files.long_records(path)


def split_paths(examples: Artifact, split: str, files: Files) -> list[str]:
    """The files of one split, in the order of their names.

    Raises:
      MonitorError: there is no such split, the records are no tf.Examples, or something in it is no file.

    """
    payload = str(examples.properties.get(_PAYLOAD) or _TF_EXAMPLE)
    if payload != _TF_EXAMPLE:
        raise MonitorError(f"`examples` must hold tf.Examples ({_TF_EXAMPLE}). Received: {payload}")
    require_known(split, named_splits(examples), "split")
    folder, pattern = posixpath.split(_pattern(examples, split))
    names = [name for name in files.listing(folder) if fnmatchcase(name, pattern)]
    return only_files((posixpath.join(folder, name) for name in names), split)


def only_files(paths: Iterable[str], split: str) -> list[str]:
    """What of a split are its files. Folders, which killed writers leave behind, and side files are not among them.

    Raises:
      MonitorError: something is neither.

    """
    chosen = choose(paths, links_out=True)
    for path, reason in chosen.refused.items():
        if not os.path.isdir(path):
            raise MonitorError(f"{path} must be a file of split {split!r} that can be read. Received: {reason}")
    return chosen.files


def _pattern(examples: Artifact, split: str) -> str:
    """Where the files of a split are: in its folder, unless the artifact says another pattern."""
    text = examples.properties.get(_PATTERNS)
    if not text:
        return posixpath.join(split_path(examples.uri, split), "*")
    patterns = parse_json(str(text))
    rule = f"be an object with a pattern for split {split!r} in {examples.known_as}"
    require(isinstance(patterns, dict) and isinstance(patterns.get(split), str), _PATTERNS, rule, text)
    return examples.path(patterns[split])
