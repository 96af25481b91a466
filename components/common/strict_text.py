"""YAML and JSON that somebody else wrote, read strictly and within bounds: every text ends in a value or a sentence.

All settings and records are read here. Both parsers alone leave something to be wished for: a few lines of YAML can
stand for billions of values, both go as deep as the text does, and both know values that the other does not.
"""

import json
import math
import re
from collections.abc import Callable
from typing import Any

import yaml

from .errors import MonitorError

MOST_CHARACTERS = 1 << 20  # of a YAML text: its parser takes seconds for a million
MOST_VALUES = 100_000  # of a YAML text, those that aliases stand for counted each time
MOST_LEVELS = 100  # lists and sections inside each other
MOST_DIGITS = 40  # of a whole number; 64 bits have 20
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")  # as JSON escapes it, or as it is
_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
_TEXT = f"{_TAG}str"
_NUMBERS = (f"{_TAG}int", f"{_TAG}float")
_PLAIN = frozenset({_TEXT, _MERGE, *_NUMBERS, *(_TAG + name for name in ("bool", "null", "seq", "map"))})
_OTHERS = {f"{_TAG}timestamp": "a date", f"{_TAG}binary": "binary data", f"{_TAG}set": "a set", f"{_TAG}value": "`=`"}
_BROKEN = (ValueError, TypeError, KeyError, AttributeError, OverflowError)  # `!!bool maybe` is a KeyError of PyYAML's


class TextError(MonitorError):
    """A text is not what it has to be. The message says the rule and what came, and not whose text it is."""


def parse_json(text: str | bytes, what: str = "") -> Any:
    """The value of a JSON text. `what` begins the message where the text is named.

    Raises:
      TextError: it is no JSON, is nested deeper than `MOST_LEVELS`, or has a whole number of more than `MOST_DIGITS`,
        NaN or an infinity.

    """
    try:
        return _parsed(text)
    except TextError as error:
        raise (TextError(f"{what} {error}") if what else error) from error.__cause__


def parse_yaml(text: str) -> Any:
    """The value of a YAML text of strings, numbers, true, false, null, lists and sections; None for an empty text.

    Raises:
      TextError: it is no YAML, holds any other kind of value (a date, a set, binary data), a section in which a key is
        no text or is there twice, an anchor that holds itself, or more than `MOST_CHARACTERS`, `MOST_VALUES`,
        `MOST_LEVELS` or `MOST_DIGITS` allow.

    """
    return _loaded(text, lambda loader: loader.get_single_data())


def parse_yaml_documents(text: str) -> list[Any]:
    """The value of each document of a YAML text, in order. Raises as `parse_yaml`, whose bounds hold for a document."""

    def documents(loader: "_Loader") -> list[Any]:
        values = []
        while loader.check_node():
            values.append(loader.get_data())
        return values

    return _loaded(text, documents)


def _loaded(text: str, load: "Callable[[_Loader], Any]") -> Any:
    if len(text) > MOST_CHARACTERS:
        raise TextError(f"must have at most {MOST_CHARACTERS:,} characters. Received: {len(text):,}")
    try:
        loader = _Loader(text)
        try:
            return load(loader)
        finally:
            loader.dispose()
    except TextError:
        raise
    except RecursionError as error:
        raise _too_deep() from error
    except (yaml.YAMLError, *_BROKEN) as error:
        raise TextError(f"must be YAML. Received: {_said(error)}") from error


def _parsed(text: str | bytes) -> Any:
    try:
        value = json.loads(text, parse_int=_whole, parse_float=_finite, parse_constant=_finite)
    except RecursionError as error:
        raise _too_deep() from error
    except TextError:
        raise
    except (TypeError, ValueError) as error:
        raise TextError(f"must be JSON. Received: {error}") from error
    _require_shallow(value)
    if _SURROGATE.search(text if isinstance(text, str) else text.decode(errors="replace")):
        _require_unicode(json.dumps(value, ensure_ascii=False))
    return value


def _whole(digits: str) -> int:
    _require_short(digits)
    return int(digits)


def _require_unicode(text: str, where: str = "") -> None:
    """Raises `TextError` for half of a surrogate pair, which an escape can name and nothing can print."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise TextError(f"must be text in Unicode. Received: {error.object[error.start]!a} in it{where}") from error


def _finite(number: str) -> float:
    """JSON has neither NaN nor infinity, and what is held against a bound would pass as such."""
    value = float(number)
    if not math.isfinite(value):
        raise TextError(f"must have finite numbers. Received: {number[:MOST_DIGITS]}")
    return value


def _require_short(number: str, where: str = "") -> None:
    if len(number) > MOST_DIGITS:
        raise TextError(f"must have numbers of at most {MOST_DIGITS} digits. Received: one of {len(number):,}{where}")


def _too_deep(where: str = "") -> TextError:
    return TextError(f"must not be nested deeper than {MOST_LEVELS} levels. Received: more{where}")


def _require_shallow(value: Any) -> None:
    """Raises `TextError` for lists and dictionaries too deep inside each other; needs no stack of its own for it."""
    level: list[Any] = [value]
    for _ in range(MOST_LEVELS):
        level = [
            part
            for each in level
            if isinstance(each, dict | list)
            for part in (each.values() if isinstance(each, dict) else each)
            if isinstance(part, dict | list)
        ]
        if not level:
            return
    raise _too_deep()


class _Loader(yaml.SafeLoader):
    """YAML's safe values without those that JSON has none for; bounded while it reads, before a value is made."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._level = 0
        self._counted: dict[int, tuple[int, int]] = {}  # of a node, by its identity: its values, and its levels

    def get_single_node(self) -> yaml.Node | None:
        return self._counted_node(super().get_single_node())

    def get_node(self) -> yaml.Node | None:
        return self._counted_node(super().get_node())

    def _counted_node(self, node: yaml.Node | None) -> yaml.Node | None:
        self._counted.clear()  # nodes of the document before are gone, and others may have their identities
        if node is not None:
            self._count(node, frozenset())
        return node

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._level += 1
        if self._level > MOST_LEVELS:
            raise _too_deep(_where(self.peek_event()))  # type: ignore[no-untyped-call]
        node: yaml.Node | None = super().compose_node(parent, index)
        self._level -= 1
        return node

    def _count(self, node: yaml.Node, inside: frozenset[int]) -> tuple[int, int]:
        """The values that a node stands for and their levels, once what its aliases name is written out."""
        if id(node) in inside:
            raise TextError(f"must not have an anchor that holds itself. Received: one{_where(node)}")
        if id(node) not in self._counted:  # an alias names what comes before it, so this goes no deeper than the text
            _check_kind(node)
            parts = [self._count(part, inside | {id(node)}) for part in _parts(node)]
            values, levels = 1 + sum(each for each, _ in parts), 1 + max((each for _, each in parts), default=0)
            if values > MOST_VALUES or levels > MOST_LEVELS:
                rule = f"must stand for at most {MOST_VALUES:,} values, nested at most {MOST_LEVELS} levels deep"
                raise TextError(f"{rule}. Received: more, what aliases repeat counted each time{_where(node)}")
            self._counted[id(node)] = values, levels
        return self._counted[id(node)]


def _parts(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _check_kind(node: yaml.Node) -> None:
    if node.tag not in _PLAIN:
        kind = _OTHERS.get(node.tag, f"{node.tag.removeprefix(_TAG)!r}")
        rule = "must be text, numbers, true, false, null, lists and sections; quotes make anything text"
        raise TextError(f"{rule}. Received: {kind}{_where(node)}")
    if node.tag in _NUMBERS:
        _require_short(str(node.value), _where(node))
    if isinstance(node, yaml.ScalarNode):
        _require_unicode(node.value, _where(node))
        if "\0" in node.value:
            raise TextError(f"must not hold the character NUL. Received: one{_where(node)}")
    if isinstance(node, yaml.MappingNode):
        _check_keys(node)


def _check_keys(node: yaml.MappingNode) -> None:
    """Plain YAML silently keeps the last of two values of one key."""
    seen: set[str] = set()
    for key, _ in node.value:
        if key.tag not in (_TEXT, _MERGE):
            raise TextError(f"must have keys that are text; quotes make it text. Received: another{_where(key)}")
        if key.value in seen:
            raise TextError(f"must have each key once. Received: the key {key.value!r} is there twice{_where(key)}")
        seen.add(key.value)


def _said(error: Exception) -> str:
    """In one line: PyYAML uses several, and shows the text as well."""
    if isinstance(error, yaml.MarkedYAMLError):
        return ", ".join(filter(None, (error.context, error.problem))) + _line(error.problem_mark)
    return " ".join(str(error).split()) if isinstance(error, yaml.YAMLError) else f"{type(error).__name__}: {error}"


def _where(place: Any) -> str:
    """`, line 3, column 5` of a node or an event."""
    return _line(place.start_mark)


def _line(mark: Any) -> str:
    return f", line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
