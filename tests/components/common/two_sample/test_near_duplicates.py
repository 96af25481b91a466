"""Near-duplicates: found where there are more of them, and no more often by chance than the p-value says."""

import numpy as np
import pytest

from components.common.two_sample.near_duplicates import FEWEST_ROWS, MAX_BITS, near_duplicates

RNG = np.random.default_rng(3)


def hashes(count):
    return RNG.integers(1, 1 << 64, count, np.uint64)


def nearly(found):
    """Each with up to four bits changed."""
    changes = [np.bitwise_or.reduce(np.uint64(1) << RNG.integers(0, 64, 4, np.uint64)) for _ in found]
    return found ^ np.array(changes, np.uint64)


def test_bursts_are_found():
    clients = hashes(200)
    window = nearly(np.repeat(clients, RNG.integers(1, 9, 200)))
    found = near_duplicates(hashes(2000), window)
    assert found.rows == len(window)
    assert found.window > 0.8
    assert (found.reference, found.p_value) == (0, 0.0005)
    assert found.more_frequent


def test_as_many_in_the_baseline_are_no_reason_to_warn():
    """Photographs of a product come in pairs, in the baseline as in serving."""

    def pairs(count):
        return nearly(np.repeat(hashes(count), 2))

    found = near_duplicates(pairs(300), pairs(100))
    assert (found.window, found.reference, found.more_frequent) == (1, 1, False)


def test_the_p_value_is_one_where_images_are_independent():
    kinds = hashes(3000)
    sides = [(RNG.choice(kinds, 200), RNG.choice(kinds, 100)) for _ in range(60)]
    p_values = np.array([near_duplicates(*side, seed=seed).p_value for seed, side in enumerate(sides)])
    assert np.mean(p_values <= 0.2) <= 0.4
    assert np.median(p_values) > 0.3


def test_a_few_among_many_are_found():
    window = np.concatenate([hashes(970), nearly(np.repeat(hashes(10), 3))])
    found = near_duplicates(hashes(2000), window)
    assert found.window == pytest.approx(0.03)
    assert found.more_frequent


def test_a_larger_window_has_no_more_by_chance():
    """Few different images: any two samples have many near-duplicates, and a larger one more of them."""
    kinds = hashes(2000)
    found = near_duplicates(RNG.choice(kinds, 300), RNG.choice(kinds, 2000))
    assert found.rows == 300
    assert found.p_value > 0.01


def test_without_enough_images_nothing_is_said():
    assert near_duplicates(hashes(FEWEST_ROWS - 1), hashes(500)) is None
    assert near_duplicates(np.zeros(500, np.uint64), hashes(500)) is None


def test_no_near_duplicate_at_all_and_nothing_else():
    assert near_duplicates(hashes(500), hashes(500)).p_value == 1
    same = np.full(2500, 7, np.uint64)
    assert near_duplicates(hashes(2500), same).window == 1
    assert near_duplicates(same, same).p_value > 0.5


def test_the_same_seed_gives_the_same_answer():
    sides = hashes(400), nearly(np.repeat(hashes(100), 3))
    assert near_duplicates(*sides, seed=4) == near_duplicates(*sides, seed=4)


def test_the_limit_in_bits():
    one = hashes(50)
    for bits, duplicates in ((MAX_BITS, 1.0), (MAX_BITS + 1, 0.0)):
        mask = np.uint64((1 << bits) - 1)
        assert near_duplicates(hashes(200), np.concatenate([one, one ^ mask])).window == duplicates
