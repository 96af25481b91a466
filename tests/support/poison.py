"""What may become of a file of an artifact: cut off, flipped, replaced, or JSON with values that no one expects."""

import contextlib
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

# In place of any value in a record of text.
VALUES = (
    "NaN", "Infinity", "-Infinity", "1e999", "-1", "0", "null", "true", "[]", "{}", '""', "9" * 30, "9" * 5_000,
    "-1e308", "[" * 50 + "]" * 50, "[" * 100_000, '{"a":' * 5_000, '"<script>alert(1)</script>"', '"[/red]"',
    '"\\ud800"', '"\\u0000"', '"\\u001b[2J"', '"' + "x" * 100_000 + '"', "0.5", "1e-320", '"NaN"',
)  # fmt: skip
WHOLES = (
    b"", b"\0", b"\0" * 1_000, bytes(range(256)) * 4, b"\xff" * 100, b"{}", b"[]", b"null", b"NaN", b"[" * 100_000,
    b'{"a":' * 5_000 + b"1" + b"}" * 5_000, b"9" * 5_000, b"\xef\xbb\xbf{}", b"\x1f\x8b\x08", b"PK\x03\x04",
    b"\x0a\xff\xff\xff\xff\x0f", b"\x0a" + b"\x80" * 11, b"<h1>x</h1><script>alert(1)</script>",
)  # fmt: skip


def poisons(content: bytes, draw: random.Random) -> Iterator[tuple[str, bytes]]:
    """Everything that may become of a content, in words and as bytes, in a random order without an end."""
    kinds: list[Callable[[bytes, random.Random], tuple[str, bytes]]] = [_cut, _flipped, _flipped, _replaced, _grown]
    with contextlib.suppress(ValueError, RecursionError):
        record = json.loads(content)
        if isinstance(record, dict | list):
            kinds += [_value] * 6
    while True:
        yield draw.choice(kinds)(content, draw)


@contextlib.contextmanager
def poisoned(file: Path, content: bytes) -> Iterator[None]:
    """A file with another content, until the end."""
    before = file.read_bytes()
    try:
        file.write_bytes(content)
        yield
    finally:
        file.write_bytes(before)


def _cut(content: bytes, draw: random.Random) -> tuple[str, bytes]:
    end = draw.randrange(len(content) + 1)
    return f"cut off after {end} bytes", content[:end]


def _flipped(content: bytes, draw: random.Random) -> tuple[str, bytes]:
    changed = bytearray(content or b"\0")
    bits = sorted({draw.randrange(8 * len(changed)) for _ in range(draw.choice((1, 1, 3, 20)))})
    for bit in bits:
        changed[bit // 8] ^= 1 << bit % 8
    return f"bits {bits} flipped", bytes(changed)


def _replaced(_: bytes, draw: random.Random) -> tuple[str, bytes]:
    number = draw.randrange(len(WHOLES))
    return f"replaced by WHOLES[{number}]", WHOLES[number]


def _grown(content: bytes, draw: random.Random) -> tuple[str, bytes]:
    more = draw.randbytes(draw.choice((1, 100)))
    return f"with {more[:8]!r} behind it", content + more


def _value(content: bytes, draw: random.Random) -> tuple[str, bytes]:
    """One value of a record of text is another."""
    record = json.loads(content)
    places = list(_places(record, ()))
    path = draw.choice(places)
    value = draw.choice(VALUES)
    holder = record
    for key in path[:-1]:
        holder = holder[key]
    marker = "\u2603 here"
    holder[path[-1]] = marker
    return f"{'.'.join(map(str, path))} is {value[:40]}", json.dumps(record).replace(json.dumps(marker), value).encode()


def _places(value: object, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in items:
        yield (*path, key)
        yield from _places(part, (*path, key))
