"""A webhook: the message as JSON, signed, over HTTP, within a time that also bounds an answer that never ends.

The signature is `v1=` and the HMAC-SHA256 in hexadecimal of the time stamp, a full stop and the body. A receiver
refuses time stamps that are old, and remembers keys that it has seen (docs/alerts.md).
"""

import asyncio
import base64
import contextlib
import datetime
import email.utils
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from components.common.errors import MonitorError

from .sending import Picture, UndeliveredError
from .texts import Message

TIMESTAMP, SIGNATURE, KEY = "X-Model-Monitor-Timestamp", "X-Model-Monitor-Signature", "Idempotency-Key"
SCHEME = "v1"
_FINAL = (400, 413, 415, 422)  # the message itself is refused: it will not be taken later either
LONGEST_AFTER = 24 * 3600.0  # seconds that an answer may have us wait


@dataclass(frozen=True)
class Webhook:
    """A webhook that is ready.

    Attributes:
      url: where to; neither it nor the secret is shown.
      secret: to sign with.
      images: whether the six images go with the message, as base64 of a PNG file under `picture_png`.
      timeout: seconds for all of an attempt.

    """

    url: str = field(repr=False)
    secret: str = field(repr=False)
    images: bool
    timeout: float

    def __post_init__(self) -> None:
        httpx = _httpx()
        with contextlib.suppress(httpx.InvalidURL):
            if httpx.URL(self.url).scheme in ("http", "https") and httpx.URL(self.url).host:
                return
        raise MonitorError(
            "The `url` of a webhook must begin with https:// or http:// and a host. Received: another one"
        )

    def send(self, message: Message, key: str, picture: Picture) -> None:
        png = picture() if self.images else None
        more = {"picture_png": base64.b64encode(png).decode()} if png else {}
        body = json.dumps({**message.record(), "id": key, **more}, ensure_ascii=False, allow_nan=False).encode()
        stamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            KEY: key,
            TIMESTAMP: stamp,
            SIGNATURE: sign(self.secret, stamp, body),
        }
        try:
            status, after = asyncio.run(asyncio.wait_for(self._post(body, headers), self.timeout))
        except (asyncio.TimeoutError, _httpx().TimeoutException):
            raise UndeliveredError(f"no answer within {self.timeout:g} s") from None
        except (_httpx().HTTPError, _httpx().InvalidURL, OSError, ValueError) as error:
            raise UndeliveredError(f"no answer: {type(error).__name__}") from None
        if not 200 <= status < 300:
            raise UndeliveredError(f"answered {status}", final=status in _FINAL, after=after)

    async def _post(self, body: bytes, headers: dict[str, str]) -> tuple[int, float | None]:
        """The status that is answered, and after how many seconds to come again. The rest is not read."""
        httpx = _httpx()
        async with (
            httpx.AsyncClient(timeout=self.timeout, follow_redirects=False) as client,
            client.stream("POST", self.url, content=body, headers=headers) as answer,
        ):
            return answer.status_code, seconds_of(answer.headers.get("Retry-After", ""), time.time())


def sign(secret: str, stamp: str, body: bytes) -> str:
    """The signature of a body that is sent at a time.

    >>> sign("secret", "1800000000", b"{}")[:19]
    'v1=bb7079132825ac79'
    """
    digest = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"{SCHEME}={digest}"


def seconds_of(retry_after: str, now: float) -> float | None:
    """What a Retry-After header says, a number of seconds or a date, from 0 to a day; None where it says nothing.

    >>> seconds_of("120", 0), seconds_of("Thu, 01 Jan 1970 00:01:00 GMT", 0), seconds_of("soon", 0)
    (120.0, 60.0, None)
    """
    text = retry_after.strip()
    if text.isdecimal() and text.isascii():
        return min(float(text[:9]), LONGEST_AFTER)
    try:
        date = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    date = date if date.tzinfo else date.replace(tzinfo=datetime.timezone.utc)
    return min(max(0.0, date.timestamp() - now), LONGEST_AFTER)


def _httpx() -> ModuleType | Any:
    try:
        import httpx  # noqa: PLC0415 - of the extra `live`, which a monitor without alerts does without
    except ImportError as error:
        text = "A webhook needs the library httpx: install `tfx-model-monitor[live]`"
        raise MonitorError(text) from error
    return httpx
