"""Which spans of logs a folder has, by patterns: `{SPAN}/*`, `{SPAN:2}/*`, `{YYYY}-{MM}-{DD}/*`, `{SPAN}/{VERSION}/*`.

They mean what they mean to TFX's ExampleGens, to which a span is handed on as a pattern and a number. What TFX leaves
to its users is told here: which spans there are at all, and what lies beside them and is none.
"""

import datetime
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .artifacts.record_files import is_side_file
from .errors import MonitorError, require

DEFAULT_PATTERN = "{SPAN}/*"
_FIELD = re.compile(r"\{(?P<name>SPAN|VERSION|YYYY|MM|DD)(?::(?P<width>[^}]*))?\}")
_WIDTHS = {"YYYY": 4, "MM": 2, "DD": 2}
_DATE = tuple(_WIDTHS)
_EPOCH = datetime.date(1970, 1, 1)
_HIDDEN = (".", "_")


def is_hidden(name: str) -> bool:
    """Whether a name beside the spans is left out for how it begins: markers, and what is still being written.

    >>> is_hidden("_SUCCESS"), is_hidden(".writing-lock"), is_hidden("7")
    (True, True, False)
    """
    return name.startswith(_HIDDEN)


@dataclass(frozen=True)
class SpanLogs:
    """One span of logs.

    Attributes:
      span: its number; of a date, the days since 1970-01-01.
      place: its folder below the logs, or where it has none, the first of its files.
      version: the number of its version, the newest; None where the pattern has none.
      pattern: the pattern by which TFX finds it by its number.
      files: its files below the logs, in order.
      side_files: how many files that are no logs, by their names, lie among them.

    """

    span: int
    place: str
    version: int | None
    pattern: str
    files: tuple[str, ...]
    side_files: int = 0


@dataclass(frozen=True)
class LeftOut:
    """Something beside the spans: what it is, and how many logs of a span are in it that nobody reads."""

    place: str
    why: str
    files: int = 0


@dataclass(frozen=True)
class Found:
    """The spans of a folder, ascending, and what else is in it."""

    spans: tuple[SpanLogs, ...]
    left_out: tuple[LeftOut, ...]

    def span(self, number: int) -> SpanLogs | None:
        return next((each for each in self.spans if each.span == number), None)


@dataclass(frozen=True)
class _Match:
    """A file, or a folder without files, that fits a pattern up to some part of it, with what its fields say."""

    place: str
    fields: Mapping[str, str]
    span: int
    files: tuple[str, ...]
    side_files: int


class SpanPattern:
    """A pattern of log files below a folder.

    Raises:
      MonitorError: the pattern has no span and no date, or both, or a field twice, or a width that is none.

    """

    def __init__(self, text: str = DEFAULT_PATTERN) -> None:
        self.text = text
        fields = [found["name"] for found in _FIELD.finditer(text)]
        rule = "have {SPAN} or {YYYY}, {MM} and {DD}, once each, and {VERSION} at most once; no [ or .."
        by_span, by_date = fields.count("SPAN") == 1, all(fields.count(name) == 1 for name in _DATE)
        once = all(fields.count(name) <= 1 for name in fields)
        inside = not text.startswith("/") and ".." not in text.split("/") and not set("[]\\") & set(text)
        alone = by_span != by_date and not (by_span and set(fields) & set(_DATE))
        require(alone and once and inside, "the pattern of logs", rule, text)
        for found in _FIELD.finditer(text):
            width, name = found["width"], found["name"]
            plain = width is None or (name not in _DATE and re.fullmatch("[1-9][0-9]?", width) is not None)
            require(plain, "the pattern of logs", "have widths that are numbers, as {SPAN:2}", text)
        parts = text.split("/")
        last = max(number for number, part in enumerate(parts) if _FIELD.search(part))
        self._parts = [re.compile(_expression(part)) for part in parts[: last + 1]]
        self._rest = [re.compile(_expression(part)) for part in parts[last + 1 :]]

    def find(self, logs: Path) -> Found:
        """The spans of a folder of logs. Raises `OSError` where it cannot be listed."""
        left_out: list[LeftOut] = []
        matches = list(self._matches(logs, left_out))
        by_span: dict[int, list[_Match]] = {}
        for each in matches:
            by_span.setdefault(each.span, []).append(each)
        spans = [self._span(number, by_span[number], left_out) for number in sorted(by_span)]
        return Found(tuple(each for each in spans if each is not None), tuple(left_out))

    @property
    def by_folder(self) -> bool:
        """Whether a span is a folder of files, and not told by a file's own name."""
        return bool(self._rest)

    def span_of(self, place: str) -> int | None:
        """The span that a file is of by its place below the logs; None where it is no log by its names.

        >>> [SpanPattern().span_of(place) for place in ("7/part-0", "7/_SUCCESS", "x/part-0", ".hidden/part-0", "7")]
        [7, None, None, None, None]
        """
        names, parts = place.split("/"), [*self._parts, *self._rest]
        found = [part.fullmatch(name) for part, name in zip(parts, names, strict=False)]
        hidden = any(is_hidden(name) for name in names[: len(self._parts)])
        if len(names) != len(parts) or None in found or hidden or is_side_file(place):
            return None
        fields = {name: value for each in found if each for name, value in each.groupdict().items()}
        try:
            return _number(fields)
        except ValueError:
            return None

    def _matches(self, logs: Path, left_out: list[LeftOut]) -> Iterator[_Match]:
        """What fits the pattern up to its last field; notes what does not."""
        for place, fields in _walk(logs, "", self._parts, left_out, files=not self._rest):
            try:
                span = _number(fields)
            except ValueError:
                left_out.append(LeftOut(place, "no date"))
                continue
            files = list(_files(logs, place, self._rest)) if self._rest else [place]
            shown = tuple(sorted(each for each in files if not is_side_file(each)))
            yield _Match(place, fields, span, shown, len(files) - len(shown))

    def _span(self, span: int, matches: Sequence[_Match], left_out: list[LeftOut]) -> SpanLogs | None:
        """The span of a number: the newest version of the one spelling of it."""
        full = [each for each in matches if each.files]
        left_out += [LeftOut(each.place, "without logs") for each in matches if not each.files]
        if not full:
            return None
        spelt = {each.fields.get("SPAN", "") for each in full}
        chosen = min(spelt, key=lambda text: (len(text), text))
        for each in (each for each in full if each.fields.get("SPAN", "") != chosen):
            left_out.append(LeftOut(each.place, f"the same span as {chosen}", len(each.files)))
        full = [each for each in full if each.fields.get("SPAN", "") == chosen]
        versions = {each.fields["VERSION"] for each in full if "VERSION" in each.fields}
        newest = max(versions, key=lambda text: (int(text), text), default=None)
        taken = [each for each in full if newest is None or each.fields["VERSION"] == newest]
        files = tuple(sorted(file for each in taken for file in each.files))
        place = taken[0].place if self._rest else files[0]
        side_files = sum(each.side_files for each in taken)
        version = None if newest is None else int(newest)
        return SpanLogs(span, place, version, self._for_tfx(span, chosen, newest), files, side_files)

    def _for_tfx(self, span: int, spelt: str, version: str | None) -> str:
        """The pattern by which TFX finds this span by its number: padded as it is spelt, and with its version.

        TFX looks for the newest version itself, and fails where it meets a name there that is none.
        """
        pattern = self.text if version is None else re.sub(r"\{VERSION(:[^}]*)?\}", version, self.text)
        if not spelt or spelt == str(span):
            return pattern
        return re.sub(r"\{SPAN(:[^}]*)?\}", f"{{SPAN:{len(spelt)}}}", pattern)


def pattern_of(text: str, what: str) -> SpanPattern:
    """The pattern that a setting says. Raises `MonitorError` naming the setting."""
    try:
        return SpanPattern(text)
    except MonitorError as error:
        raise MonitorError(str(error).replace("the pattern of logs", what)) from error


def _expression(part: str) -> str:
    """One part of a pattern, between slashes, as a regular expression with a group for each field."""
    done, expression = 0, ""
    for found in _FIELD.finditer(part):
        width = found["width"] or _WIDTHS.get(found["name"])
        digits = f"{{{width}}}" if width else "+"
        expression += f"{_glob(part[done : found.start()])}(?P<{found['name']}>[0-9]{digits})"
        done = found.end()
    return expression + _glob(part[done:])


def _glob(text: str) -> str:
    """A piece of a glob as a regular expression: `*` and `?` within one name, as TFX has them."""
    return "".join({"*": ".*", "?": "."}.get(sign, re.escape(sign)) for sign in text)


def _walk(
    logs: Path, below: str, parts: Sequence[re.Pattern[str]], left_out: list[LeftOut], *, files: bool
) -> Iterator[tuple[str, dict[str, str]]]:
    """Every place below the logs that fits the parts, with its fields, in order of the names."""
    for name, folder in _entries(logs / below):
        place = f"{below}/{name}" if below else name
        found = parts[0].fullmatch(name)
        wanted = not folder if files and len(parts) == 1 else folder
        if is_hidden(name):
            left_out.append(LeftOut(place, "hidden by its name"))
        elif found is None or not wanted:
            left_out.append(LeftOut(place, "no span"))
        elif len(parts) == 1:
            yield place, found.groupdict()
        else:
            for deeper, fields in _walk(logs, place, parts[1:], left_out, files=files):
                yield deeper, {**found.groupdict(), **fields}


def _files(logs: Path, place: str, rest: Sequence[re.Pattern[str]]) -> Iterator[str]:
    """The files below a place that fit the parts behind the last field."""
    for name, folder in _entries(logs / place):
        if rest[0].fullmatch(name):
            if len(rest) > 1 and folder:
                yield from _files(logs, f"{place}/{name}", rest[1:])
            elif len(rest) == 1 and not folder:
                yield f"{place}/{name}"


def _entries(folder: Path) -> Iterable[tuple[str, bool]]:
    """The names in a folder, in order, and whether each is a folder."""
    with os.scandir(folder) as found:
        return sorted((each.name, each.is_dir()) for each in found)


def _number(fields: Mapping[str, str]) -> int:
    """The number of a span, as TFX counts them. Raises `ValueError` for a date that is none."""
    if "SPAN" in fields:
        return int(fields["SPAN"])
    return (datetime.date(*(int(fields[name]) for name in _DATE)) - _EPOCH).days
