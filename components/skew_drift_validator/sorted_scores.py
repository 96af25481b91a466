"""Scores that were sorted before they were logged, so that their places do not say which classes they are of."""

from ..common.class_scores import sorted_unlike
from ..common.records.drift_report import State
from ..common.statistics.monitored_features import SKEW
from .problems import ERROR, SORTED_SCORES, Problem
from .window_check import Sides


def sorted_score_problems(sides: Sides) -> list[Problem]:
    """An error where all scores of the window are sorted and those of the baseline are not, of three classes or more.

    Of five or more ServingLogExampleGen sees that without a baseline.
    """
    baseline = sides.references[SKEW]
    known = None if baseline is None else baseline.sample.probabilities
    given = sides.window.sample.probabilities
    told = "" if known is None or given is None else sorted_unlike(given, known)
    return (
        [Problem("", "CUSTOM_VALIDATION", ERROR, SORTED_SCORES, f"{SORTED_SCORES}: {told}", State.INVALID)]
        if told
        else []
    )
