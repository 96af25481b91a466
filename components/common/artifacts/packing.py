"""Gzip streams as this package writes them.

ISA-L packs eight times as fast as zlib at its lowest level, and photographs to 95 % where zlib's level 3 comes to 92
(docs/decisions/2026-11-28-packed-by-isal.md).
"""

import zlib
from typing import Protocol

from isal import isal_zlib

SYNC_FLUSH = isal_zlib.Z_SYNC_FLUSH  # of `Packing.flush`: hands out all that was taken, and the stream goes on
_GZIP = 16 + zlib.MAX_WBITS  # zlib's number for gzip's header and trailer
_LEVEL = 2  # of 0 to 3; at 0 what does not pack grows by a seventh


class Packing(Protocol):
    """A stream that is being packed: what is returned belongs behind what was returned before."""

    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self, mode: int = ..., /) -> bytes: ...


def packing(*, stored: bool = False) -> Packing:
    """A new gzip stream, the same bytes for the same content and calls on one kind of processor.

    Args:
      stored: whether its content stays what it is, in a thirtieth of the time to write and to read it.

    """
    return zlib.compressobj(0, zlib.DEFLATED, _GZIP) if stored else isal_zlib.compressobj(_LEVEL, wbits=_GZIP)
