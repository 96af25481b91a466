"""The quick run: the embedded sample, a classifier made on the spot, and assertions on counts with fixed seeds."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model_monitor.traffic import shifts

from .draws import generator
from .methods import prepare
from .pool import Pool, held_out, trainer_settings
from .quick_model import QuickModel
from .rates import binomial_cdf
from .table import Table, measure

NULL_WINDOWS = 200
SHIFTED_WINDOWS = 20
SIZE = 50
REFERENCE = 500
LEVEL = 0.05
NOT_BY_CHANCE = 1e-3
BLUR, FAINT = ("gaussian_blur", 3), ("brightness", 2)
_TRAINED_ON = 0.4  # of the pool; the rest is held out


@dataclass(frozen=True)
class Counts:
    """Alarms of a method: `null` of `NULL_WINDOWS`, `blurred` and `brighter` of `SHIFTED_WINDOWS`."""

    null: int
    blurred: int
    brighter: int


def run(folder: Path, methods: tuple[str, ...] = ("ours", "bbsds")) -> dict[str, Counts]:
    """Alarms at 5 % in windows of 50 against references of 500, drawn afresh and disjoint."""
    clean, changed = _tables(held_out(folder, trainer_settings("sample")))
    return {method: _count(method, clean, changed) for method in methods}


def clean_table(folder: Path) -> Table:
    """What the quick model says of the clean images that it has not learnt from."""
    return quick_model(held_out(folder, trainer_settings("sample")))[0]


def _tables(pool: Pool) -> tuple[Table, dict[str, Table]]:
    """What a quick model, trained on a part of the pool, says of the rest: clean, blurred and brighter."""
    clean, model, rest = quick_model(pool)
    images, labels = rest.images, rest.labels

    def table(name: str, severity: int) -> Table:
        shifted = shifts.apply(name, images, labels, severity=severity, seed=1).images
        return measure(shifted, *model.predict(shifted), clean.untrained)

    return clean, {"blurred": table(*BLUR), "brighter": table(*FAINT)}


def quick_model(pool: Pool) -> tuple[Table, QuickModel, Pool]:
    """The clean images that a quick model has not learnt from as it sees them, the model, and these images."""
    trained = round(_TRAINED_ON * len(pool.labels))
    model = QuickModel.fit(pool.images[:trained], pool.labels[:trained])
    rest = Pool(pool.images[trained:], pool.labels[trained:])
    untrained = np.zeros((len(rest.labels), 0), np.float32)
    return measure(rest.images, *model.predict(rest.images), untrained), model, rest


def _count(method: str, clean: Table, changed: dict[str, Table]) -> Counts:
    null = sum(_alarm(method, clean, clean, trial) for trial in range(NULL_WINDOWS))
    found = {
        name: sum(_alarm(method, clean, table, NULL_WINDOWS + trial) for trial in range(SHIFTED_WINDOWS))
        for name, table in changed.items()
    }
    return Counts(null, found["blurred"], found["brighter"])


def _alarm(method: str, clean: Table, other: Table, trial: int) -> bool:
    order = generator("quick", trial).permutation(len(clean))
    reference, window = clean.take(order[SIZE : SIZE + REFERENCE]), other.take(order[:SIZE])
    return bool(prepare(method, reference)(window, trial).alarm)


def too_many(alarms: int, trials: int = NULL_WINDOWS, rate: float = LEVEL) -> bool:
    """Whether a monitor whose false alarms are at most `rate` would hardly ever raise so many.

    >>> too_many(10), too_many(30)
    (False, True)
    """
    return 1 - binomial_cdf(alarms - 1, trials, rate) < NOT_BY_CHANCE


def main(folder: Path) -> None:
    """Prints the counts; exits with 1 unless false alarms are within bounds and the blurred windows are found."""
    counts = run(folder)
    for method, found in counts.items():
        print(
            f"{method}: {found.null} of {NULL_WINDOWS} null windows, {found.blurred} of {SHIFTED_WINDOWS} blurred, "
            f"{found.brighter} of {SHIFTED_WINDOWS} brighter"
        )
    ours, peer = counts["ours"], counts["bbsds"]
    if too_many(ours.null) or ours.blurred < SHIFTED_WINDOWS or ours.brighter < peer.brighter:
        raise SystemExit("The monitor raises more false alarms than 5 %, or misses what it is to find.")
