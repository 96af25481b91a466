"""Ids that have come before are told, and little of them is kept."""

import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from components.serving_log_example_gen.known_ids import KnownIds


@given(st.lists(st.binary(max_size=3)))
def test_an_id_is_new_once(ids):
    known, seen = KnownIds(), set()
    for identity in ids:
        assert known.add(identity) is (identity not in seen)
        seen.add(identity)


def test_many_ids_are_told_apart():
    known = KnownIds()
    numbers = np.random.default_rng(3).integers(60_000, size=100_000)
    new = sum(known.add(b"request-%d/0" % number) for number in numbers)
    assert new == len(set(numbers.tolist()))


def test_an_id_takes_few_bytes_however_long_it_is():
    known = KnownIds()
    empty = sum(map(sys.getsizeof, known._buckets))
    for number in range(200_000):
        known.add(b"%d" % number + bytes(100))
    assert (sum(map(sys.getsizeof, known._buckets)) - empty) / 200_000 < 20
