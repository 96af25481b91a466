"""gRPC's framing of the one message that a side of a call has to say."""

from collections.abc import Callable

_PREFIX = 5  # bytes before a message: whether it is compressed, and its length


class OneMessage:
    """Reads the prefix of a message, and hands its bytes on.

    Args:
      take: takes the bytes; None: nobody does.

    Attributes:
      compressed: whether it is, as `grpc-encoding` says.

    """

    __slots__ = ("_left", "_prefix", "_take", "compressed")

    def __init__(self, take: Callable[[bytes | memoryview], None] | None) -> None:
        self.compressed = False
        self._take = take
        self._prefix: bytes | None = b""  # None: it is whole
        self._left = 0

    @property
    def is_whole(self) -> bool:
        """Whether there is one, to its end."""
        return self._prefix is None and not self._left

    def part(self, buffer: bytes, start: int, end: int) -> bool:
        """Some of what was sent; whether there is no more than one message up to here."""
        if self._prefix is not None:
            start = self._read_prefix(buffer, start, end)
        size = end - start
        if size > self._left:
            return False
        self._left -= size
        if size and self._take is not None:  # not copied where it is most of what is kept for its sake
            self._take(memoryview(buffer)[start:end] if 2 * size > len(buffer) else buffer[start:end])
        return True

    def _read_prefix(self, buffer: bytes, start: int, end: int) -> int:
        begun = self._prefix or b""
        upto = min(start + _PREFIX - len(begun), end)
        self._prefix = begun + buffer[start:upto]
        if len(self._prefix) == _PREFIX:
            self.compressed, self._left = bool(self._prefix[0]), int.from_bytes(self._prefix[1:], "big")
            self._prefix = None
        return upto
