"""Past windows under other settings: what rings, what is missed, and windows that are made of others."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from components.common.errors import MonitorError
from components.common.statistics.feature_sample import FeatureSample
from components.common.two_sample.comparison import CLASS_FEATURE, Feature
from model_monitor.acting.tuning import Baseline, PastWindow, Setting, Tuning, drawn, regrouped

EDGES = tuple(np.linspace(-4, 4, 29).tolist())
FEATURES = {name: Feature(name, EDGES, 2) for name in ("image_brightness", "image_noise")}


def sample(count: int, shift: float = 0.0, seed: int = 0, ids: tuple[str, ...] = ()) -> FeatureSample:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(count, 2)).astype(np.float32)
    values[:, 0] += shift
    return FeatureSample(
        names=tuple(FEATURES),
        values=values,
        population=count,
        ids=ids or tuple(f"r{seed}-{row}/0" for row in range(count)),
        classes=rng.integers(0, 3, count),
        probabilities=np.full((count, 3), 1 / 3, np.float32),
    )


@pytest.fixture(scope="module")
def tuning():
    """Ten windows of 200, of which the fifth and sixth are shifted by half a standard deviation, and so marked."""
    windows = [
        PastWindow(number, sample(200, 0.5 * (number in (5, 6)), number), True if number in (5, 6) else None)
        for number in range(1, 11)
    ]
    baseline = Baseline(sample(2000, seed=99), FEATURES, ("image_brightness", "image_noise", CLASS_FEATURE))
    return Tuning(windows, baseline, permutations=1999)


def test_what_was_marked_as_real_is_caught_and_nothing_else_rings(tuning):
    tried = tuning.attempt(Setting(0.01))
    assert tuning.marked
    assert (tried.pieces, tried.rang, tried.caught, tried.missed) == (10, ((5,), (6,)), (5, 6), ())
    assert tried.expected == pytest.approx(0.05)


def test_features_that_did_not_change_show_nothing(tuning):
    tried = tuning.attempt(Setting(0.01, features=("image_noise", CLASS_FEATURE)))
    assert (tried.rang, tried.missed) == ((), (5, 6))


def test_a_higher_rate_never_rings_less(tuning):
    rates = (0.01, 0.05, 0.2, 0.5)
    rang = [set(tuning.attempt(Setting(rate)).rang) for rate in rates]
    assert all(less <= more for less, more in itertools.pairwise(rang))


def test_larger_windows_are_made_of_consecutive_ones_and_the_rest_is_none(tuning):
    tried = tuning.attempt(Setting(0.01, window_examples=300))
    assert tried.pieces == 6  # of 2,000 rows
    assert {number for numbers in tried.rang for number in numbers} >= {5, 6}
    assert tried.caught == (5, 6)


def test_rows_are_kept_in_their_order_each_once():
    windows = [PastWindow(number, sample(70, seed=number)) for number in (1, 2, 3)]
    pieces = list(regrouped(windows, 100))
    assert [piece.windows for piece in pieces] == [(1, 2), (2, 3)]
    kept = [identity for piece in pieces for identity in piece.sample.ids]
    assert kept == [identity for window in windows for identity in window.sample.ids][:200]
    whole = FeatureSample.joined([window.sample for window in windows])
    np.testing.assert_array_equal(np.concatenate([piece.sample.values for piece in pieces]), whole.values[:200])


def test_one_example_per_request_and_per_client_takes_one_of_each():
    ids = ("cam1-a/0", "cam1-a/1", "cam1-b/0", "cam2-c/0", "nobody/0")
    few = PastWindow(1, sample(5, ids=ids))
    by_request = drawn(few, "request")
    assert sorted(each.rpartition("/")[0] for each in by_request.ids) == ["cam1-a", "cam1-b", "cam2-c", "nobody"]
    assert sorted(each.partition("-")[0] for each in drawn(few, "client:prefix:-").ids) == ["cam1", "cam2"]
    assert drawn(few, "example") is few.sample


@pytest.mark.parametrize("one_example_per", ["image", "60s", "client", "client:field:user"])
def test_what_ids_do_not_tell_the_logs_do(one_example_per):
    asked = []

    def taken(what):
        asked.append(what)
        return {"b/0", "c/0", "not in the sample/0"}

    few = PastWindow(1, sample(3, ids=("a/0", "b/0", "c/0")), taken=taken)
    assert drawn(few, one_example_per).ids == ("b/0", "c/0")
    assert asked == [one_example_per]


def test_a_window_whose_logs_are_gone_is_left_out_and_said(tuning):
    def taken(what):
        return tuning.windows[0].sample.ids[:150] if what == "60s" else ()

    windows = [replace(tuning.windows[0], taken=taken), tuning.windows[4]]
    some = Tuning(windows, tuning.baseline)
    tried = some.attempt(Setting(0.01, one_example_per="60s"))
    assert (tried.pieces, tried.missed) == (1, ())
    assert some.lost == ["Window 5 is left out of `60s`: its logs are not known"]
    with pytest.raises(MonitorError, match="that some window can tell"):
        Tuning(windows[1:], tuning.baseline).attempt(Setting(0.01, one_example_per="image"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((0.0,), "false-alarm rate"), ((float("nan"),), "false-alarm rate"), ((0.01, 10), "30 or more")],
)
def test_settings_out_of_range_are_refused(arguments, said):
    with pytest.raises(MonitorError, match=said):
        Setting(*arguments)


def test_too_few_permutations_for_a_rate_say_so(tuning):
    with pytest.raises(MonitorError, match=r"monitor.permutations.*for a rate of 0.0001"):
        tuning.attempt(Setting(0.0001))


def test_without_windows_there_is_nothing_to_tune(tuning):
    with pytest.raises(MonitorError, match="have windows"):
        Tuning([], tuning.baseline).attempt(Setting(0.01))
