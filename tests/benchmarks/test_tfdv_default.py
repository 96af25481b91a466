import numpy as np
import pandas as pd
import pytest
import tensorflow_data_validation as tfdv

from benchmarks.detection.tfdv_default import default_histograms, divergence, largest_divergence


def real(reference: pd.DataFrame, window: pd.DataFrame) -> dict[str, float]:
    """What TFDV itself measures, with every option left at its default."""
    known, seen = (tfdv.generate_statistics_from_dataframe(frame) for frame in (reference, window))
    schema = tfdv.infer_schema(known)
    for feature in schema.feature:
        feature.skew_comparator.jensen_shannon_divergence.threshold = 0.0
    found = tfdv.validate_statistics(known, schema, serving_statistics=seen).drift_skew_info
    return {each.path.step[0]: each.skew_measurements[0].value for each in found}


def frame(rng: np.random.Generator, count: int, shift: float) -> pd.DataFrame:
    columns = {
        "normal": rng.normal(shift, 1, count),
        "skewed": rng.exponential(1 + shift, count),
        "rounded": np.round(rng.normal(shift, 1, count)),
        "mostly_zero": np.where(rng.random(count) < 0.9, 0, rng.random(count)),
        "ends_tied": np.clip(rng.normal(shift, 1, count), -0.5, 0.5),
    }
    return pd.DataFrame(columns).astype(np.float32)


@pytest.mark.parametrize(("reference", "window"), [(5000, 500), (2000, 2000), (500, 50), (3000, 10), (30, 30)])
def test_divergences_are_tfdvs_own(reference, window):
    rng = np.random.default_rng(reference + window)
    known, seen = frame(rng, reference, 0.0), frame(rng, window, 0.3)
    ours = [divergence(a, b) for a, b in zip(*(default_histograms(f.to_numpy()) for f in (known, seen)), strict=True)]
    wanted = real(known, seen)
    assert ours == pytest.approx([wanted[name] for name in known.columns], abs=1e-9)


def test_the_largest_counts():
    rng = np.random.default_rng(0)
    known, seen = rng.normal(size=(500, 2)), rng.normal((0, 5), 1, size=(200, 2))
    first, second = default_histograms(known.astype(np.float32)), default_histograms(seen.astype(np.float32))
    assert largest_divergence(first, second) == divergence(first[1], second[1]) > divergence(first[0], second[0])


@pytest.mark.parametrize(("value", "wanted"), [(1.0, 0.0), (2.0, 1.0)])
def test_a_feature_with_one_value_is_a_point(value, wanted):
    first, second = (default_histograms(np.full((20, 1), v, np.float32))[0] for v in (1.0, value))
    assert divergence(first, second) == wanted
