"""How far each label-free estimate of accuracy is from the truth, over shifts and severities.

    python -m benchmarks.accuracy_estimators MODEL DIR

MODEL is a pushed version (a SavedModel that maps uint8 images to `probabilities`), DIR holds CIFAR-10 binary files.
One half of the test images is held out with its labels; windows of 2,000 images come from the other half, one for each
shift and severity of `model_monitor.traffic.shifts`. Printed are mean absolute errors in points of accuracy, also
apart for the shifts in `CHOOSING`, by which settings are picked, and for the others. "both" is every shifted window
with its classes subsampled as well, the rarest to a tenth of the commonest. Last comes how often intervals and bounds
held the truth.
"""

import argparse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.cifar10_example_gen import cifar10_format
from components.image_statistics_gen import image_properties
from components.performance_estimator.accuracy_bounds import SECOND_OPINION, accuracy_bounds
from components.performance_estimator.accuracy_estimation import DEFAULT_ESTIMATOR, ESTIMATORS, HeldOut, estimate
from model_monitor.traffic import shifts

WINDOW = 2_000
NULL_WINDOWS = 100  # without a shift: how often an interval holds the accuracy
NULL_RESAMPLES = 100
BATCH = 500
CHOOSING = ("gaussian_noise", "gaussian_blur", "brightness", "saturation", "jpeg", "rotation", "zoom", "channel_swap")
CLASSES = ("class_imbalance", "class_dropout")
BOUNDING = (DEFAULT_ESTIMATOR, SECOND_OPINION)
NOT_SEEN = ("rotation", "translation", "zoom", "channel_swap")  # when the allowance of the bounds was chosen

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Cell:
    """A window: what it was shifted by, the model's probabilities [n, K], labels [n] and image properties [n, p]."""

    shift: str
    severity: int
    probabilities: Floats
    labels: Integers
    looks: Floats

    @property
    def accuracy(self) -> float:
        return float((self.probabilities.argmax(axis=1) == self.labels).mean())

    def take(self, rows: Integers) -> "Cell":
        return Cell(self.shift, self.severity, self.probabilities[rows], self.labels[rows], self.looks[rows])

    def held_out(self) -> HeldOut:
        return HeldOut(self.probabilities, self.labels, self.looks)


def read_test_images(folder: Path) -> tuple[npt.NDArray[np.uint8], Integers]:
    (path,) = sorted(folder.glob("test_batch.bin*"))
    with path.open("rb") as file:
        chunks = list(cifar10_format.read_file(file, str(path)))
    return np.concatenate([c.images for c in chunks]), np.concatenate([c.labels for c in chunks]).astype(np.int64)


def scorer(model_dir: Path) -> Any:
    """A function from uint8 images to probabilities."""
    loaded = tf.saved_model.load(str(model_dir))
    function = loaded.signatures["serving_default"]
    (name,) = function.structured_input_signature[1]

    def score(images: npt.NDArray[Any]) -> Floats:
        # a client that scales to 0..1 sends floats, which end as the whole numbers that the model takes
        whole = np.rint(images).astype(np.uint8)
        parts = [whole[start : start + BATCH] for start in range(0, len(whole), BATCH)]
        return np.concatenate([function(**{name: tf.constant(part)})["probabilities"].numpy() for part in parts])

    score.model = loaded  # type: ignore[attr-defined]  # its variables live as long as it does
    return score


def looks_of(images: npt.NDArray[Any]) -> Floats:
    """The image properties of what the model is given."""
    found = image_properties.compute(np.rint(images).astype(np.uint8))
    return np.stack([found[name] for name in image_properties.property_names(3)], axis=1)


def cells(score: Any, images: npt.NDArray[np.uint8], labels: Integers, seed: int) -> Iterable[Cell]:
    """One window for each shift and severity; shifts that are the same at every severity have one."""
    for name, shift in shifts.SHIFTS.items():
        for severity in shifts.SEVERITIES if shift.parameters else (1,):
            made = shifts.apply(name, images, labels, severity=severity, count=WINDOW, seed=seed + severity)
            yield Cell(name, severity, score(made.images), labels[made.indices], looks_of(made.images))


def imbalanced(window: Cell, rng: np.random.Generator) -> Cell:
    """The window with a geometric tail of classes in random order, down to a tenth."""
    share = 10.0 ** -(rng.permutation(window.labels.max() + 1) / window.labels.max())
    rows = [np.flatnonzero(window.labels == each) for each in range(len(share))]
    kept = np.concatenate([found[: round(len(found) * part)] for found, part in zip(rows, share, strict=True)])
    return window.take(kept)


def errors(name: str, held_out: HeldOut, windows: Iterable[Cell]) -> npt.NDArray[np.float64]:
    """Estimated less true accuracy of each window, in points."""
    found = [
        estimate(name, held_out, each.probabilities, features=each.looks, resamples=20).value - each.accuracy
        for each in windows
    ]
    return 100 * np.array(found)


def coverage(name: str, pool: Cell) -> tuple[float, float]:
    """On windows without a shift: the mean absolute error in points, and how often the interval held the truth.

    The pool is parted afresh each time, a window and the rest held out, so that the two are as far apart as samples
    drawn independently; the truth is the window's own accuracy.
    """
    rng, misses, held = np.random.default_rng(1), [], 0
    for number in range(NULL_WINDOWS):
        order = rng.permutation(len(pool.labels))
        known, rows = order[WINDOW:], order[:WINDOW]
        window, held_out = pool.take(rows), pool.take(known).held_out()
        settings = {"features": window.looks, "seed": number, "resamples": NULL_RESAMPLES}
        found = estimate(name, held_out, window.probabilities, **settings)
        misses.append(abs(found.value - window.accuracy))
        held += found.low <= window.accuracy <= found.high
    return 100 * float(np.mean(misses)), held / NULL_WINDOWS


def report(held_out: HeldOut, pool: Cell, windows: list[Cell]) -> None:
    kinds = {
        "chosen by": [w for w in windows if w.shift in CHOOSING],
        "others": [w for w in windows if w.shift not in (*CHOOSING, *CLASSES)],
        "classes": [w for w in windows if w.shift in CLASSES],
    }
    pixels = kinds["chosen by"] + kinds["others"]
    rng = np.random.default_rng(2)
    kinds["both"] = [imbalanced(window, rng) for window in pixels]
    print(f"accuracy of all images {100 * pool.accuracy:.1f}; of the windows ", end="")
    print(", ".join(f"{w.shift} {w.severity} {100 * w.accuracy:.1f}" for w in windows))
    print(
        f"\n{'':28}{'all':>6}{'bias':>7}{'worst':>7}" + "".join(f"{kind:>11}" for kind in kinds) + "   no shift, held"
    )
    for name in ESTIMATORS:
        found = errors(name, held_out, pixels)
        row = f"{name:28}{np.abs(found).mean():6.2f}{found.mean():7.2f}{np.abs(found).max():7.2f}"
        row += "".join(f"{np.abs(errors(name, held_out, kind)).mean():11.2f}" for kind in kinds.values())
        missed, held = coverage(name, pool)
        print(f"{row}{missed:11.2f}{held:6.2f}", flush=True)
    kinds["not seen"] = [w for w in pixels if w.shift in NOT_SEEN]
    kinds["both, not seen"] = [w for w in kinds["both"] if w.shift in NOT_SEEN]
    report_intervals(held_out, {"pixels": pixels, **kinds})


def report_intervals(held_out: HeldOut, kinds: Mapping[str, list[Cell]]) -> None:
    """How often the interval of the default estimator, and the bounds, hold the truth; and how wide they are."""
    baseline = float((held_out.probabilities.argmax(axis=1) == held_out.labels).mean())
    for kind, windows in kinds.items():
        rows = []
        for each in windows:
            settings = {"features": each.looks, "resamples": 40}
            found = [estimate(name, held_out, each.probabilities, **settings) for name in BOUNDING]
            for low, high in ((found[0].low, found[0].high), accuracy_bounds(found, baseline)):
                rows.append((low <= each.accuracy <= high, 100 * (high - low)))
        held, width = np.array(rows, np.float64).reshape(-1, 2, 2).mean(axis=0).T
        told = [f"{name} {held[i]:.0%}, {width[i]:.1f} points" for i, name in enumerate(("interval", "bounds"))]
        print(f"{kind:28} {len(windows)} windows, held the truth: {'; '.join(told)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    images, labels = read_test_images(given.folder)
    score = scorer(given.model)
    pool = Cell("", 0, score(images), labels, looks_of(images))
    order = np.random.default_rng(0).permutation(len(labels))
    known, rest = order[: len(order) // 2], order[len(order) // 2 :]
    report(pool.take(known).held_out(), pool, list(cells(score, images[rest], labels[rest], seed=0)))


if __name__ == "__main__":
    main()
