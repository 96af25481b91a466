"""Run lengths and delays: the vectors do what the product does, and the quick run keeps its promises."""

from pathlib import Path

import numpy as np
import pytest
from scipy import special

from benchmarks.detection.one_baseline import Population, pair_groups
from benchmarks.detection.table import Table
from benchmarks.live import candidates, clean_windows, delays, error_predictor, harm, run_length_tables, run_lengths
from benchmarks.live.chains import Chains, Parts
from benchmarks.live.chains import run_lengths as lengths_of
from benchmarks.live.drifts import Drift, NullScale, discrete
from components.common.proportion import Proportion
from components.common.sequential.cusum import Cusum, JudgedWindow, average_run_length, threshold_for
from components.common.two_sample.combination import family_scores
from tests.benchmarks.conftest import made_up

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "cifar10_sample"


@pytest.fixture(scope="module")
def quick():
    return run_lengths.quick(SAMPLE)


def test_the_quick_run_keeps_its_promises(quick):
    assert run_lengths.broken(quick) == []


def test_a_promise_that_is_broken_is_named(quick):
    short = {"real": {"ours": {"twentieth": 0.1}, "plain": {"twentieth": 0.1}}}
    assert run_lengths.broken(quick | {"clean": {"short": short}}) == [
        "the worst twentieth of baselines keeps the run length"
    ]


def test_the_fit_agrees_with_the_real_windows(quick):
    real, fitted = (quick["clean"]["short"][kind]["ours"] for kind in ("real", "fitted"))
    assert fitted["median"] == pytest.approx(real["median"], rel=0.3)


def test_every_table_of_the_page_is_made(quick):
    found = quick | {"clean": [quick["clean"]], "small": quick["delays"]}
    for name, table in run_length_tables.TABLES.items():
        lines = table(found).splitlines()
        assert len(lines) >= 3, name
        assert len({line.count("|") for line in lines}) == 1


def test_vectors_of_cusums_do_what_the_product_does():
    rng = np.random.default_rng(0)
    p_values = np.maximum(1e-6, rng.random((4, 200)) ** np.array([1, 1.5, 3, 1])[:, None])
    p_values[3, 50:60] = 0.001
    chains = Chains(100, 500 / 2500, (4,))
    steps = [(chains.step(np.maximum(-special.ndtri(column), -3)).copy(), chains.value.copy()) for column in p_values.T]
    for row in range(4):
        states = Cusum(100).follow(JudgedWindow(f"w{i}", float(p), 500, 2000) for i, p in enumerate(p_values[row]))
        assert [state.rings for state in states] == [bool(rings[row]) for rings, _ in steps]
        assert [state.value for state in states] == pytest.approx([value[row] for _, value in steps], abs=1e-9)
    assert any(rings[2] for rings, _ in steps)


def test_run_lengths_are_those_of_the_integral():
    """Of a baseline beyond any doubt: the plain CUSUM's and ours, and a single window's 1 / rate."""
    found = lengths_of(
        lambda rng: rng.standard_normal((1, 4000)), Parts(0.02, 50), (1, 10**9), cap=2000, seed=0
    )  # fmt: skip
    expected = average_run_length(threshold_for(50.0))
    assert found["plain"].mean() == pytest.approx(expected, rel=0.05)
    assert found["ours"].mean() == pytest.approx(expected, rel=0.05)
    assert found["single"].mean() == pytest.approx(50, rel=0.05)
    assert 25 < found["together"].mean() < 40


def test_lengths_that_are_cut_off_are_the_cap():
    found = lengths_of(lambda rng: np.full((1, 3), -1.0), Parts(0.01, 50), (100, 1000), cap=20, seed=0)
    assert all((each == 20).all() for each in found.values())


def test_pairs_are_ranked_as_the_product_ranks_permutations():
    population = Population(made_up(1).take(np.arange(800)))
    rng = np.random.default_rng(0)
    groups = pair_groups(population, population.draw(5, 300, rng), population.draw(40, 100, rng), 400)
    scores = family_scores(groups)
    ranks = (1 + (scores[None, :] >= scores[:, None]).sum(axis=1)) / (1 + len(scores))
    assert NullScale(groups).p_values(groups) == pytest.approx(ranks)


def test_a_drift_lowers_the_p_values_of_its_windows_and_no_others():
    shifted = made_up(1, shift=0.8)
    drift = Drift(made_up(1), shifted, size=60, reference=300, baselines=3, null_pairs=(8, 100))
    p_values = drift.p_values(np.array([0.0, 0.0, 0.5]), 20, 0)
    assert p_values.shape == (3, 20, 3)
    assert 0.3 < p_values[..., :2].mean() < 0.7
    assert p_values[..., 2].max() < 0.01


def test_p_values_of_so_many_permutations():
    found = discrete(np.full(4000, 0.1), 99, np.random.default_rng(0))
    assert found.min() >= 0.01
    assert found.mean() == pytest.approx((1 + 9.9) / 100, abs=0.002)
    assert set(np.round(found * 100, 6) % 1) == {0.0}


def test_delays_are_counted_from_the_first_window_of_the_drift():
    growing = np.full((2, 3, 10), 0.5)
    growing[..., 4:] = 1e-5
    found = delays.of_drift(np.full((2, 50), 0.5), growing, (500, 5000), np.random.default_rng(0))
    assert found[delays.NOMINAL] == found["single window"] == 5
    assert found["CUSUM"] == 6
    assert found["together"] == 5


def test_candidates_are_held_to_one_run_length():
    for candidate in (candidates.CANDIDATES[1], candidates.CANDIDATES[4]):
        limit = candidates.threshold(candidate, 50)
        if candidate.name.startswith("CUSUM, k = 0.5"):
            assert limit == pytest.approx(threshold_for(50.0), rel=0.05)
        clean = np.random.default_rng(0).standard_normal((1, 500, 600))
        assert candidates.delays(candidate, clean, limit, before=0).mean() == pytest.approx(50, rel=0.2)


def test_summaries_are_over_baselines():
    lengths = np.array([[10.0, 30.0]] * 19 + [[2.0, 2.0]])
    found = clean_windows.Summary.of(lengths, 20)
    assert (found.median, found.worst) == (1, 0.1)
    assert found.worst < found.twentieth <= 1


def test_harm_is_found_by_labels_and_only_where_there_is_some():
    """The model has nine tenths of the clean answers right and none of the shifted ones."""
    clean = made_up(1)
    right = np.random.default_rng(0).random(len(clean)) < 0.9
    labels = np.where(right, clean.classes, (clean.classes + 1) % 10)
    worse = Table(clean.values, (labels + 5) % 10, clean.untrained)
    plan = harm.Plan(200, 500, paths=1, length=40, clean_paths=1, clean_length=20, growth=0.005)
    found = harm.measure(clean, labels, {"worse": worse}, plan)
    path = found["worse"][0]
    assert path["harm"] in {11, 12}  # nine tenths of half a percent of the images a window: 5 points
    assert path["lost"] == pytest.approx(0.18, abs=0.01)
    assert path["harm"] < path[harm.LABELS] < 40
    assert found["none"][0][harm.LABELS] is None


def test_the_error_predictor_takes_doubtful_answers_for_errors():
    rng = np.random.default_rng(0)
    table = made_up(2)
    wrong = table.softmax.max(axis=1) + 0.02 * rng.standard_normal(len(table)) < 0.25
    predictor = error_predictor.ErrorPredictor.fit(table, wrong)
    taken = predictor.taken(made_up(3))
    confidence = made_up(3).softmax.max(axis=1)
    assert confidence[taken].max() < confidence[~taken].mean()
    assert Proportion.of(int(taken.sum()), len(taken)).low < predictor.upper


def test_the_reference_s_bound_holds_at_all_times():
    rng = np.random.default_rng(0)
    ever = [bool((error_predictor.lower_bounds(rng.random(2000) < 0.1) > 0.1).any()) for _ in range(200)]
    assert np.mean(ever) <= error_predictor.LEVEL
    assert error_predictor.lower_bounds(np.random.default_rng(1).random(5000) < 0.4)[-1] > 0.35
