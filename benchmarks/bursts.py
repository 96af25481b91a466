"""Clean traffic in bursts: how often it raises the alarm, with all its examples and with one of each client.

    python -m benchmarks.bursts                                   # the embedded sample, a classifier made on the spot
    python -m benchmarks.bursts --data data/cifar10 --dataset full --size 300 --reference 2000

Each client sends 1 to 8 frames of one image: moved by up to a pixel, turned by up to 3 degrees, a little brighter or
darker, noisy; the baseline holds one frame of each image. Nothing else changes: every alarm is a false one. Beside it,
how often the near-duplicates are named.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from benchmarks.detection.draws import generator
from benchmarks.detection.pool import Pool, held_out, trainer_settings
from benchmarks.detection.quick import quick_model
from benchmarks.detection.quick_model import QuickModel
from benchmarks.detection.table import Table, measure, monitored_features
from components.common.proportion import Proportion
from components.common.two_sample.comparison import Rows, compare
from components.common.two_sample.false_alarms import p_value_threshold
from components.common.two_sample.near_duplicates import near_duplicates
from components.image_statistics_gen import perceptual_hash

Images = npt.NDArray[np.uint8]
RATE = 0.05
FRAMES = 8  # of a client, at most
PERMUTATIONS = 199


@dataclass(frozen=True)
class Counts:
    """Of so many windows: alarms, and warnings of near-duplicates."""

    windows: int
    alarms: int
    warnings: int


def frames(images: Images, rng: np.random.Generator) -> Images:
    """The next frame of each image `uint8[N, H, W, C]`."""
    made = []
    for image in images.astype(np.float64):
        moved = ndimage.shift(image, (*rng.uniform(-1, 1, 2), 0), order=1, mode="nearest")
        turned = ndimage.rotate(moved, rng.uniform(-3, 3), reshape=False, order=1, mode="nearest")
        made.append(turned * rng.uniform(0.95, 1.05) + rng.normal(0, 4, image.shape))
    return np.clip(np.rint(made), 0, 255).astype(np.uint8)


def run(folder: Path, dataset: str, *, windows: int, size: int, reference: int) -> dict[str, Counts]:
    """Windows of `size` images: all of them, and one of each client."""
    _, model, rest = quick_model(held_out(folder, trainer_settings(dataset)))
    alone = frames(rest.images, generator("bursts", "alone"))  # the baseline's images are frames too, one of each
    clean, looks = _described(model, alone), perceptual_hash.compute(alone)
    found: dict[str, list[tuple[bool, bool]]] = {"example": [], "client": []}
    for number in range(windows):
        rng = generator("bursts", number)
        order = rng.permutation(len(clean))
        known, others = order[:reference], order[reference:]
        for name, images in _windows(rest, others, size, rng):
            seen = _described(model, images)
            verdict = _alarm(clean.take(known), seen, number), _warned(looks[known], images, number)
            found[name].append(verdict)
    return {name: Counts(windows, *np.sum(verdicts, axis=0).tolist()) for name, verdicts in found.items()}


def _windows(
    rest: Pool, rows: npt.NDArray[np.int64], size: int, rng: np.random.Generator
) -> Iterator[tuple[str, Images]]:
    """A window of bursts, and as many clients with one frame each as the pool has."""
    sent = rng.integers(1, FRAMES + 1, size)
    clients = int(np.searchsorted(np.cumsum(sent), size)) + 1
    yield "example", frames(rest.images[np.repeat(rows[:clients], sent[:clients])[:size]], rng)
    yield "client", frames(rest.images[rows[:size]], rng)


def _described(model: QuickModel, images: Images) -> Table:
    return measure(images, *model.predict(images), np.zeros((len(images), 0), np.float32))


def _alarm(reference: Table, window: Table, seed: int) -> bool:
    limit = p_value_threshold(RATE, len(window), len(reference))
    sides = [Rows(each.values, each.classes) for each in (reference, window)]
    settings = {"false_alarm_rate": limit, "permutations": PERMUTATIONS, "seed": seed}
    return compare(monitored_features(), *sides, **settings).alarm


def _warned(reference: npt.NDArray[np.uint64], images: Images, seed: int) -> bool:
    found = near_duplicates(reference, perceptual_hash.compute(images), seed=seed)
    return found is not None and found.more_frequent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data/cifar10_sample"))
    parser.add_argument("--dataset", choices=("sample", "full"), default="sample")
    parser.add_argument("--windows", type=int, default=60)
    parser.add_argument("--size", type=int, default=150)
    parser.add_argument("--reference", type=int, default=500)
    given = parser.parse_args()
    sizes = {"windows": given.windows, "size": given.size, "reference": given.reference}
    for name, counts in run(given.data, given.dataset, **sizes).items():
        alarms = Proportion.of(counts.alarms, counts.windows)
        print(f"one_example_per: {name}: alarms in {counts.alarms} of {counts.windows} windows ({alarms.low:.0%} to "
              f"{alarms.high:.0%}) at {RATE:.0%}; near-duplicates named in {counts.warnings}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
