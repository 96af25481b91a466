"""Heads of HTTP/1.1 messages as they are handed on: every header as it came but those that concern one connection."""

import random
import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import TypeAlias

import httptools

Headers: TypeAlias = list[tuple[bytes, bytes]]
REQUEST_ID = b"x-request-id"
BODILESS = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
# RFC 9110, section 7.6.1, and what a client could otherwise take away from a request by naming it in `Connection`.
_OF_ONE_CONNECTION = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade")
)
_OF_THE_MESSAGE = frozenset((b"content-length", b"host", REQUEST_ID))
_ids = random.Random()  # noqa: S311 - that no two are alike is all, which the system's randomness begins with
_ID = re.compile(rb"[\x20-\x7e]{1,256}")  # what readers of the logs take for an id


def values(headers: Headers, name: bytes) -> list[bytes]:
    """The values of a header, which is named in lower case."""
    return [value for key, value in headers if key.lower() == name]


def handed_on(headers: Headers) -> Headers:
    """The headers without those that concern only the connection that they came by."""
    named = {token.strip().lower() for value in values(headers, b"connection") for token in value.split(b",")}
    dropped = (_OF_ONE_CONNECTION | named) - _OF_THE_MESSAGE
    return [(name, value) for name, value in headers if name.lower() not in dropped]


def is_chunked(headers: Headers) -> bool:
    """Whether the body comes in chunks.

    Raises:
      ValueError: it is coded in a way that would have to be undone, as no server of models asks for.

    """
    codings = [each.strip().lower() for value in values(headers, b"transfer-encoding") for each in value.split(b",")]
    if codings not in ([], [b"chunked"]):
        raise ValueError(f"the transfer coding {b', '.join(codings).decode('latin-1')} is not known here")
    return bool(codings)


def new_id() -> bytes:
    return b"%032x" % _ids.getrandbits(128)


def usable_id(value: bytes) -> bool:
    """Whether the id that a client sent can stand in a log: 1 to 256 printable characters."""
    return _ID.fullmatch(value) is not None


def request_head(method: bytes, target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join((method, b" ", target, b" HTTP/1.1\r\n", *_lines(headers), b"\r\n"))


def response_head(status: int, reason: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join((b"HTTP/1.1 %d " % status, reason, b"\r\n", *_lines(headers), b"\r\n"))


def refusal(status: HTTPStatus, sentence: str, request_id: bytes = b"") -> tuple[bytes, bytes]:
    """Head and body of an answer of the proxy's own, which says why; the connection ends with it."""
    text = sentence.replace("\\", "\\\\").replace('"', '\\"')
    body = f'{{"error": "{text}"}}\n'.encode()
    headers = [(b"Content-Type", b"application/json"), (b"Content-Length", b"%d" % len(body))]
    headers += [(b"X-Request-Id", request_id)] if request_id else []
    return response_head(status, status.phrase.encode(), [*headers, (b"Connection", b"close")]), body


def cause_of(error: httptools.HttpParserError) -> str:
    """What a parser says, or what was said to it where it only says that something went wrong."""
    said = error.__context__ if isinstance(error, httptools.HttpParserCallbackError) else None
    return str(said or error)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"


def _lines(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[bytes]:
    for name, value in headers:
        yield from (name, b": ", value, b"\r\n")
