"""The warning that a window's images belong together, which the comparison takes for independent."""

from ..common.statistics.monitored_features import SKEW
from ..common.two_sample.near_duplicates import NearDuplicates, near_duplicates
from .problems import NEAR_DUPLICATES, WARNING, Problem
from .window_check import Settings, Sides


def near_duplicate_problems(sides: Sides, settings: Settings) -> list[Problem]:
    """A warning where near-duplicates are more frequent in the window than in the baseline, which says what to set.

    It raises no alarm, and so is no part of the false-alarm rate.
    """
    baseline = sides.references[SKEW]
    looks = None if baseline is None else baseline.sample.looks
    if looks is None or sides.window.sample.looks is None:
        return []  # statistics from before there were hashes
    found = near_duplicates(looks, sides.window.sample.looks, seed=settings.seed)
    if found is None or not found.more_frequent:
        return []
    return [Problem("", "CUSTOM_VALIDATION", WARNING, NEAR_DUPLICATES, _sentence(found), None)]


def _sentence(found: NearDuplicates) -> str:
    return (
        f"{found.window:.1%} of {found.rows:,} images have a near-duplicate in the window, {found.reference:.1%} in "
        "the baseline: the examples are not independent, and differences may mean nothing. Set "
        "one_example_per: client, or image, request or a time such as 60s, to take one example of those that belong "
        "together"
    )
