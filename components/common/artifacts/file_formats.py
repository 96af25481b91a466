"""What a file that should hold TFRecords looks like instead, told by its first bytes, for the message about it."""

import csv
import zlib

from ..strict_text import TextError, parse_json

HEAD_BYTES = 4096  # as many as are needed to tell
# First bytes of formats that data and logs are kept in, longest first where one begins another.
_MAGIC = (
    (b"\x28\xb5\x2f\xfd", "data packed with Zstandard"),
    (b"\xff\x06\x00\x00sNaPpY", "data packed with Snappy"),
    (b"\x04\x22\x4d\x18", "data packed with LZ4"),
    (b"\xfd7zXZ\x00", "data packed with xz"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"PK\x03\x04", "a zip archive"),
    (b"PAR1", "a Parquet file"),
    (b"Obj\x01", "an Avro file"),
    (b"ORC", "an ORC file"),
    (b"ARROW1", "an Arrow file"),
    (b"SEQ\x06", "a Hadoop sequence file"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"%PDF-", "a PDF document"),
    (b"crc\x00", "a Hadoop checksum file"),
    (b"\x00\x00\x00\x01Bud1", "a folder's settings of macOS (.DS_Store)"),
)
_BZIP2 = (b"BZh", b"1AY&SY")  # a digit stands between them
_TAR = slice(257, 262)
_ZLIB = 0x78  # deflate with the window of 32 KiB that everybody uses
_SHOWN_LINES = 3


def looks_like(head: bytes) -> str:
    """What a file is by its first `HEAD_BYTES`, such as "a Parquet file"; "" where that cannot be told.

    Args:
      head: of the file; all of it where it is shorter.

    >>> looks_like(b"PAR1....")
    'a Parquet file'
    >>> looks_like(zlib.compress(b'{"instances": [1]}'))
    "data packed with zlib; unpacked it looks like JSON requests of a server's REST interface"
    >>> looks_like(bytes(range(7, 20)))
    ''

    """
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head.startswith(_BZIP2[0]) and head[4:10] == _BZIP2[1]:
        return "data packed with bzip2"
    if head[_TAR] == b"ustar":
        return "a tar archive"
    return _zlib(head) or _text(head)


def _zlib(head: bytes) -> str:
    if len(head) < 3 or head[0] != _ZLIB or int.from_bytes(head[:2], "big") % 31:
        return ""
    try:
        unpacked = zlib.decompressobj().decompress(head, HEAD_BYTES)
    except zlib.error:
        return ""
    inner = looks_like(unpacked) if unpacked else ""
    return "data packed with zlib" + (f"; unpacked it looks like {inner}" if inner else "")


def _text(head: bytes) -> str:
    text = _decoded(head)
    if not text.strip():
        return ""
    if text.lstrip().startswith(("{", "[")):
        return _json(text)
    if text.lstrip().startswith("<"):
        return "XML or HTML"
    return _csv(text) or "plain text"


def _decoded(head: bytes) -> str:
    """The head as text, a character that is cut at its end aside; "" where it is none."""
    for cut in range(min(4, len(head))) if len(head) >= HEAD_BYTES else (0,):
        try:
            text = head[: len(head) - cut].decode("utf-8-sig")
        except UnicodeDecodeError:
            continue
        return text if all(character.isprintable() or character in "\t\r\n" for character in text) else ""
    return ""


def _json(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        record = parse_json(lines[0])
    except TextError:
        record = None
    several = "JSON lines" if len(lines) > 1 and record is not None else "a JSON file"
    names = set(record) if isinstance(record, dict) else set()
    if "specversion" in names or '"specversion"' in text:
        return f"CloudEvents, {several}"
    if names & {"instances", "inputs", "signature_name", "predictions", "outputs"}:
        return "JSON requests of a server's REST interface"
    return several


def _csv(text: str) -> str:
    lines = text.splitlines()[:_SHOWN_LINES]
    whole = lines if text.endswith("\n") or len(lines) < 2 else lines[:-1] or lines
    for separator, name in ((",", "CSV"), ("\t", "a table with tabs"), (";", "CSV")):
        try:
            widths = {len(row) for row in csv.reader(whole, delimiter=separator, strict=True)}
        except csv.Error:
            continue
        if len(widths) == 1 and widths.pop() > 1:
            return name
    return ""
