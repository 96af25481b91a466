"""Which rows of correlated traffic are taken: the meaning of `one_example_per`."""

import hashlib
import re
import warnings
from dataclasses import dataclass

from ..common.errors import MonitorError, require
from ..serving_log_writer.log_fields import CLIENT_ID

ONE_EXAMPLE_PER = "one_example_per"
_WORDS = ("example", "image", "request")
_CLIENT = "client"
_DIGEST_BYTES = 16


@dataclass(frozen=True)
class ClientKey:
    """What tells the clients of requests apart: a field of the log, or a part of the request id.

    Attributes:
      field: the string input of the request that names the client; "" where the request id does.
      pattern: a regular expression with one group, which is the client's part of a request id.

    """

    field: str = ""
    pattern: str = ""

    @staticmethod
    def parse(text: str) -> "ClientKey":
        """The meaning of `client`, `client:field:NAME`, `client:prefix:SEPARATOR` or `client:pattern:REGEX`.

        >>> ClientKey.parse("client")
        ClientKey(field='log/client_id', pattern='')
        >>> ClientKey.parse("client:prefix:-").of_request_id(b"cam7-000123")
        b'cam7'
        """
        if text == _CLIENT:
            return ClientKey(field=CLIENT_ID)
        _, kind, value = [*text.split(":", 2), "", ""][:3]
        rule = 'be "client", "client:field:NAME", "client:prefix:SEPARATOR" or "client:pattern:REGEX"'
        require(kind in ("field", "prefix", "pattern") and value != "", ONE_EXAMPLE_PER, rule, text)
        if kind == "field":
            return ClientKey(field=value)
        pattern = f"(?s)(.*?){re.escape(value)}" if kind == "prefix" else value
        _require_pattern(pattern, text)
        return ClientKey(pattern=pattern)

    def of_request_id(self, request_id: bytes) -> bytes:
        """The client's part of a request id, b"" where the pattern finds none. Searched as UTF-8."""
        match = re.search(self.pattern, request_id.decode("utf-8", "surrogateescape"))
        part = match[1] if match else None
        return part.encode("utf-8", "surrogateescape") if part else b""


def _require_pattern(pattern: str, text: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # of what Python may read otherwise one day
            groups = re.compile(pattern).groups
    except (re.error, OverflowError, RecursionError, Warning) as error:
        rule = "must have a regular expression behind `client:pattern:`"
        raise MonitorError(f"`{ONE_EXAMPLE_PER}` {rule}: {error}. Received: {text!r}") from error
    require(groups == 1, ONE_EXAMPLE_PER, "have one group in its regular expression, the client", text)


@dataclass(frozen=True)
class Subsampling:
    """Which rows are taken: all, one of equal images, one a request, one a client, or one in so many seconds.

    Of the rows that compete, the one whose id has the smallest hash is taken: as good as drawn by lot, and the same
    whatever the order of the logs.

    Attributes:
      by_image: one row of each image, byte by byte as rows hold it.
      by_request: one row of each request.
      client: what tells clients apart, where one row of each is taken; None: they are not asked for.
      seconds: one row in each interval of so many seconds since the epoch; 0: all.

    """

    by_image: bool = False
    by_request: bool = False
    client: ClientKey | None = None
    seconds: int = 0

    @staticmethod
    def parse(text: str) -> "Subsampling":
        """The meaning of `one_example_per`.

        >>> Subsampling.parse("30s")
        Subsampling(by_image=False, by_request=False, client=None, seconds=30)
        """
        if text in _WORDS:
            return Subsampling(by_image=text == "image", by_request=text == "request")
        if isinstance(text, str) and text.split(":", 1)[0] == _CLIENT:
            return Subsampling(client=ClientKey.parse(text))
        number = re.fullmatch(r"([1-9][0-9]{0,8})s", text) if isinstance(text, str) else None
        rule = 'be "example", "image", "request", "client" or a whole number of seconds such as "60s"'
        require(number is not None, ONE_EXAMPLE_PER, rule, text)
        return Subsampling(seconds=int(number[1])) if number else Subsampling()

    @property
    def across_requests(self) -> bool:
        """Whether rows of different requests compete."""
        return self.by_image or self.client is not None or self.seconds > 0

    def block(self, image: bytes, client: bytes, timestamp: int) -> bytes:
        """What a row competes within, b"" where that cannot be told or rows of different requests do not compete.

        Args:
          image: as the row holds it.
          client: the name of its client, b"" where the log has none.
          timestamp: seconds since the epoch, below 0 where the log has none.

        """
        if self.by_image:
            return _digest(image)
        if self.client is not None:
            return _digest(client) if client else b""
        if self.seconds:
            return b"" if timestamp < 0 else b"%d" % (timestamp // self.seconds)
        return b""


def lot(identity: bytes) -> bytes:
    """What rows are drawn by: a hash of the id, the id itself behind it so that no two are equal."""
    return hashlib.blake2b(identity, digest_size=8).digest() + identity


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest()
