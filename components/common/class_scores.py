"""What a classifier gives for each class: probabilities, logits or one sigmoid, and what becomes of them. NumPy only.

Everything that is computed of predictions is computed of probabilities `[N, K]`, K >= 2. This is the one place where
other scores become such, and where it is decided what counts as such.
"""

import math
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .errors import MonitorError, require_known
from .real_numbers import as_floats

Floats: TypeAlias = npt.NDArray[np.float32]
Rows: TypeAlias = npt.NDArray[np.bool_]

# How far from 1 a row of probabilities may sum. Rounded to bfloat16, of 8 bits, the sum is off by at most 2^-9; where
# exponentials, their sum and the quotient each were, by three times as much, 0.006. Float16 is finer.
SUM_TOLERANCE = 0.01
# So many scores of one output, all in 0..1, are a sigmoid's: logits of real images are not all between even and 73 %.
_MIN_ROWS = 20
# So many rows of so many scores are all in order by chance only where a model answers the same to everything.
_MIN_SORTED, _MIN_SORTED_SCORES = 50, 5
_MIN_ORDERED_SCORES = 3  # and of so few if a reference tells how often they are in order
_BY_CHANCE = 1e-6
# How much less than the largest a probability may be to be taken for equal to it: what rounding to bfloat16 does.
_TIE = 2**-8


class Kind(str, Enum):
    """What the scores of a model are; the `kind` of a model's spec."""

    PROBABILITIES = "probabilities"  # [N, K], not negative, each row summing to 1
    LOGITS = "logits"  # [N, K], whose softmax are the probabilities; or [N], [N, 1], whose sigmoid is that of class 1
    SIGMOID = "sigmoid"  # [N] or [N, 1], 0..1: the probability of class 1 of two


def are_probabilities(rows: npt.NDArray[Any]) -> Rows:
    """Which rows of `[N, K]` are probabilities, bool[N]: finite, none below 0, adding up to 1 within `SUM_TOLERANCE`.

    This is the one rule of the whole project. -1e-6 breaks it as -1 does: no softmax and no sigmoid gives it.

    >>> are_probabilities(np.array([[0.3, 0.7], [0.3, 0.6], [1.000001, -0.000001], [np.nan, 1]])).tolist()
    [True, False, False, False]
    """
    values = np.ascontiguousarray(as_floats(rows))  # a row's sum must not depend on how the batch lies in memory
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray((values >= 0).all(axis=1) & _adds_up(values))


def why_none(row: npt.NDArray[Any]) -> str:
    """Which rule of `are_probabilities` one row [K] breaks, with the number that breaks it; "" where it breaks none.

    >>> why_none(np.array([0.3, 0.6])), why_none(np.array([1.000001, -0.000001]))
    ('it adds up to 0.9', 'it has -1e-06, below 0')
    """
    values = np.asarray(row, np.float64)
    if are_probabilities(values[np.newaxis])[0]:
        return ""
    if not np.isfinite(values).all():
        return "it has a number that is not finite"
    return f"it has {values.min():.4g}, below 0" if values.min() < 0 else f"it adds up to {values.sum():.4g}"


def disagreeing(
    probabilities: npt.NDArray[Any], classes: npt.NDArray[np.integer[Any]], valid: Rows | None = None
) -> Rows:
    """Where a class, [N], is another than that of the largest probability of its row, [N, K]; bool[N].

    A class that is none, below 0 or K and more, is another. Probabilities that are equal but for rounding are both the
    largest. Rows that are no probabilities say nothing, and agree; `valid` says which are some, if that is known.

    >>> disagreeing(np.array([[0.2, 0.8], [0.5, 0.5], [0.9, 0.1], [0.9, 0.2]]), np.array([1, 1, 2, 1])).tolist()
    [False, False, True, False]
    """
    known = (classes >= 0) & (classes < probabilities.shape[1])
    of_class = probabilities[np.arange(len(classes)), np.where(known, classes, 0)]
    with np.errstate(invalid="ignore"):
        smaller = of_class < probabilities.max(axis=1) * (1 - _TIE)
    return np.asarray((are_probabilities(probabilities) if valid is None else valid) & (smaller | ~known))


def probabilities_of(scores: npt.NDArray[Any], kind: Kind | str, classes: int) -> Floats:
    """Scores of N examples as probabilities `float32[N, K]`.

    Probabilities stay as they are, softmax is taken of logits (of their differences from the largest, in float64), and
    a sigmoid p becomes [1 - p, p]. Logits may be -infinity, for a class that is ruled out. A row that holds anything
    else that cannot be a score becomes one that `are_probabilities` refuses; nothing is repaired. Probabilities below
    the smallest normal float32, 1.2e-38, become 0: TensorFlow rounds so and NumPy does not, and tests that go by ranks
    would take two runtimes with the same answers for two distributions.

    Args:
      scores: `[N, K]`; for a sigmoid `[N]` or `[N, 1]`, likewise for the logits of two classes that come as one.
      kind: what they are.
      classes: K, at least 2.

    Raises:
      MonitorError: the shape does not fit; the message says which was wanted and which was received.

    >>> probabilities_of(np.array([0.25], np.float32), "sigmoid", 2).tolist()
    [[0.75, 0.25]]

    """
    kind = _kind(kind)
    values = np.asarray(scores)
    single = values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1)
    if classes == 2 and single and kind is not Kind.PROBABILITIES:
        return _without_subnormals(_of_two(values.reshape(-1).astype(np.float64), kind))
    if kind is Kind.SIGMOID or values.ndim != 2 or values.shape[1] != classes:
        raise MonitorError(_wrong_shape(values.shape, kind, classes))
    with np.errstate(over="ignore"):
        probabilities = values.astype(np.float32, copy=False) if kind is Kind.PROBABILITIES else _softmax(values)
    return _without_subnormals(probabilities)


def _without_subnormals(probabilities: Floats) -> Floats:
    subnormal = (probabilities > 0) & (probabilities < np.finfo(np.float32).tiny)
    return np.where(subnormal, np.float32(0), probabilities) if subnormal.any() else probabilities


@dataclass(frozen=True)
class ScoreCounts:
    """How the scores of some examples look, to tell a wrong `kind` from a few bad rows. Add them up over batches.

    Attributes:
      rows: N.
      single: of these, rows of one score.
      not_finite: rows with a NaN or an infinity.
      outside: finite rows with a score below 0 or above 1, by more than rounding: such are logits.
      distributions: rows of several scores that are probabilities.
      negative: rows that add up to 1 as probabilities do, and have a score below 0.
      falling: rows of five scores and more, from the largest to the smallest.

    """

    rows: int = 0
    single: int = 0
    not_finite: int = 0
    outside: int = 0
    distributions: int = 0
    negative: int = 0
    falling: int = 0

    @staticmethod
    def of(scores: npt.NDArray[Any]) -> "ScoreCounts":
        """The counts of `[N]` or `[N, K]`."""
        values = as_floats(scores, "scores")
        values = np.ascontiguousarray(values[:, np.newaxis] if values.ndim == 1 else values)
        single = values.shape[1] == 1
        finite, one = np.isfinite(values).all(axis=1), _adds_up(values)
        with np.errstate(invalid="ignore"):
            not_below_zero = (values >= 0).all(axis=1)
        whole = bool(finite.all())
        return ScoreCounts(
            rows=len(values),
            single=len(values) if single else 0,
            not_finite=0 if whole else int((~finite).sum()),
            outside=int(looks_like_logits(values).sum()),
            distributions=0 if single else int((not_below_zero & one).sum()),
            negative=int((finite & ~not_below_zero & one).sum()),
            falling=int(_falls(values if whole else values[finite]).sum()),
        )

    def __add__(self, other: "ScoreCounts") -> "ScoreCounts":
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)  # astuple copies deeply, for each request
        return ScoreCounts(*(mine + theirs for mine, theirs in pairs))

    def wrong_kind(self, kind: Kind | str) -> str:
        """What the scores look like, and what to write instead, where most are of another kind; "" otherwise.

        >>> ScoreCounts.of(np.array([[2.0, -1.0], [0.5, 3.0]])).wrong_kind("probabilities")
        'these look like logits (2 of 2 rows have scores outside 0..1); say `kind: logits`'
        """
        kind, finite = _kind(kind), self.rows - self.not_finite
        if kind is not Kind.LOGITS:
            return self._not_probabilities(kind, finite)
        if 2 * self.distributions > self.rows:
            counted = f"{self.distributions:,} of {self.rows:,} rows add up to 1"
            return f"these are probabilities already ({counted}); say `kind: probabilities`"
        if finite == self.single == self.rows >= _MIN_ROWS and self.outside == 0:
            return f"these look like a sigmoid's output (all of {self.rows:,} lie in 0..1); say `kind: sigmoid`"
        return ""

    def _not_probabilities(self, kind: Kind, finite: int) -> str:
        if 2 * self.outside > finite:
            counted = f"{self.outside:,} of {self.rows:,} rows have scores outside 0..1"
            return f"these look like logits ({counted}); say `kind: logits`"
        several = finite - self.single
        if kind is Kind.PROBABILITIES and 2 * self.negative > several:
            counted = f"{self.negative:,} of {self.rows:,} rows have a score below 0"
            return f"these add up to 1 and are no probabilities ({counted}): what makes them has to be mended"
        if kind is Kind.PROBABILITIES and 2 * self.distributions < several:
            counted = f"{several - self.distributions:,} of {self.rows:,} rows do not add up to 1"
            return f"these look like independent scores of several labels ({counted}), not a choice between classes"
        return ""

    def sorted_by_size(self) -> str:
        """Why the place of a score does not say whose it is, where all rows are sorted; "" otherwise.

        Of fewer than 50 rows or 5 scores nothing is said: a model of few classes may give all the same order.
        """
        if self.rows < _MIN_SORTED or self.falling < self.rows - self.not_finite or not self.falling:
            return ""
        told = f"in all of {self.rows:,} rows the scores fall from the first to the last"
        return f"{told}, as if sorted: such scores do not say by their place which class each is of"


def sorted_unlike(window: npt.NDArray[Any], reference: npt.NDArray[Any]) -> str:
    """Why the scores of a window are sorted, though they are few, by how those of a reference lie; "" otherwise.

    Of three or four scores all rows can fall from the first to the last without being sorted: where only the first
    class is answered, and the others keep an order. How often they do when the first is the largest, the reference
    tells; that so many rows all did by chance must be rarer than one in a million. Of two scores, to be sorted and to
    be of the first class are one thing, and nothing is said.

    Args:
      window: probabilities [N, K] of each row of the window.
      reference: the same of the reference.

    """
    if window.shape[1] < _MIN_ORDERED_SCORES or window.shape[1] != reference.shape[1]:
        return ""
    given, known = (np.asarray(rows, np.float64)[are_probabilities(rows)] for rows in (window, reference))
    steps = np.diff(given, axis=1)
    told = int(
        (steps[:, :2] < 0).all(axis=1).sum()
    )  # of sure answers of one class the order of the others says nothing
    if told < _MIN_SORTED or not (steps <= 0).all():
        return ""
    before = np.diff(known[known.argmax(axis=1) == 0], axis=1)
    falling = int((before <= 0).all(axis=1).sum())
    usual = (falling + 1) / (len(before) + 2)  # Laplace's: not even all of them would make it sure
    if told * math.log(usual) > math.log(_BY_CHANCE):
        return ""
    return (
        f"in all of {len(given):,} rows they fall from the first to the last, and in {falling:,} of {len(before):,} "
        "rows of the baseline whose first score is the largest: their places do not say which class each is of"
    )


def looks_like_logits(rows: npt.NDArray[Any]) -> Rows:
    """Which rows of `[N, K]` are finite and have a score below 0 or above 1, by more than rounding; bool[N]."""
    values = np.asarray(rows, np.float64)
    outside = ((values < -SUM_TOLERANCE) | (values > 1 + SUM_TOLERANCE)).any(axis=1)
    return np.asarray(outside & np.isfinite(values).all(axis=1) if outside.any() else outside)


def _adds_up(rows: npt.NDArray[np.float64]) -> Rows:
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(np.abs(rows.sum(axis=1) - 1) <= SUM_TOLERANCE)


def _falls(rows: npt.NDArray[np.float64]) -> Rows:
    """Which rows never rise, and fall at least twice at their beginning: one of zeros but for the first may be sure."""
    if rows.shape[1] < _MIN_SORTED_SCORES:
        return np.zeros(len(rows), np.bool_)
    steps = np.diff(rows, axis=1)
    return np.asarray((steps <= 0).all(axis=1) & (steps[:, :2] < 0).all(axis=1))


def _kind(kind: Kind | str) -> Kind:
    require_known(str(getattr(kind, "value", kind)), [each.value for each in Kind], "kind")
    return Kind(kind)


def _softmax(logits: npt.NDArray[Any]) -> Floats:
    wide = np.ascontiguousarray(logits, np.float64)
    with np.errstate(invalid="ignore", over="ignore"):  # infinity less infinity: a row of NaN
        exponentials = np.exp(wide - wide.max(axis=1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), np.float32)


def _of_two(values: npt.NDArray[np.float64], kind: Kind) -> Floats:
    if kind is Kind.LOGITS:
        return _softmax(np.stack([np.zeros_like(values), values], axis=1))
    return np.stack([1 - values, values], axis=1).astype(np.float32)


def _wrong_shape(shape: tuple[int, ...], kind: Kind, classes: int) -> str:
    single = len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)
    wanted = f"[batch, {classes}]"
    if kind is Kind.SIGMOID:
        wanted = "[batch] or [batch, 1]"
    elif kind is Kind.LOGITS and classes == 2:
        wanted = "[batch, 2], [batch] or [batch, 1]"
    hint = ""
    if kind is Kind.PROBABILITIES and single and classes == 2:
        hint = ". One score an image is the sigmoid of two classes: say `kind: sigmoid`"
    elif kind is Kind.SIGMOID and classes == 2 and shape[1:] == (2,):
        hint = ". Two scores an image are `kind: probabilities` or `kind: logits`"
    elif kind is Kind.SIGMOID and classes != 2:
        wanted, hint = f"[batch, {classes}]", f". A sigmoid is the probability of one of two classes, not of {classes}"
    return f"`scores` of kind {kind.value} must have the shape {wanted}. Received: {list(shape)}{hint}"
