"""Which model a request over HTTP asks for what, by its path."""

import re
from dataclasses import dataclass
from typing import Literal, cast
from urllib.parse import unquote

Api = Literal["predict", "classify", "regress", "infer"]
_V1 = re.compile(
    r"/v1/models/(?P<model>[^/:]+)(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?:"
    r"(?P<api>classify|regress|predict)",
    re.IGNORECASE,
)
_V2 = re.compile(r"/v2/models/(?P<model>[^/]+)(?:/versions/(?P<version>[^/]+))?/(?P<api>infer)")
_LAST_VERSION = (1 << 63) - 1


@dataclass(frozen=True)
class Call:
    """What a request asks for.

    Attributes:
      api: `predict`, `classify` and `regress` of TensorFlow Serving, `infer` of KServe's V2 protocol.
      model: its name.
      version: the one asked for; None: which one answers is the server's choice.
      label: of the version asked for; "": none.

    """

    api: Api
    model: str
    version: int | None = None
    label: str = ""

    @property
    def place(self) -> str:
        """The path of the model that is asked, below which TensorFlow Serving tells about it."""
        version = "" if self.version is None else f"/versions/{self.version}"
        return f"/v1/models/{self.model}{version}" + (f"/labels/{self.label}" if self.label else "")


def call_of(method: str, target: str) -> Call | None:
    """What a request asks a model for; None: nothing of a model.

    Args:
      method: of the request.
      target: its path, with what is asked behind a question mark, if anything is.

    >>> call_of("POST", "/v1/models/digits/versions/7:predict")
    Call(api='predict', model='digits', version=7, label='')
    >>> call_of("GET", "/v1/models/digits/metadata")

    """
    found = _matched(target.partition("?")[0]) if method == "POST" else None
    if found is None:
        return None
    parts = found.groupdict()
    version = number_of(parts["version"])
    if parts["version"] and version is None:
        return None
    label, api = unquote(parts.get("label") or ""), parts["api"].lower()
    return Call(cast(Api, api), unquote(parts["model"]), version, label)


def number_of(text: str | None) -> int | None:
    """The version that a text is the number of, 0 to 2^63 - 1; None where it is none."""
    if not text or re.fullmatch("[0-9]{1,19}", text) is None or int(text) > _LAST_VERSION:
        return None
    return int(text)


def _matched(path: str) -> re.Match[str] | None:
    return _V1.fullmatch(path) or _V2.fullmatch(path)
