"""How often a shift is found, by how finely the histogram is cut: the reason for the buckets of the frozen histograms.

    python -m benchmarks.histogram_power DIR

DIR holds CIFAR-10 binary files. For eight properties, windows of n images drawn from all are compared with references
of 5,000; the threshold is the 95th percentile of 400 such comparisons. Then each window is shifted by a part of the
property's standard deviation, or spread by a factor, and what is printed is the share of 400 comparisons above the
threshold, averaged over the properties.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.property_ranges import read_images
from components.image_statistics_gen import image_properties
from components.image_statistics_gen.property_edges import image_features
from pipelines.cifar10.config import default_spec

PROPERTIES = ("brightness", "contrast", "sharpness", "entropy", "saturation", "gradient", "noise", "orientation")
CASES = ((50, 0.4, 1.3), (200, 0.2, 1.15), (1000, 0.1, 1.07))  # window, shift in standard deviations, spread
REFERENCE = 5000
REPEATS = 400

Floats = npt.NDArray[np.float64]
Distance = Callable[[Floats, Floats], Floats]


def jensen_shannon(first: Floats, second: Floats) -> Floats:
    """Divergence in bits between rows of frequencies."""
    middle = (first + second) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = [np.where(share > 0, share * np.log2(share / middle), 0) for share in (first, second)]
    return (terms[0] + terms[1]).sum(axis=1) / 2


def kolmogorov_smirnov(first: Floats, second: Floats) -> Floats:
    """Largest difference between cumulative frequencies."""
    return np.abs(np.cumsum(first, axis=1) - np.cumsum(second, axis=1)).max(axis=1)


def power(values: Floats, edges: Floats, case: tuple[int, float, float], distance: Distance) -> list[float]:
    """Share of shifted windows and of spread windows that are found."""
    rng = np.random.default_rng(0)
    size, shift, spread = case
    mean, deviation = values.mean(), values.std()

    def frequencies(count: int, change: Callable[[Floats], Floats]) -> Floats:
        drawn = (np.clip(change(rng.choice(values, count)), edges[0], edges[-1]) for _ in range(REPEATS))
        return np.array([np.histogram(found, edges)[0] / count for found in drawn])

    reference = frequencies(REFERENCE, lambda drawn: drawn)
    threshold = np.quantile(distance(reference, frequencies(size, lambda drawn: drawn)), 0.95)
    changes: tuple[Callable[[Floats], Floats], ...] = (
        lambda drawn: drawn + shift * deviation,
        lambda drawn: (drawn - mean) * spread + mean,
    )
    return [float((distance(reference, frequencies(size, c)) > threshold).mean()) for c in changes]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    found = image_properties.compute(read_images(parser.parse_args().folder))
    features = image_features(default_spec().image)
    print(f"{'':12}{'window':>7}   JS shifted  spread   KS shifted  spread")
    for kind in ("buckets", "bins"):
        for case in CASES:
            rows = []
            for name in PROPERTIES:
                step = features[name].bins_per_bucket if kind == "buckets" else 1
                edges = np.array(features[name].edges[::step])
                values = found[name].astype(np.float64)
                rows.append([power(values, edges, case, d) for d in (jensen_shannon, kolmogorov_smirnov)])
            (js, js_spread), (ks, ks_spread) = np.mean(rows, axis=0)
            print(f"{kind:12}{case[0]:7}   {js:10.2f}{js_spread:8.2f}   {ks:10.2f}{ks_spread:8.2f}")


if __name__ == "__main__":
    main()
