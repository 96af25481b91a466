"""What a drift report says, for a person."""

from collections.abc import Sequence

from ..common.records.drift_report import DriftReport
from .problems import NEAR_DUPLICATES, REFERENCES, UNUSABLE, Problem

_SHOWN = 3  # features that a sentence names; the rest are counted


def sentence(found: DriftReport, problems: Sequence[Problem]) -> str:
    """The report in one sentence or a few, what explains it first."""
    causes = [problem.said for problem in problems if problem.title.startswith((UNUSABLE, NEAR_DUPLICATES))]
    if found.alarm:
        changed = _what_changed(found, explained=bool(causes))
        chance = f"p = {found.p_value:.4g}, alarm at {found.allowed:.2g}{_subsampled(found)}"
        return ". ".join(part[0].upper() + part[1:] for part in (*causes, f"{changed}: {chance}"))
    reasons = [problem for problem in problems if problem.state is found.state]
    more = f"; and {len(reasons) - _SHOWN} more" if len(reasons) > _SHOWN else ""
    told = "; ".join(reason.said for reason in reasons[:_SHOWN]) + more
    within = "" if found.p_value is None else _within(found, found.p_value)
    return ". ".join(part[0].upper() + part[1:] for part in (told, within) if part)


def _within(found: DriftReport, p_value: float) -> str:
    return f"no difference beyond chance (p = {p_value:.4g}, alarm at {found.allowed:.2g}{_subsampled(found)})"


def _subsampled(found: DriftReport) -> str:
    """Which rows of the window were compared, where they were not all."""
    return f"; compared {found.window.rows}" if found.window.sampled < found.window.examples else ""


def _what_changed(found: DriftReport, *, explained: bool) -> str:
    names = found.changed_features
    against = sorted({each.comparison for each in found.measurements if each.exceeded}, reverse=True)
    than = " and the ".join(REFERENCES[each] for each in against)
    if not names:
        by_itself = "" if explained else ", though no single feature does"
        return f"The window as a whole differs from the {than}{by_itself}"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"The window differs from the {than} in {', '.join(names[:_SHOWN])}{more}"
