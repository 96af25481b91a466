"""The records of an `Examples` artifact."""

import posixpath
from collections.abc import Iterator
from fnmatch import fnmatchcase

from ..errors import MonitorError, require, require_known
from ..strict_text import parse_json
from .files import Artifact, Files
from .record_files import is_side_file
from .splits import named_splits, split_path

_PAYLOAD = "payload_format"  # of TFX's ExampleGens: what the records are
_TF_EXAMPLE = "FORMAT_TF_EXAMPLE"  # where an artifact says nothing, too
_PATTERNS = "custom_split_pattern"  # of TFX: JSON from the name of a split to its files, below the artifact's folder


def split_records(examples: Artifact, split: str, files: Files) -> Iterator[bytes]:
    """The records of one split, file by file, in the order of their names.

    Raises:
      MonitorError: there is no such split, the records are no tf.Examples, or a file cannot be read.

    """
    payload = str(examples.properties.get(_PAYLOAD) or _TF_EXAMPLE)
    if payload != _TF_EXAMPLE:
        raise MonitorError(f"`examples` must hold tf.Examples ({_TF_EXAMPLE}). Received: {payload}")
    require_known(split, named_splits(examples), "split")
    folder, pattern = posixpath.split(_pattern(examples, split))
    names = [name for name in files.listing(folder) if fnmatchcase(name, pattern) and not is_side_file(name)]
    for name in names:
        yield from files.long_records(posixpath.join(folder, name))


def _pattern(examples: Artifact, split: str) -> str:
    """Where the files of a split are: in its folder, unless the artifact says another pattern."""
    text = examples.properties.get(_PATTERNS)
    if not text:
        return posixpath.join(split_path(examples.uri, split), "*")
    patterns = parse_json(str(text))
    rule = f"be an object with a pattern for split {split!r} in {examples.known_as}"
    require(isinstance(patterns, dict) and isinstance(patterns.get(split), str), _PATTERNS, rule, text)
    return examples.path(patterns[split])
