"""Who is told of incidents: the section `alerts` of a configuration. Secrets stand in it by name alone."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from components.common.bounded_files import read_bounded
from components.common.errors import MonitorError
from components.common.settings import SECRET_ERROR, Section

_MOST_BYTES = 1 << 16  # of a secret
_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:.+")


def _reference(given: Any) -> Any:
    """Nothing but where a secret is. What is refused is shown nowhere: it may be the secret itself."""
    if not isinstance(given, str) or not _REFERENCE.fullmatch(given):
        rule = "must be env:NAME or file:PATH, where the secret is, and not the secret itself"
        raise PydanticCustomError(SECRET_ERROR, rule)
    return given


Secret = Annotated[str, BeforeValidator(_reference)]
KINDS = ("opened", "worse", "cause_changed", "closed", "withdrawn", "still_open")


class Channel(Section):
    """One way in which somebody is told (docs/alerts.md)."""

    secretive: ClassVar[bool] = True

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    type: Literal["apprise", "webhook", "json_lines"]
    # where to: the URL of Apprise's service, or that of the webhook, which hold tokens
    url: Secret | None = None
    secret: Secret | None = None  # a webhook's, to sign with
    severity: Literal["information", "warning", "critical"] = "information"  # this and more urgent ones
    kinds: Annotated[tuple[Literal[KINDS], ...], Field(min_length=1)] = KINDS  # type: ignore[valid-type]
    images: bool = True  # six images, where the service takes a picture
    timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 10.0  # of an attempt

    @model_validator(mode="after")
    def _complete(self) -> "Channel":
        needed = {"apprise": {"url"}, "webhook": {"url", "secret"}, "json_lines": set()}[self.type]
        given = {name for name in ("url", "secret") if getattr(self, name) is not None}
        if given != needed:
            raise ValueError(f"must have {' and '.join(sorted(needed)) or 'neither url nor secret'} as {self.type}")
        return self


def _with_tuples(channel: Any) -> Any:
    kinds = channel.get("kinds") if isinstance(channel, dict) else None
    return {**channel, "kinds": tuple(kinds)} if isinstance(kinds, list) else channel


class AlertsConfig(Section):
    """Who is told of incidents, and for how long that is tried."""

    channels: tuple[Channel, ...] = ()
    url: str = ""  # where `model-monitor ui` can be reached, for links in messages; empty: no links
    keep_days: Annotated[float, Field(gt=0)] = 7.0  # how long a message is tried before it becomes a dead letter
    most_pending: Annotated[int, Field(ge=1)] = 1000  # messages of a channel; beyond, the oldest become dead letters

    @model_validator(mode="before")
    @classmethod
    def _sections(cls, given: Any) -> Any:
        """Before anything else: what is written in the wrong place may hold a secret, and is not shown."""
        channels = given.get("channels", []) if isinstance(given, dict) else None
        if not isinstance(channels, list | tuple) or not all(isinstance(each, dict | Channel) for each in channels):
            raise PydanticCustomError(SECRET_ERROR, "must be a section with a list of `channels`, a section each")
        return {**given, "channels": tuple(map(_with_tuples, channels))}  # JSON has lists alone

    @model_validator(mode="after")
    def _names_differ(self) -> "AlertsConfig":
        names = [each.name for each in self.channels]
        if len(set(names)) < len(names):
            raise ValueError("must have channels of different names")
        return self


def secret_of(reference: str, what: str) -> str:
    """The secret that a reference stands for. Raises `MonitorError` naming `what`, never with the secret in it."""
    kind, _, place = reference.partition(":")
    read: Callable[[], str] = (lambda: os.environ[place]) if kind == "env" else (lambda: _content(Path(place)))
    try:
        secret = read().strip()
    except KeyError:
        raise MonitorError(f"`{what}` must be set in the environment. Received: {reference}, which is not") from None
    except UnicodeDecodeError:
        raise MonitorError(f"`{what}` must be text in UTF-8. Received: another content in {place}") from None
    except OSError as error:
        rule = "be a file that can be read"
        raise MonitorError(f"`{what}` must {rule}. Received: {reference}, {error.strerror}") from None
    if not secret:
        raise MonitorError(f"`{what}` must not be empty. Received: {reference}, which is")
    return secret


def _content(path: Path) -> str:
    return read_bounded(path, _MOST_BYTES).decode()
