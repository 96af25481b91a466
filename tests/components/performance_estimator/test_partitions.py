"""Entries of one id come together, in order, and no more are held than may be."""

import numpy as np
import pytest

from components.performance_estimator.partitions import Partitions

IDS = [f"id {number}" for number in np.random.default_rng(1).integers(2_000, size=10_000)]
ENTRIES = [(number % 2, identity, number) for number, identity in enumerate(IDS)]


def grouped(most, entries=ENTRIES):
    with Partitions(most) as parts:
        for entry in entries:
            parts.add(entry)
        return [list(group) for group in parts.groups()]


@pytest.mark.parametrize("most", [20, 300, 2_500, 10_000])
def test_all_entries_of_an_id_are_in_one_group_in_order(most):
    groups = grouped(most)
    assert sorted(entry[2] for group in groups for entry in group) == list(range(len(ENTRIES)))
    ids = [{entry[1] for entry in group} for group in groups]
    assert sum(map(len, ids)) == len(set(IDS))
    for group in groups:
        numbers = {}
        for _, identity, number in group:
            assert numbers.get(identity, -1) < number
            numbers[identity] = number


def test_few_entries_are_one_group_and_no_file():
    with Partitions(3) as parts:
        for entry in ENTRIES[:3]:
            parts.add(entry)
        assert list(parts.groups()) == [ENTRIES[:3]]
        assert parts._files == []


def test_no_group_is_larger_than_what_is_held():
    assert max(len(group) for group in grouped(40)) <= 40
    assert len(grouped(40)) > 250


def test_entries_of_one_id_stay_together_however_many():
    assert [group for group in grouped(5, [(0, "a", number) for number in range(100)]) if group] == [
        [(0, "a", number) for number in range(100)]
    ]


@pytest.mark.parametrize("identity", ["", "\udcff", "é" * 100, "a\nb"])
def test_every_text_is_an_id(identity):
    entries = [(0, identity, -(1 << 40)), (1, identity, 3), (0, "b", 2)]
    assert sorted(entry for group in grouped(1, entries) for entry in group) == sorted(entries)
