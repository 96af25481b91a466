"""Which statistics earn their place in the two-sample core: power of each alone, together, and without each.

    python -m benchmarks.joint_test_variants --fraction 0.1 --size 200 [--reference 5000] [--trials 100]

Needs the tables that `python -m benchmarks.detection data` makes. Every trial draws reference and window afresh and
disjoint, shifts the window in one of nine everyday ways, and asks every variant for its p-value on the same permuted
splits; what is printed is the share of trials with p <= 0.05, "none" being windows that were not shifted.
`--reference 0` takes as many images as the window has.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.detection import suites
from benchmarks.detection.data import CORRUPTED_ROWS, read_labels, table_path
from benchmarks.detection.draws import candidates_needed, generator, split, window
from benchmarks.detection.table import NAMES, SOFTMAX, Table, monitored_features
from components.common.two_sample.columns import clipped, indicators, normal_scores, standardised
from components.common.two_sample.combination import Column, Group, combine
from components.common.two_sample.comparison import KOLMOGOROV_SMIRNOV, Rows, frequency_groups
from components.common.two_sample.frequencies import class_codes
from components.common.two_sample.joint import hotelling, joint_statistics, residuals
from components.common.two_sample.permutations import Permutations, draw

LEVEL = 0.05
Floats = npt.NDArray[np.float64]


def variants(groups: Mapping[str, Group], extra: Mapping[str, Column]) -> dict[str, list[Group]]:
    """Lists of groups, by what the table calls them; `groups` are the product's own."""
    every = list(groups.values())
    softmax = [column for i, column in enumerate(groups[KOLMOGOROV_SMIRNOV].columns) if i in SOFTMAX]
    found = {"the product": every, "softmax outputs, KS (BBSDs)": [Group("softmax", softmax)]}
    for name, group in groups.items():
        found[f"{name} alone"] = [group]
        found[f"the product without {name}"] = [each for each in every if each is not group]
    found["the product, groups of equal weight"] = [Group(group.name, group.columns) for group in every]
    for name, column in extra.items():
        found[f"{name} alone"] = [Group(name, [column])]
        found[f"the product and {name}"] = [*every, Group(name, [column])]
    return found


def extra_columns(pool: Rows, codes: npt.NDArray[np.int64], splits: Permutations) -> dict[str, Column]:
    """Statistics that the product does not have."""
    more = indicators(pool.values, codes)
    plain = np.concatenate([standardised(pool.values.astype(np.float64)), more], axis=1)
    linear = np.concatenate([standardised(clipped(pool.values)), more], axis=1)
    scores = np.concatenate([standardised(normal_scores(pool.values)), more], axis=1)
    left = residuals(scores)
    outlying = standardised(np.log1p(np.square(residuals(linear)).mean(axis=1, keepdims=True)))

    def gaps(columns: Floats) -> Floats:
        return splits.sums(columns) * (1 / splits.window + 1 / (splits.rows - splits.window))

    return {
        "T2 of plain values": Column("", "plain", hotelling(plain, gaps(plain), 1e-3), 1 / 3, 1.0),
        "largest residual mean": Column("", "sparse", np.abs(gaps(left)).max(axis=1), 1.0, 0.5),
        "mean outlyingness": Column("", "outlying", np.maximum(gaps(outlying)[:, 0], 0), 1.0, 0.5),
    }


def p_values(reference: Table, seen: Table, permutations: int, seed: int) -> dict[str, float]:
    """The p-value of every variant."""
    pool = Rows(np.concatenate([seen.values, reference.values]), np.concatenate([seen.classes, reference.classes]))
    codes = class_codes(np.concatenate([seen.classes, reference.classes]))
    splits = draw(len(seen), len(pool.values), permutations, np.random.default_rng(seed))
    found = frequency_groups(monitored_features(), pool, codes, splits, fine=True)
    found += joint_statistics(NAMES, pool.values, codes, splits)
    every = variants({group.name: group for group in found}, extra_columns(pool, codes, splits))
    return {name: combine(groups, LEVEL).p_value for name, groups in every.items()}


def trials(arguments: argparse.Namespace, shift: suites.Shift) -> dict[str, float]:
    """The share of trials in which each variant finds the shift."""
    clean, labels = Table.read(table_path(arguments.cache, suites.CLEAN)), read_labels(arguments.cache)
    other = Table.read(table_path(arguments.cache, shift.variant))
    found: dict[str, int] = {}
    for trial in range(arguments.trials):
        rng = generator("variants", arguments.size, arguments.reference, shift.name, trial)
        candidates = candidates_needed(shift, arguments.size)
        wanted = arguments.reference or arguments.size
        chosen, rest = split(rng, len(clean), candidates=candidates, among=CORRUPTED_ROWS, reference=wanted)
        drawn = window(shift, chosen, labels, arguments.size, rng)
        seen = clean.mixed(drawn.rows, other, drawn.shifted)
        for name, p_value in p_values(clean.take(rest), seen, arguments.permutations, trial).items():
            found[name] = found.get(name, 0) + (p_value <= LEVEL)
    return {name: count / arguments.trials for name, count in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=Path("build/bench"))
    parser.add_argument("--fraction", type=float, default=0.5)
    parser.add_argument("--size", type=int, default=50)
    parser.add_argument("--reference", type=int, default=5000)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--permutations", type=int, default=199)
    arguments = parser.parse_args()
    columns = {s.name: trials(arguments, s) for s in [suites.NULL, *suites.nine_shifts(arguments.fraction)]}
    print("mean  " + "  ".join(columns))
    shares = {name: [found[name] for found in columns.values()] for name in columns[suites.NULL.name]}
    for name, powers in sorted(shares.items(), key=lambda item: -np.mean(item[1][1:])):
        print(f"{np.mean(powers[1:]):.3f}  " + " ".join(f"{power:.2f}" for power in powers) + f"  {name}", flush=True)


if __name__ == "__main__":
    main()
