import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.common.errors import MonitorError
from components.common.two_sample import comparison
from components.common.two_sample.comparison import (
    CLASS_FEATURE,
    FIRST_LOOK,
    JENSEN_SHANNON,
    KOLMOGOROV_SMIRNOV,
    L_INFINITY,
    MAX_ROWS,
    Feature,
    Rows,
    compare,
    compare_in_looks,
    thresholds,
)

EDGES = tuple(np.linspace(-4, 4, 41).tolist())
FEATURES = [Feature(f"image_{i}", EDGES, 5) for i in range(3)] + [
    Feature(f"prediction_{i}", EDGES, 5) for i in range(3)
]
NAN = np.nan


def drawn(rng, rows, shift=0.0, classes=None):
    """Six correlated features, skewed, the first of which is shifted."""
    shared = rng.normal(size=(rows, 1))
    values = 0.7 * shared + 0.7 * rng.normal(size=(rows, 6))
    values[:, 3] = np.exp(values[:, 3]) - 2
    values[:, 0] += shift
    of_class = rng.integers(0, 5, rows) if classes is None else np.full(rows, classes)
    return Rows(values.astype(np.float32), of_class)


def checks_of(found):
    return {(check.test, check.feature): check for check in found.checks}


def consistent(found):
    """The contract between p-value, alarm and thresholds."""
    rate = found.false_alarm_rate
    assert found.alarm == (found.p_value <= rate)
    assert found.alarm == any(check.measured > check.threshold for check in found.checks)
    assert found.p_value == min(check.adjusted_p_value for check in found.checks)
    for check in found.checks:
        assert (check.measured > check.threshold) == (check.adjusted_p_value <= rate)
        assert math.isfinite(check.measured)
        assert not math.isnan(check.threshold)
        assert 0 < check.p_value <= 1
    return True


def test_what_moved_is_named_first_and_what_did_not_is_not():
    rng = np.random.default_rng(0)
    found = compare(FEATURES, drawn(rng, 800), drawn(rng, 200, shift=0.8), permutations=499)
    assert found.alarm
    assert consistent(found)
    named = [check.feature for check in found.checks if check.feature]
    assert named[:2] == ["image_0", "image_0"]
    checks = checks_of(found)
    assert checks[KOLMOGOROV_SMIRNOV, "image_0"].excess > 0
    assert not any(c.measured > c.threshold for c in found.checks if c.feature not in ("image_0", ""))
    assert (found.window_size, found.reference_size, found.permutations) == (200, 800, 499)


def test_every_check_is_there():
    rng = np.random.default_rng(1)
    tests = checks_of(compare(FEATURES, drawn(rng, 60), drawn(rng, 20), permutations=49))
    assert {name for test, name in tests if test == JENSEN_SHANNON} == {feature.name for feature in FEATURES}
    assert {name for test, name in tests if test == KOLMOGOROV_SMIRNOV} == {feature.name for feature in FEATURES}
    assert (L_INFINITY, CLASS_FEATURE) in tests
    joint = ["hotelling_t2", "hotelling_t2_image", "hotelling_t2_prediction", "interactions", "squared_residuals"]
    assert sorted(test for test, name in tests if not name) == joint


def test_a_class_that_takes_over_is_found_by_l_infinity():
    rng = np.random.default_rng(2)
    found = compare(FEATURES, drawn(rng, 500), drawn(rng, 100, classes=3), permutations=199, false_alarm_rate=0.05)
    check = checks_of(found)[L_INFINITY, CLASS_FEATURE]
    assert check.measured > check.threshold
    assert check.p_value == pytest.approx(1 / 200)


@pytest.mark.parametrize(("reference", "window"), [(10, 10), (200, 20), (20, 200)])
@pytest.mark.parametrize("discrete", [False, True])
def test_false_alarms_come_at_the_rate_asked_for_at_most(reference, window, discrete):
    rng = np.random.default_rng(3)
    alarms, rate, trials = 0, 0.1, 150
    for trial in range(trials):
        sides = [drawn(rng, reference), drawn(rng, window)]
        if discrete:  # few values, many ties
            sides = [Rows(np.round(side.values / 2), side.classes // 3) for side in sides]
        alarms += compare(FEATURES, *sides, false_alarm_rate=rate, permutations=39, seed=trial).alarm
    deviation = math.sqrt(rate * (1 - rate) * trials)
    assert alarms <= rate * trials + 3.5 * deviation
    assert discrete or alarms >= rate * trials - 3.5 * deviation


@settings(max_examples=40)
@given(
    st.lists(st.lists(st.sampled_from([NAN, -1.0, 0.0, 0.5, 9.0]), min_size=3, max_size=3), min_size=2, max_size=25),
    st.integers(1, 24),
    st.booleans(),
)
def test_any_rows_at_all_are_compared(values, window, with_classes):
    array = np.array(values, np.float32)
    window = min(window, len(array) - 1)
    classes = (np.arange(len(array)) % 3 - 1) if with_classes else None
    sides = [
        Rows(array[part], None if classes is None else classes[part]) for part in (slice(window, None), slice(window))
    ]
    assert consistent(compare(FEATURES[:3], *sides, permutations=39, false_alarm_rate=0.05))


def test_identical_rows_are_no_difference():
    rows = Rows(np.zeros((30, 6), np.float32), np.zeros(30, np.int64))
    found = compare(FEATURES, rows, rows, permutations=99, false_alarm_rate=0.05)
    assert found.p_value == 1
    assert consistent(found)
    assert not any(check.measured > check.threshold for check in found.checks)


def test_a_feature_that_is_missing_all_of_a_sudden_is_found():
    rng = np.random.default_rng(4)
    reference, window = drawn(rng, 300), drawn(rng, 40)
    window.values[:, 1] = NAN
    found = compare(FEATURES, reference, window, permutations=199)
    assert found.alarm
    assert checks_of(found)[KOLMOGOROV_SMIRNOV, "image_1"].measured == 1


def test_an_infinite_value_is_a_value():
    rng = np.random.default_rng(5)
    reference, window = drawn(rng, 100), drawn(rng, 30)
    window.values[0, 0], reference.values[3, 0] = np.inf, -np.inf
    assert consistent(compare(FEATURES, reference, window, permutations=99, false_alarm_rate=0.05))


def test_classes_alone_can_be_compared():
    nothing = np.zeros((50, 0), np.float32)
    reference, window = Rows(nothing, np.arange(50) % 5), Rows(nothing[:20], np.zeros(20, np.int64))
    assert compare([], reference, window, permutations=199).alarm


def test_the_same_seed_gives_the_same_comparison():
    rng = np.random.default_rng(6)
    sides = drawn(rng, 100), drawn(rng, 40, shift=0.4)
    first, again, other = (compare(FEATURES, *sides, permutations=99, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert checks_of(first)["hotelling_t2", ""].measured == checks_of(other)["hotelling_t2", ""].measured
    assert checks_of(first)["hotelling_t2", ""].threshold != checks_of(other)["hotelling_t2", ""].threshold


def test_samples_of_larger_populations_have_thresholds_for_these():
    rng = np.random.default_rng(7)
    sides = drawn(rng, 100), drawn(rng, 100)
    large = [Rows(side.values, side.classes, 400) for side in sides]
    plain, scaled = (
        checks_of(compare(FEATURES, *rows, permutations=99, false_alarm_rate=0.05)) for rows in (sides, large)
    )
    for (test, name), power in (((JENSEN_SHANNON, "image_1"), 1), ((KOLMOGOROV_SMIRNOV, "image_1"), 0.5)):
        assert scaled[test, name].threshold == plain[test, name].threshold == plain[test, name].population_threshold
        assert scaled[test, name].population_threshold == pytest.approx(plain[test, name].threshold / 4**power)


def test_more_rows_than_are_used_are_sampled():
    rng = np.random.default_rng(8)
    features = [Feature("x", (-1.0, 0.0, 1.0))]
    rows = Rows(rng.normal(size=(MAX_ROWS + 500, 1)).astype(np.float32))
    found = compare(features, rows, Rows(rows.values[:50]), permutations=19)
    assert found.reference_size == MAX_ROWS + 500
    assert found == compare(features, rows, Rows(rows.values[:50]), permutations=19)


@pytest.mark.parametrize(("rows", "window", "reference"), [(500, 100, 500), (500, 500, 500), (300, 100, 2000)])
def test_thresholds_from_the_baseline_alone_hold_their_rate(rows, window, reference):
    rng = np.random.default_rng(9)
    rate, trials, alarms = 0.1, 60, 0
    for trial in range(trials):
        baseline = drawn(rng, rows)
        known = Rows(baseline.values, baseline.classes, reference)
        limits = thresholds(FEATURES, known, window_size=window, false_alarm_rate=rate, permutations=199, seed=trial)
        found = compare(FEATURES, drawn(rng, reference), drawn(rng, window), permutations=1)
        alarms += any(c.measured > limits[c.test, c.feature] for c in found.checks if (c.test, c.feature) in limits)
    assert rate * trials - 6 <= alarms + 2  # 6: expected
    assert alarms <= rate * trials + 3.5 * math.sqrt(rate * (1 - rate) * trials)


def test_thresholds_are_those_of_tfdvs_comparators():
    rng = np.random.default_rng(10)
    baseline = drawn(rng, 200)
    limits = thresholds(FEATURES, baseline, window_size=100, permutations=199, false_alarm_rate=0.05)
    assert set(limits) == {(JENSEN_SHANNON, feature.name) for feature in FEATURES} | {(L_INFINITY, CLASS_FEATURE)}
    wider = thresholds(FEATURES, baseline, window_size=20, permutations=199, false_alarm_rate=0.05)
    assert all(wider[key] > limits[key] for key in limits)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"features": FEATURES[:5]}, r"`reference.values` must be of shape \[examples, 5\]"),
        ({"features": [*FEATURES[:5], FEATURES[0]]}, "`features` must have names of their own"),
        ({"window": Rows(np.zeros((0, 6), np.float32))}, r"`window.values` must be of shape \[examples, 6\]"),
        ({"window": Rows(np.zeros((4, 6), np.float32))}, "`classes` must be known of both sides or of neither"),
        ({"window": Rows(np.zeros((4, 6), np.float32), np.zeros(3, int))}, r"`window.classes` must be of shape \[4\]"),
        ({"false_alarm_rate": 0.0}, r"`false_alarm_rate` must be in \(0, 1\)"),
        ({"permutations": 0}, "`permutations` must be at least 1"),
    ],
)
def test_what_cannot_be_compared_is_said(change, expected):
    rng = np.random.default_rng(11)
    arguments = {"features": FEATURES, "reference": drawn(rng, 20), "window": drawn(rng, 10), **change}
    features, reference, window = (arguments.pop(name) for name in ("features", "reference", "window"))
    with pytest.raises(MonitorError, match=expected):
        compare(features, reference, window, **{"permutations": 9, **arguments})


@pytest.mark.parametrize(
    ("edges", "per_bucket"), [((0.0,), 1), ((0.0, 0.0, 1.0), 1), ((0.0, np.inf), 1), ((0.0, 1, 2, 3), 2)]
)
def test_a_features_bins_are_checked(edges, per_bucket):
    with pytest.raises(MonitorError, match="bin"):
        Feature("x", edges, per_bucket)


def test_all_permutations_are_for_windows_that_look_unusual():
    rng = np.random.default_rng(4)
    reference, clean, shifted = drawn(rng, 300), drawn(rng, 100), drawn(rng, 100, shift=1.0)
    rare = {"false_alarm_rate": 3e-4, "permutations": 4999, "seed": 3}
    found = compare_in_looks(FEATURES, reference, clean, **rare)
    assert found == compare(FEATURES, reference, clean, **{**rare, "permutations": FIRST_LOOK})
    assert not found.alarm
    assert all(check.measured <= check.threshold < math.inf for check in found.checks)
    found = compare_in_looks(FEATURES, reference, shifted, **rare)
    assert found == compare(FEATURES, reference, shifted, **rare)
    assert found.alarm


def test_how_many_permutations_are_in_memory_makes_no_difference(monkeypatch):
    rng = np.random.default_rng(6)
    sides = drawn(rng, 200), drawn(rng, 60, shift=0.5)
    whole = compare(FEATURES, *sides, permutations=500)
    monkeypatch.setattr(comparison, "_AT_ONCE", 77)
    in_parts = compare(FEATURES, *sides, permutations=500)
    assert in_parts.p_value == whole.p_value
    assert [(check.test, check.feature) for check in in_parts.checks] == [
        (check.test, check.feature) for check in whole.checks
    ]
    np.testing.assert_allclose(
        [check.threshold for check in in_parts.checks], [check.threshold for check in whole.checks], rtol=1e-9
    )


def test_fewer_permutations_than_a_first_look_has_are_one_look():
    rng = np.random.default_rng(5)
    sides = (drawn(rng, 100), drawn(rng, 50, shift=2.0))
    few = {"false_alarm_rate": 0.01, "permutations": 199}
    assert compare_in_looks(FEATURES, *sides, **few) == compare(FEATURES, *sides, **few)
