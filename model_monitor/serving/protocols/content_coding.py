"""Bodies that come compressed."""

import zlib

from components.common.errors import MonitorError, require

MOST_UNPACKED = 1 << 28  # bytes of a compressed body: what a record of a log may have


def unpacked(body: bytes, coding: str) -> bytes:
    """A body without its content coding.

    Args:
      body: as it came.
      coding: the header `Content-Encoding`; "" where there is none.

    Raises:
      MonitorError: the coding is another than gzip or deflate, or the body is none, or larger than `MOST_UNPACKED`.

    """
    name = coding.strip().lower()
    if name in ("", "identity"):
        return body
    require(name in ("gzip", "x-gzip", "deflate"), "content-encoding", "be gzip or deflate", coding)
    unpacker = zlib.decompressobj(32 + zlib.MAX_WBITS)  # either header
    try:
        content = unpacker.decompress(body, MOST_UNPACKED)
    except zlib.error as error:
        raise MonitorError(f"A body must be {name}, as its head says. Received: {error}") from error
    whole = unpacker.eof and not unpacker.unconsumed_tail
    require(whole, "a compressed body", f"be whole and at most {MOST_UNPACKED} bytes unpacked", len(body))
    return content
