"""Methods of other packages, imported in the environment of `requirements/bench.txt` alone.

Both are called as their packages' own pages call them, on arrays that are in the cache already.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .table import Table

if TYPE_CHECKING:
    from .methods import Judge, Verdict

FEW = 1000  # references smaller than this are bootstrapped by Evidently's metric by default


def _verdict(score: float, alarm: bool) -> "Verdict":
    from .methods import Verdict  # noqa: PLC0415 - methods imports this module

    return Verdict(score, alarm)


def evidently_embeddings(reference: Table) -> "Judge":
    """What `EmbeddingsDriftMetric` does without a drift method, on the model's 16 embedding components.

    A window whose test half holds no image of it gives no ROC AUC, and so no alarm.
    """
    import pandas as pd  # noqa: PLC0415
    from evidently.metrics.data_drift.embedding_drift_methods import model  # noqa: PLC0415

    names = [f"e{d}" for d in range(reference.embedding.shape[1])]
    drift = model(bootstrap=len(reference) < FEW)

    def judge(window: Table, seed: int) -> "Verdict":
        current, known = (pd.DataFrame(table.embedding, columns=names) for table in (window, reference))
        try:
            score, alarm, _ = drift(current, known)
        except ValueError:
            return _verdict(0.0, alarm=False)
        return _verdict(float(np.nan_to_num(score)), bool(alarm))

    return judge


def mmd_untrained(reference: Table) -> "Judge":
    """MMDDrift as alibi-detect's CIFAR-10 example sets it up: its encoder's outputs, 100 permutations, p below 0.05."""
    from alibi_detect.cd import MMDDrift  # noqa: PLC0415

    detector = MMDDrift(reference.untrained, backend="tensorflow", p_val=0.05, n_permutations=100)

    def judge(window: Table, seed: int) -> "Verdict":
        np.random.seed(seed)
        found = detector.predict(window.untrained)["data"]
        return _verdict(-float(found["p_val"]), bool(found["is_drift"]))

    return judge


def alibi_ks(reference: npt.NDArray[np.float32]) -> Callable[[npt.NDArray[np.float32]], tuple[bool, float]]:
    """KSDrift itself, to check ours of it: window -> (drift, smallest p-value)."""
    from alibi_detect.cd import KSDrift  # noqa: PLC0415

    detector = KSDrift(reference, p_val=0.05)

    def predict(window: npt.NDArray[np.float32]) -> tuple[bool, float]:
        found = detector.predict(window)["data"]
        return bool(found["is_drift"]), float(found["p_val"].min())

    return predict
