"""Six images of a window that show what changed, and six of its baseline: those of the report."""

from collections.abc import Sequence
from dataclasses import dataclass

from components.common.artifacts.files import DAMAGE, said
from components.validation_report import build
from components.validation_report.page import Strip

from .report_sources import sources_of
from .run_store import Run

_OVERALL = "Overall"


@dataclass(frozen=True)
class WindowImages:
    """What is shown of a window.

    Attributes:
      window: images of the window, six at most; None where there are none.
      baseline: of the baseline, to compare them with; likewise.
      problems: what could not be read, a sentence each.

    """

    window: Strip | None = None
    baseline: Strip | None = None
    problems: tuple[str, ...] = ()


def window_images(run: Run, features: Sequence[str]) -> WindowImages:
    """The images farthest out in the first of these features that is shown, or else the most unusual ones."""
    try:
        strips, problems = build.build_strips(sources_of(run), run.files)
    except (*DAMAGE, OSError) as error:
        return WindowImages(problems=(f"The images of run {run.id} cannot be read: {said(error)}",))
    for group in (*features, _OVERALL):
        mine = [strip for strip in strips if strip.group == group]
        window = next((strip for strip in mine if strip.window), None)
        if window is not None:
            baseline = next((strip for strip in mine if not strip.window), None)
            return WindowImages(window, baseline, problems)
    return WindowImages(problems=problems)
