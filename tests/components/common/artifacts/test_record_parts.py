"""Parts and pieces of a file hold what the whole file holds, damaged or not."""

import gzip
import io

import numpy as np
import pytest

from components.common.artifacts.record_parts import Part, parts_of, pieces_of, records_in
from components.common.artifacts.tfrecord import frame, read_records
from components.common.errors import MonitorError

MOST = 2_000  # bytes of a part


def records(count=200, seed=0):
    draw = np.random.default_rng(seed)
    return [draw.bytes(size) for size in draw.choice([0, 1, 40, 400], count)]


def broken(content, damage):
    """A file with some of its bytes changed, cut off, or followed by others."""
    if damage == "data":
        return content[:5_020] + bytes(50) + content[5_070:]
    if damage == "header":
        place = len(b"".join(frame(record) for record in records()[:90]))
        return content[:place] + b"\xff" * 12 + content[place + 12 :]
    return {"none": content, "cut": content[:-7], "behind": content + b"id,label\n" * 20}[damage]


@pytest.mark.parametrize("damage", ["none", "data", "header", "cut", "behind"])
@pytest.mark.parametrize("most", [1, MOST, 1 << 30])
def test_the_parts_of_a_file_hold_its_records_with_their_numbers(damage, most):
    content = broken(b"".join(map(frame, records())), damage)
    whole = list(read_records(io.BytesIO(content)))
    parts = list(parts_of("a", io.BytesIO(content), most))
    assert [record for part in parts for record in records_in(part, io.BytesIO(content))] == whole
    assert parts[0].begin == 0
    assert [part.end for part in parts] == [part.begin for part in parts[1:]] + [None]
    if most == MOST and damage not in ("data", "header"):
        assert len(parts) > 5
        assert max(part.end - part.begin for part in parts[:-1]) < MOST + 500


def test_a_gzipped_file_is_one_part_and_its_records_come_in_pieces():
    packed = gzip.compress(b"".join(map(frame, records())))
    assert list(parts_of("a", io.BytesIO(packed), MOST)) == [Part("a", packed=True)]
    assert list(parts_of("a", io.BytesIO(packed))) == [Part("a")]
    whole = list(read_records(io.BytesIO(packed)))
    pieces = list(pieces_of("a", whole, MOST))
    assert len(pieces) > 5
    assert [record for piece in pieces for record in piece.records] == whole
    assert [piece.first for piece in pieces] == [piece.records[0].number for piece in pieces]
    assert [piece.begin for piece in pieces] == [
        sum(record.size for record in whole[: piece.first]) for piece in pieces
    ]


def test_a_file_without_a_record_has_one_part():
    for content in (b"", b"id,label\n" * 1000):
        assert list(parts_of("a", io.BytesIO(content), MOST)) == [Part("a")]


def test_an_error_about_a_later_part_names_the_byte_of_the_file():
    content = b"".join(map(frame, records()))[:-7]
    last = list(parts_of("a", io.BytesIO(content), MOST))[-1]
    place = len(b"".join(map(frame, records()[:-1])))
    with pytest.raises(MonitorError, match=rf"a must be a whole TFRecord file\. Received: a record at byte {place}, "):
        list(records_in(last, io.BytesIO(content), strict=True))
