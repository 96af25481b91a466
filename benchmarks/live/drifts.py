"""Windows of a slow drift, compared with many baselines at once: the product's statistics and features.

The pool of a comparison is nearly all clean: so are the rows from which the columns of the joint tests are made here,
the clean images and a few that are shifted. A pair of baseline and window has its p-value from its score's rank among
pairs without a shift, which is what a permutation test estimates; `discrete` makes of it what so many permutations
give.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from benchmarks.detection.draws import generator
from benchmarks.detection.one_baseline import Population, Samples, pair_groups
from benchmarks.detection.table import Table
from components.common.two_sample.combination import Group, Tail

Floats = npt.NDArray[np.float64]
SHIFTED_ROWS = 300  # of a shift: few against the clean rows, so that columns are as in a pool that is nearly clean
NULL_PAIRS = (30, 400)  # baselines and windows without a shift


class NullScale:
    """Scores of pairs by the scale and the tail of pairs without a shift, as the permuted splits are in a
    comparison.
    """

    def __init__(self, groups: Sequence[Group]) -> None:
        self._weights = [np.log(group.weight) for group in groups]
        raised = [_raised(group) for group in groups]
        self._means = [each.mean(axis=0) for each in raised]
        self._spreads = [each.std(axis=0) for each in raised]
        for spread in self._spreads:
            spread[spread <= 0] = np.inf
        maxima = [self._maxima(i, each) for i, each in enumerate(raised)]
        self._tails = [Tail(each) for each in maxima]
        self._sorted = np.sort(self._scores(maxima))

    def p_values(self, groups: Sequence[Group]) -> Floats:
        """The proportion of null pairs, the pair itself included, whose score is at least the pair's: [pairs]."""
        scores = self._scores([self._maxima(i, _raised(group)) for i, group in enumerate(groups)])
        above = len(self._sorted) - np.searchsorted(self._sorted, scores, side="left")
        return np.asarray((1 + above) / (1 + len(self._sorted)))

    def _maxima(self, i: int, raised: Floats) -> Floats:
        return np.asarray(((raised - self._means[i]) / self._spreads[i]).max(axis=1))

    def _scores(self, maxima: Sequence[Floats]) -> Floats:
        scored = [t.score(each) + w for t, each, w in zip(self._tails, maxima, self._weights, strict=True)]
        return np.asarray(np.max(scored, axis=0))


def _raised(group: Group) -> Floats:
    return np.stack([np.maximum(c.values, 0) ** c.power for c in group.columns], axis=1)


class Drift:
    """A drift that reaches more and more of the images: p-values of its windows for each of several baselines.

    Args:
      clean: the held-out images.
      shifted: images with the shift in all of them.
      size: n, of a window.
      reference: N, of a baseline.
      baselines: how many are drawn.
      null_pairs: of how many baselines and windows without a shift the scale of scores is made.

    """

    def __init__(  # noqa: PLR0913 - two tables, and four numbers
        self,
        clean: Table,
        shifted: Table,
        *,
        size: int,
        reference: int,
        baselines: int,
        null_pairs: tuple[int, int] = NULL_PAIRS,
    ) -> None:
        few = shifted.take(np.arange(min(SHIFTED_ROWS, len(shifted))))
        self._population = Population(joined(clean, few))
        self._clean, self._shifted = len(clean), len(few)
        self.size, self.reference, self.baselines = size, reference, baselines
        rng = generator("drift", size, reference)
        self._known = self._draw(baselines, reference, rng)
        others = self._draw(null_pairs[0], reference, rng), self._draw(null_pairs[1], size, rng)
        self._scale = NullScale(pair_groups(self._population, *others, size + reference))

    def p_values(self, fractions: Floats, paths: int, seed: int) -> Floats:
        """Of windows in which each image is shifted by its own chance: [baselines, paths, len(fractions)].

        Args:
          fractions: the chance, by window.
          paths: how many drifts are drawn; all baselines see the same ones.
          seed: of the draws.

        """
        rng = generator("path", self.size, seed)
        rows = rng.integers(self._clean, size=(paths, len(fractions), self.size))
        replaced = rng.random(rows.shape) < fractions[None, :, None]
        rows[replaced] = self._clean + rng.integers(self._shifted, size=int(replaced.sum()))
        seen = self._population.of_rows(rows.reshape(-1, self.size))
        groups = pair_groups(self._population, self._known, seen, self.size + self.reference)
        return self._scale.p_values(groups).reshape(self.baselines, paths, len(fractions))

    def _draw(self, samples: int, size: int, rng: np.random.Generator) -> Samples:
        return self._population.of_rows(rng.integers(self._clean, size=(samples, size)))


def joined(first: Table, second: Table) -> Table:
    """The rows of both."""
    pairs = ((first.values, second.values), (first.classes, second.classes), (first.untrained, second.untrained))
    return Table(*(np.concatenate(pair) for pair in pairs))


def discrete(p_values: Floats, permutations: int, rng: np.random.Generator) -> Floats:
    """What a test with so many permutations says where the p-value of infinitely many is known."""
    return np.asarray((1 + rng.binomial(permutations, p_values)) / (1 + permutations))
