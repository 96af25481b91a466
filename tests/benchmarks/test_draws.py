import numpy as np
import pytest

from benchmarks.detection.draws import candidates_needed, generator, split, window
from benchmarks.detection.suites import NULL, Shift, failing_loudly, nine_shifts, severity_shifts
from components.common.errors import MonitorError

LABELS = np.random.default_rng(0).integers(0, 10, 15_000)


@pytest.mark.parametrize("reference", [0, 100, 5000])
def test_candidates_and_reference_are_disjoint(reference):
    chosen, rest = split(generator("a", 1), 15_000, candidates=2000, among=6000, reference=reference)
    assert len(np.intersect1d(chosen, rest)) == 0
    assert len(np.unique(chosen)) == 2000
    assert chosen.max() < 6000
    assert len(rest) == (reference or 13_000)


def test_each_trial_draws_afresh_and_the_same_key_draws_the_same():
    first, again, other = (split(generator("a", t), 500, candidates=50, among=500, reference=0)[0] for t in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_more_candidates_than_there_are_is_an_error():
    with pytest.raises(MonitorError, match="Received: 7000"):
        split(generator("a"), 15_000, candidates=7000, among=6000, reference=0)


@pytest.mark.parametrize("size", [10, 100, 1000])
@pytest.mark.parametrize(
    "shift", [NULL, *failing_loudly(), *nine_shifts(0.5), *severity_shifts()], ids=lambda shift: shift.name
)
def test_every_shift_gets_the_windows_it_asks_for(shift, size):
    rng = generator("every", shift.name, size)
    chosen, rest = split(rng, 15_000, candidates=candidates_needed(shift, size), among=15_000, reference=0)
    drawn = window(shift, chosen, LABELS, size, rng)
    assert drawn.rows.shape == drawn.shifted.shape == (size,)
    assert len(np.intersect1d(drawn.rows, rest)) == 0


def test_windows_of_ten_thousand_leave_a_reference():
    for shift in (NULL, Shift("knock", dropped=1.0)):
        chosen, rest = split(
            generator("large"), 15_000, candidates=candidates_needed(shift, 10_000), among=15_000, reference=0
        )
        assert len(window(shift, chosen, LABELS, 10_000, generator("w")).rows) == 10_000
        assert len(rest) > 3000


def test_a_fraction_of_the_images_is_shifted():
    drawn = window(Shift("noise", "noise_large", 0.1), np.arange(10_000), LABELS, 10_000, generator("f"))
    assert 850 < drawn.shifted.sum() < 1150
    assert not window(NULL, np.arange(100), LABELS, 100, generator("f")).shifted.any()


def test_knock_out_leaves_out_the_class_by_its_chance():
    candidates = np.arange(15_000)
    kept = [
        (LABELS[window(Shift("k", dropped=d), candidates, LABELS, 5000, generator("k")).rows] == 0).mean()
        for d in (0.0, 0.5, 1.0)
    ]
    assert kept[0] == pytest.approx(0.1, abs=0.02)
    assert kept[1] == pytest.approx(0.05 / 0.95, abs=0.02)
    assert kept[2] == 0


def test_only_zero_has_class_zero_alone():
    drawn = window(Shift("o", only=True), np.arange(15_000), LABELS, 1000, generator("o"))
    assert set(LABELS[drawn.rows]) == {0}


def test_too_few_of_a_class_is_an_error():
    with pytest.raises(MonitorError, match="`candidates` must hold 200 images for o"):
        window(Shift("o", only=True), np.arange(500), LABELS, 200, generator("o"))
