import numpy as np
import pytest

from components.common.two_sample.permutations import draw

SIZES = [(1, 10), (3, 10), (5, 10), (7, 10), (9, 10), (2, 200), (120, 200)]


def window_rows(splits):
    """The window's rows of every split, from whichever side is drawn."""
    lines = splits.drawn.tolist()
    if splits.draws_window:
        return lines
    return [sorted(set(range(splits.rows)) - set(line)) for line in lines]


@pytest.mark.parametrize(("window", "rows"), SIZES)
def test_every_split_has_the_sizes_of_the_observed_one(window, rows):
    splits = draw(window, rows, 20, np.random.default_rng(0))
    lines = window_rows(splits)
    assert len(lines) == 21
    assert lines[0] == list(range(window))
    assert all(len(set(line)) == window and set(line) <= set(range(rows)) for line in lines)


@pytest.mark.parametrize(("window", "rows"), SIZES)
def test_sums_and_counts_are_those_of_the_windows_rows(window, rows):
    rng = np.random.default_rng(1)
    splits = draw(window, rows, 15, rng)
    columns = rng.normal(size=(rows, 4))
    codes = rng.integers(0, 6, rows)
    lines = window_rows(splits)
    np.testing.assert_allclose(splits.sums(columns), [columns[line].sum(axis=0) for line in lines], atol=1e-5)
    counted, reversed_codes = splits.counts([codes, 5 - codes], [7, 6])
    np.testing.assert_array_equal(counted.T, [np.bincount(codes[line], minlength=7) for line in lines])
    np.testing.assert_array_equal(reversed_codes, counted[5::-1])


def test_more_codes_than_a_byte_holds():
    codes = np.arange(400)
    splits = draw(50, 400, 5, np.random.default_rng(2))
    (counted,) = splits.counts([codes], [400])
    np.testing.assert_array_equal(counted.sum(axis=0), 50)
    np.testing.assert_array_equal(np.flatnonzero(counted[:, 0]), np.arange(50))


def test_every_row_is_drawn_equally_often():
    splits = draw(3, 12, 4000, np.random.default_rng(3))
    shares = np.bincount(splits.drawn[1:].ravel(), minlength=12) / 4000
    assert np.abs(shares - 0.25).max() < 0.035  # 5 standard deviations


def test_the_seed_decides():
    first, again, other = (draw(5, 50, 9, np.random.default_rng(seed)).drawn for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_splits_that_are_remembered_leave_the_generator_as_if_they_were_drawn():
    first, again = np.random.default_rng(11), np.random.default_rng(11)
    drawn, known = (draw(6, 40, 9, rng) for rng in (first, again))
    assert known is drawn
    assert first.integers(1 << 60) == again.integers(1 << 60)
    assert (draw(6, 40, 9, again).drawn != drawn.drawn).any()


def test_what_is_remembered_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        draw(6, 40, 9, np.random.default_rng(12)).drawn[0, 0] = 7
