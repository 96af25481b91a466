"""Where the accuracy may lie, allowing for what the estimators themselves are wrong by.

An estimate's interval holds what chance in drawing two samples does. A shift gives each estimator an error of its own:
thresholded confidence is too high where a model is wrong and sure of it, transport is too low where other classes are
served. They err on different sides, so the truth mostly lies between the two, or not far outside, the further the more
accuracy was lost. docs/performance_estimation.md has how often it did.
"""

from ..common.proportion import Proportion

SECOND_OPINION = "atc_confidence"
_ALLOWANCE = 1 / 8  # of the largest drop that either sees; chosen by half of the shifts, the others are in the docs


def accuracy_bounds(estimates: list[Proportion], baseline: float) -> tuple[float, float]:
    """The hull of the intervals, widened on both sides by an eighth of the largest drop from the baseline's accuracy.

    >>> accuracy_bounds([Proportion(0.5, 0.48, 0.52), Proportion(0.7, 0.68, 0.72)], 0.9)
    (0.43, 0.77)
    """
    lost = max(0.0, baseline - min(each.value for each in estimates))
    low = min(each.low for each in estimates) - _ALLOWANCE * lost
    high = max(each.high for each in estimates) + _ALLOWANCE * lost
    return round(max(low, 0.0), 6), round(min(high, 1.0), 6)
