"""Wilson's interval against published values and its own definition."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.common.errors import MonitorError
from components.common.proportion import Proportion


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    # Newcombe, "Two-sided confidence intervals for the single proportion", Stat. Med. 1998, table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_published_values(count, total, low, high):
    found = Proportion.of(count, total)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@given(st.integers(1, 10_000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_the_ends_are_where_the_score_test_rejects(counts):
    found = Proportion.of(*counts)
    assert 0 <= found.low <= found.value <= found.high <= 1
    for end in (found.low, found.high):
        if 0 < end < 1:
            score = abs(found.value - end) / math.sqrt(end * (1 - end) / found.total)
            assert score == pytest.approx(1.959964, rel=1e-4)


@pytest.mark.parametrize("counts", [(0, 0), (-1, 5), (6, 5)])
def test_what_is_no_share_is_refused(counts):
    with pytest.raises(MonitorError, match=r"in 0 \.\. total"):
        Proportion.of(*counts)
