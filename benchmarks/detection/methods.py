"""What is compared: each method sees a reference and a window and says how unusual the window is.

A method is prepared on a reference, which windows of the same trial share, and then judges windows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from components.common.errors import require_known
from components.common.two_sample.comparison import Rows, compare

from .kolmogorov_smirnov import SortedReference
from .table import Table, monitored_features

LEVEL = 0.05
SAMPLE = 5_000  # rows of a larger reference that ours is given: half of what the product takes, for half the time
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Verdict:
    """`score`: higher is more unusual; `alarm`: by the method's own rule at 5 %, or by default; None if it has none."""

    score: float
    alarm: bool | None


Judge = Callable[[Table, int], Verdict]  # the window, and a seed for methods that draw at random
Prepare = Callable[[Table], Judge]


def ours(reference: Table, *, permutations: int = 199) -> Judge:
    """The product's own comparison. The score is minus the window's p-value, the alarm at 5 %.

    Rows of a reference come in random order, so the first ones are a sample of it.
    """
    features = monitored_features()
    known = Rows(reference.values[:SAMPLE], reference.classes[:SAMPLE])

    def judge(window: Table, seed: int) -> Verdict:
        rows = Rows(window.values, window.classes)
        found = compare(features, known, rows, false_alarm_rate=LEVEL, permutations=permutations, seed=seed)
        return Verdict(-found.p_value, found.alarm)

    return judge


def bbsds(reference: Table) -> Judge:
    """Softmax outputs, Kolmogorov-Smirnov, Bonferroni: black-box shift detection of Lipton et al. 2018, as in Failing
    Loudly, and what alibi-detect's KSDrift computes on a classifier's softmax outputs.
    """
    return _bonferroni(SortedReference(reference.softmax), lambda table: table.softmax)


def untrained_ks(reference: Table) -> Judge:
    """An untrained encoder's 32 outputs, Kolmogorov-Smirnov, Bonferroni: KSDrift of alibi-detect's CIFAR-10 example."""
    return _bonferroni(SortedReference(reference.untrained), lambda table: table.untrained)


def all_features_ks(reference: Table) -> Judge:
    """Our features, the usual way: Kolmogorov-Smirnov with Bonferroni."""
    return _bonferroni(SortedReference(reference.values), lambda table: table.values)


def _bonferroni(reference: SortedReference, columns: Callable[[Table], npt.NDArray[np.float32]]) -> Judge:
    def judge(window: Table, seed: int) -> Verdict:
        seen = columns(window)
        smallest = reference.smallest_p_value(seen) * seen.shape[1]
        return Verdict(-smallest, smallest < LEVEL)  # KSDrift: "<", not "<="

    return judge


def hotelling(reference: Table) -> Judge:
    """Hotelling's T2 on all features, covariance of the reference: the prototype. It has no threshold of its own."""
    values = reference.values.astype(np.float64)
    mean, spread = values.mean(axis=0), np.maximum(values.std(axis=0), 1e-12)
    standard = (values - mean) / spread
    covariance = standard.T @ standard / len(standard)
    inverse = np.linalg.inv(covariance + 1e-3 * np.eye(len(mean)))

    def judge(window: Table, seed: int) -> Verdict:
        gap = (window.values.mean(axis=0, dtype=np.float64) - mean) / spread
        return Verdict(float(gap @ inverse @ gap), None)

    return judge


def tfdv(reference: Table) -> Judge:
    """The largest Jensen-Shannon divergence of TFDV with default histograms; the thresholds come later."""
    from .tfdv_default import default_histograms, largest_divergence  # noqa: PLC0415 - tfx_bsl: not needed elsewhere

    known = default_histograms(reference.values)

    def judge(window: Table, seed: int) -> Verdict:
        return Verdict(largest_divergence(known, default_histograms(window.values)), None)

    return judge


def evidently(reference: Table) -> Judge:
    """Evidently's embedding drift by default: a linear classifier's ROC AUC on half of the data."""
    from .peer_methods import evidently_embeddings  # noqa: PLC0415 - in an environment of its own

    return evidently_embeddings(reference)


def alibi_mmd(reference: Table) -> Judge:
    """alibi-detect's MMDDrift on the untrained encoder's outputs: 100 permutations, the median heuristic."""
    from .peer_methods import mmd_untrained  # noqa: PLC0415 - in an environment of its own

    return mmd_untrained(reference)


METHODS: Mapping[str, Prepare] = {
    "ours": ours,
    "ours_1999": partial(ours, permutations=1999),
    "bbsds": bbsds,
    "untrained_ks": untrained_ks,
    "all_features_ks": all_features_ks,
    "hotelling": hotelling,
    "tfdv": tfdv,
    "evidently": evidently,
    "alibi_mmd": alibi_mmd,
}
OURS = ("ours",)
QUICK_PEERS = ("bbsds", "untrained_ks", "all_features_ks", "hotelling", "tfdv")


def prepare(name: str, reference: Table) -> Judge:
    """Raises `MonitorError` for an unknown name."""
    require_known(name, METHODS, "methods")
    return METHODS[name](reference)
