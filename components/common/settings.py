"""Files of settings: YAML read strictly, checked by pydantic, with errors that name file, key, rule and value."""

import json
import re
import reprlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from .bounded_files import read_bounded
from .errors import MonitorError, nearest, require
from .strict_text import MOST_CHARACTERS, TextError, parse_json, parse_yaml

_REPR = reprlib.Repr()  # a thousand class names would bury the rule that one of them breaks
_REPR.maxstring = _REPR.maxother = 200
_REPR.maxlist = _REPR.maxtuple = _REPR.maxdict = 12


# The type of an error about what may be a secret, which is not to be shown.
SECRET_ERROR = "secret"  # noqa: S105 - a name
Made = TypeVar("Made", bound="Described")


class Section(BaseModel):
    """Base of all settings: unknown keys are refused, nothing is converted, nothing changes once it is read.

    Numbers are finite: NaN lies within no bounds and yet is above none, and nothing can be spread up to infinity.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
    secretive: ClassVar[bool] = False  # whether errors show nothing of what was received: it may be a secret


class Described(Section):
    """What travels as JSON and is written as YAML."""

    model_config = ConfigDict(arbitrary_types_allowed=True, validate_default=True)

    def to_json(self) -> str:
        """One line of JSON, the same for equal specs."""
        return json.dumps(self.to_record(), ensure_ascii=False)

    def to_record(self) -> dict[str, Any]:
        """Strings, numbers, lists and dictionaries, without the keys that are null."""
        return self.model_dump(mode="json", exclude_none=True)

    def to_yaml(self) -> str:
        """A file for people, which `load` reads: a section a key, without the keys that are null."""
        return yaml.safe_dump(self.to_record(), sort_keys=False, allow_unicode=True, default_flow_style=None, width=100)

    @classmethod
    def from_json(cls: type[Made], text: str, source: str = "the model spec") -> Made:
        """Reads what `to_json` wrote.

        Args:
          text: the JSON.
          source: where it comes from, for messages.

        Raises:
          MonitorError: naming `source`, key, rule and what was received.

        """
        try:
            record = parse_json(text)
        except TextError as error:
            raise MonitorError(f"{source} {error} in {shown(text)}") from error
        return cls.from_record(record, source)

    @classmethod
    def from_record(cls: type[Made], record: Any, source: str = "the model spec") -> Made:
        """Checks keys and values, such as `to_record` gives. Raises `MonitorError` as `from_json`."""
        require(isinstance(record, dict), source, "be keys and values", record)
        try:
            return cls.model_validate(record)
        except ValidationError as error:
            raise MonitorError(explain(cls, error, lambda _: source)) from None


def without_usual(record: dict[str, Any], key: str) -> dict[str, Any]:
    """A record without a key that is 0, as it is unless said otherwise."""
    return {name: value for name, value in record.items() if name != key or value}


def read_yaml(file: Path, what: str) -> dict[str, Any]:
    """The keys and values of a YAML file in UTF-8; none for an empty file.

    Args:
      file: the file.
      what: the option or the kind of file, for messages.

    Raises:
      MonitorError: naming `what` and the file, if it cannot be read, is no regular file of at most `MOST_CHARACTERS`
        bytes, is no YAML as `parse_yaml` reads it, or holds no keys and values.

    """
    try:
        content = parse_yaml(read_bounded(file, MOST_CHARACTERS).decode("utf-8-sig"))
    except TextError as error:
        raise MonitorError(f"`{what}`: {file} {error}") from error
    except (OSError, ValueError) as error:
        raise MonitorError(f"`{what}` must be a readable YAML file. Received: {str(file)!r} ({error})") from error
    if not isinstance(content, dict | None):
        raise MonitorError(f"{file} must hold keys and values. Received: {shown(content)}")
    return content or {}


def read_setting(setting: str) -> dict[str, Any]:
    """A setting of the command line, `key=value`: dotted keys are sections, values YAML. Raises `MonitorError`."""
    key, equals, value = setting.partition("=")
    if not equals or not key.strip():
        raise MonitorError(f"`--set` must be key=value. Received: {setting!r}")
    try:
        content: Any = parse_yaml(value)
    except TextError as error:
        raise MonitorError(f"`--set {key}` {error} in {shown(value)}") from error
    for part in reversed(key.strip().split(".")):
        content = {part: content}
    return content


def explain(kind: type[BaseModel], error: ValidationError, source_of: Callable[[str], str]) -> str:
    """One line for each error: where the key stands, its dotted path, the rule, what was received.

    Args:
      kind: the class that was validated, for the keys that there are.
      error: what pydantic says.
      source_of: the file or setting that a key with this dotted path came from.

    """
    return "\n".join(_explain(kind, detail, source_of) for detail in error.errors())


def keys(model: type[BaseModel], section: Sequence[str]) -> list[str]:
    """The keys of a section of `model`, given by the keys that lead to it; the top level's for none.

    Of a section in a list those of all in the list.
    """
    found = _model_of(model, section)
    return sorted(found.model_fields) if found else []


def _model_of(model: type[BaseModel], section: Sequence[str]) -> type[BaseModel] | None:
    """The class of a section of `model`, given as for `keys`; None where it is no section."""
    for part in section:
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        candidates = [a for a in (annotation, *get_args(annotation)) if isinstance(a, type)]
        found = next((a for a in candidates if issubclass(a, BaseModel)), None)
        if found is None:
            return None
        model = found
    return model


def shown(value: Any) -> str:
    """A value as messages show it: its `repr`, with the middle left out where it is long."""
    return _REPR.repr(value)


def _explain(kind: type[BaseModel], detail: ErrorDetails, source_of: Callable[[str], str]) -> str:
    path = _path(detail["loc"])
    source = source_of(path)
    if detail["type"] == "extra_forbidden":
        *section, name = (part for part in detail["loc"] if isinstance(part, str))  # a wrong key may hold a dot
        known = keys(kind, section)
        return f"{source}: there is no key `{path}`{nearest(name, known)}. The keys are: {', '.join(known)}"
    if detail["type"] == "missing":
        given = ", ".join(map(str, detail["input"])) if isinstance(detail["input"], dict) else shown(detail["input"])
        return f"{source}: `{path}` must be given. Received: {given or 'no key'}"
    rule = detail["msg"].removeprefix("Value error, ").replace("Input should", "must").replace("String should", "must")
    rule = re.sub(r"an object|a valid dictionary or instance of \w+", "a section", rule)
    received = "something else" if _is_secret(kind, detail) else shown(detail["input"])
    return f"{source}: `{path}` {rule}. Received: {received}"


def _is_secret(kind: type[BaseModel], detail: ErrorDetails) -> bool:
    """Whether what was received may be a secret, or stand in the place of one."""
    section = [part for part in detail["loc"][:-1] if isinstance(part, str)]
    return detail["type"] == SECRET_ERROR or getattr(_model_of(kind, section), "secretive", False)


def _path(location: tuple[str | int, ...]) -> str:
    """`anomalies.exempt[0].because`. Which entry of a plain list is wrong, the value that was received tells."""
    parts = location[:-1] if location and isinstance(location[-1], int) else location
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")
