"""Paths that TFX and Beam join with patterns: a character that a pattern gives a meaning would name other files."""

import glob
import os
from pathlib import Path

from .errors import MonitorError

_RULE = "have none of the characters `[`, `*` and `?`, which mean something else in TFX's patterns of files"


def broken_rule_of_path(path: str | Path) -> str:
    """The rule for paths that such a path breaks once it is absolute, for behind "must"; "" for a good one.

    >>> broken_rule_of_path("/srv/runs/x"), broken_rule_of_path("/srv/runs [1]/x")[:26]
    ('', 'have none of the character')
    """
    given = str(path)
    if glob.has_magic(given):
        return _RULE
    whole = given if "://" in given else os.path.abspath(given)
    return f"{_RULE}; it is {whole}" if glob.has_magic(whole) else ""


def require_plain(path: str | Path, what: str) -> None:
    """Raises `MonitorError`, in which `what` names the path, unless TFX takes every character of it as it is."""
    if rule := broken_rule_of_path(path):
        raise MonitorError(f"`{what}` must {rule}. Received: {str(path)!r}")
