"""How often a change of predictions is found, by how their histograms are cut: the reason for edges in log-odds.

    python -m benchmarks.prediction_power MODEL DIR

MODEL is a folder pushed by `model-monitor train`, DIR holds CIFAR-10 binary files; the model scores the 10,000 test
images. A net that is surer than it should be, as many are, is made of it by quadrupling its logits. References of 5,000
and windows of n are drawn; the threshold is the 95th percentile of 400 such comparisons. Then each window is changed:
"unsure", its logits shrunk by a factor, or "mixed", a share of it drawn from the quarter that the model is least sure
of. Embeddings are shifted and spread as in `benchmarks.histogram_power`. Printed is the share of 400 comparisons above
the threshold, averaged over windows and features, on buckets by Jensen-Shannon and on bins by Kolmogorov-Smirnov.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from benchmarks import histogram_power
from benchmarks.histogram_power import REFERENCE, REPEATS, jensen_shannon, kolmogorov_smirnov
from benchmarks.property_ranges import RECORD
from components.image_statistics_gen.prediction_edges import BINS_PER_BUCKET, edges_of
from components.image_statistics_gen.prediction_features import compute

CASES = ((50, 0.9, 0.35), (200, 0.95, 0.18), (1000, 0.98, 0.08))  # window, factor of the logits, share mixed in
FEATURES = ("confidence", "margin", "entropy", "probability_03")
OVERCONFIDENT = 4

Floats = npt.NDArray[np.float64]
Table = npt.NDArray[np.float32]
Cuts = Mapping[str, Callable[[str, Floats], tuple[Floats, Floats]]]


def score(model: Path, images: npt.NDArray[np.uint8]) -> tuple[Table, Table]:
    """Probabilities and embeddings."""
    signature = tf.saved_model.load(str(model)).signatures["serving_default"]
    parts = [signature(image=tf.constant(images[start : start + 500])) for start in range(0, len(images), 500)]
    return tuple(np.concatenate([part[key].numpy() for part in parts]) for key in ("probabilities", "embedding"))


def with_logits_times(rows: Table, factor: float) -> Table:
    powers = rows.astype(np.float64) ** factor
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def features_of(rows: Table) -> dict[str, Floats]:
    numbers = compute(rows, np.zeros((len(rows), 0), np.float32)).numbers
    return {name: numbers[name].astype(np.float64) for name in FEATURES}


def _equal_widths(name: str, values: Floats) -> tuple[Floats, Floats]:
    top = np.log2(10) if name == "entropy" else 1.0
    return np.linspace(0, top, 15), np.linspace(0, top, 141)


def _deciles(name: str, values: Floats) -> tuple[Floats, Floats]:
    return np.quantile(values, np.linspace(0, 1, 11)), np.quantile(values, np.linspace(0, 1, 1001))


def _ours(name: str, values: Floats) -> tuple[Floats, Floats]:
    edges = np.array(edges_of(name.partition("_")[0]))
    return edges[::BINS_PER_BUCKET], edges


# Deciles of the data itself, and a thousand quantiles, are what edges fixed in advance can at best come close to.
CUTS: Cuts = {"14 equal buckets, 140 bins": _equal_widths, "ours": _ours, "deciles, 1,000 quantiles": _deciles}


def found_of(values: Sequence[Floats], edges: Floats, size: int, share: float) -> list[float]:
    """Shares found of "unsure" and "mixed" windows, by Jensen-Shannon and Kolmogorov-Smirnov.

    `values` are those of the examples, of the same made unsure, and of the ones to mix in.
    """
    before, changed, mixed_in = values
    rng = np.random.default_rng(0)
    width = len(edges) - 1

    def draw(values: Floats, count: int) -> Floats:
        bins = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, width - 1)
        counts = [np.bincount(rng.choice(bins, count), minlength=width) for _ in range(REPEATS)]
        return np.array(counts, np.float64)

    hard = round(share * size)
    reference, null, unsure = draw(before, REFERENCE) / REFERENCE, draw(before, size) / size, draw(changed, size) / size
    mixed = (draw(before, size - hard) + draw(mixed_in, hard)) / size
    shares = []
    for distance in (jensen_shannon, kolmogorov_smirnov):
        threshold = np.quantile(distance(reference, null), 0.95)
        shares += [float((distance(reference, window) > threshold).mean()) for window in (unsure, mixed)]
    return shares


def measure_cut(rows: Table, cut: Callable[[str, Floats], tuple[Floats, Floats]]) -> Floats:
    """JS unsure, JS mixed on buckets, KS unsure, KS mixed on bins: means over windows and features."""
    before = features_of(rows)
    least_sure = np.argsort(before["confidence"])[: len(rows) // 4]
    results = []
    for size, factor, share in CASES:
        changed = features_of(with_logits_times(rows, factor))
        for name in FEATURES:
            values = before[name], changed[name], before[name][least_sure]
            buckets, bins = cut(name, before[name])
            coarse, fine = (found_of(values, np.unique(edges), size, share) for edges in (buckets, bins))
            results.append([*coarse[:2], *fine[2:]])
    return np.mean(results, axis=0)


def measure_embedding(embedding: Table, *, ours: bool) -> Floats:
    """JS shifted, JS spread on buckets, KS shifted, KS spread on bins: means over windows and components."""
    results = []
    for column in embedding.T.astype(np.float64):
        buckets, bins = (_ours if ours else _deciles)("embedding", column)
        for case in histogram_power.CASES:
            coarse = histogram_power.power(column, buckets, case, jensen_shannon)
            results.append([*coarse, *histogram_power.power(column, bins, case, kolmogorov_smirnov)])
    return np.mean(results, axis=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    records = np.fromfile(arguments.folder / "test_batch.bin", np.uint8).reshape(-1, RECORD)
    images = np.ascontiguousarray(records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    probabilities, embedding = score(arguments.model, images)
    models = {"as trained": probabilities, "overconfident": with_logits_times(probabilities, OVERCONFIDENT)}
    print(f"{'':44}JS unsure   mixed  KS unsure   mixed")
    for model, rows in models.items():
        for name, cut in CUTS.items():
            print(f"{model:14}{name:30}" + "".join(f"{share:9.2f}" for share in measure_cut(rows, cut)))
    print(f"{'':44}JS shift   spread   KS shift  spread")
    for name, ours in (("ours", True), ("deciles, 1,000 quantiles", False)):
        shares = measure_embedding(embedding[:, ::4], ours=ours)
        print(f"{'embedding':14}{name:30}" + "".join(f"{share:9.2f}" for share in shares))


if __name__ == "__main__":
    main()
