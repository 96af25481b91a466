"""What a store or its client says when something fails, as one sentence for people."""

import errno
import os
import re

from ..errors import MonitorError
from .address import Address, BucketError
from .settings import no_credentials

_CODE = re.compile(r"<Code>([^<]{1,100})</Code>")
_MESSAGE = re.compile(r"<Message>([^<]{1,300})</Message>")
_STATUS = re.compile(r"status code: (\d{3}[^:]{0,60})")
_TOOK = re.compile(r"\bin [0-9.]+m?s\b,?|, max_retries: \d+, retry_timeout: [0-9.]+m?s")
# Where the client looks for credentials that nobody has given: the machine's own, of Amazon or of Google.
_OF_THE_MACHINE = ("169.254.169.254", "metadata.google.internal", "fd00:ec2::254", "/computeMetadata/")
_NOT_REACHED = ("error sending request", "error trying to connect", "operation timed out", "request or response body")
_NO_BUCKET = ("NoSuchBucket", "The specified bucket does not exist")
_MOST_SHOWN = 300


def failure(error: Exception, address: Address) -> OSError | MonitorError:
    """What is raised in the place of an error of the store's client.

    Args:
      error: of the client.
      address: of what was asked for.

    Returns:
      `FileNotFoundError` where there is no such object, and else a `MonitorError`.

    """
    text = str(error).split("\n\nDebug source")[0]
    if any(words in text for words in _NO_BUCKET):
        return BucketError(f"{address.root} must be a bucket that exists. Received: the store has none of this name")
    if any(words in str(error) for words in _OF_THE_MACHINE):
        return no_credentials(address)
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(address))
    if type(error).__name__ in ("PermissionDeniedError", "UnauthenticatedError") or _refused(text):
        return MonitorError(f"{address} must be open to whoever asks. Received: {_said(text)}")
    if any(words in text for words in _NOT_REACHED):
        return BucketError(f"{address.root} must be in reach. Received: {_said(text)}")
    return MonitorError(f"{address} could not be read or written: {_said(text)}")


def _refused(text: str) -> bool:
    return re.search(r"status code: 40[13]", text) is not None


def _said(text: str) -> str:
    """The answer of the store where it has given one: its status, code and message; else what the client says."""
    parts = [found[1].strip() for pattern in (_STATUS, _CODE, _MESSAGE) if (found := pattern.search(text))]
    if parts:
        return ", ".join(parts)
    words = " ".join(_TOOK.sub("", text).split())
    return words if len(words) <= _MOST_SHOWN else f"{words[:_MOST_SHOWN]} ..."
