"""Two runs side by side as one self-contained HTML page, with what was served in both over each other."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from components.common.artifacts.files import Artifact
from components.common.artifacts.sources import Sources
from components.common.artifacts.splits import only_split_folder
from components.common.artifacts.statistics import read_statistics
from components.common.errors import MonitorError
from components.common.pages import charts
from components.common.pages.parts import Chart, Table
from components.common.pages.templating import render_template
from components.common.records.drift_report import Measurement
from components.common.statistics.monitored_features import short_name_of_test
from components.validation_report import distributions

from ..comparing.comparison import Accuracies, Comparison, Moved
from ..reading.history import History
from ..reading.report_sources import sources_of
from .comparison_tables import sections

TEMPLATE = "comparison.html.jinja"
_FOLDER = Path(__file__).parent / "templates"
_FEATURES = 6  # whose histograms are shown
_FIRST, _SECOND, _BASELINE = "previous", "window", "baseline"  # how the charts of a report draw the two, and a third
_ORDER = ("moved", "p-values", "accuracy", "metrics", "checks", "findings", "data", "parameters", "nodes")


def page_text(history: History, found: Comparison) -> str:
    """The page of a comparison."""
    problems = [f"{label}: {problem}" for label, side in zip(found.labels, found.sides, strict=True)
                for problem in side.problems]  # fmt: skip
    sources = [sources_of(side.run) for side in found.sides]
    statistics = _statistics(found, sources, problems)
    moved = _moved_charts(found, statistics, sources[1].class_names)
    accuracy = _accuracy_charts(found.accuracies, found.labels)
    by_key = {section.key: section for section in sections(found, 0)}
    sides = [(label, side.verdict.tone, side.verdict.sentence)
             for label, side in zip(found.labels, found.sides, strict=True)]  # fmt: skip
    return render_template(
        TEMPLATE,
        [*moved, *accuracy],
        problems,
        folders=[_FOLDER],
        found=found,
        sides=sides,
        runs=by_key["runs"],
        sections=[by_key[key] for key in _ORDER if key in by_key],
        charts={"moved": moved, "accuracy": accuracy},
        series=_names(found, statistics),
    )


def _statistics(found: Comparison, sources: Sequence[Sources], problems: list[str]) -> dict[str, Any]:
    """The statistics of what was served in either run, and of the baseline that both were compared with."""
    first, second = sources
    files = found.second.run.files
    wanted: dict[str, tuple[Artifact | None, str]] = {
        _FIRST: (first.statistics, first.split),
        _SECOND: (second.statistics, second.split),
    }
    if found.first.baseline and found.same_baseline:
        wanted[_BASELINE] = (second.baseline_statistics, second.baseline_split)
    read = {}
    for side, (given, split) in wanted.items():
        try:
            if given is not None:
                read[side] = read_statistics(only_split_folder(given, split, files), files)
        except MonitorError as error:
            problems.append(str(error))
    return read


def _names(found: Comparison, statistics: Mapping[str, Any]) -> dict[str, str]:
    """What the sides of a histogram are called, in the order in which they are drawn."""
    names = {_BASELINE: "baseline", _FIRST: found.labels[0], _SECOND: found.labels[1]}
    return {side: name for side, name in names.items() if side in statistics}


def _moved_charts(found: Comparison, statistics: Mapping[str, Any], class_names: Sequence[str]) -> list[Chart]:
    """The histograms of the features that moved most in either run."""
    names = _names(found, statistics)
    drawn: list[Chart] = []
    for moved in (each for each in found.moved if each.feature):
        bins = {
            side: held
            for side in names
            if (held := distributions.bins_of(statistics[side], moved.feature, class_names))
        }
        if len(drawn) < _FEATURES and bins:
            drawn.append(distributions.overlaid(moved.feature, bins, names, _told(moved, found.labels)))
    return drawn


def _told(moved: Moved, labels: Sequence[str]) -> tuple[str, ...]:
    against = f"the {moved.reference}"
    lines = [f"{short_name_of_test(moved.test)} against {against}:"]
    means = []
    for label, each in zip(labels, moved.measured.both, strict=True):
        lines.append(f"{label}: {_measured(each)}")
        if each is not None and each.window_mean is not None:
            means.append(f"{each.window_mean:.3g} in {label}")
    return (*([f"Mean {', '.join(means)}"] if means else []), *lines)


def _measured(found: Measurement | None) -> str:
    if found is None or found.threshold is None:
        return "not compared"
    sign = "above" if found.exceeded else "within"
    return f"{found.measured:.3f}, {sign} the {found.threshold:.3f} allowed, p = {found.adjusted_p_value:.2g}"


def _accuracy_charts(rows: Sequence[Accuracies], labels: Sequence[str]) -> list[Chart]:
    """The accuracy of the whole by every way of knowing it, and that of each slice by the first that has slices."""
    whole = [(each.known, each) for each in rows if not each.slice]
    sliced = [each for each in rows if each.slice]
    slices = [(each.slice, each) for each in sliced if each.known == sliced[0].known]
    drawn = [_intervals("Accuracy", whole, labels)] if whole else []
    return [*drawn, _intervals(f"Accuracy by slice, {slices[0][1].known}", slices, labels)] if slices else drawn


def _intervals(title: str, named: Sequence[tuple[str, Accuracies]], labels: Sequence[str]) -> Chart:
    points = [
        (name, series, value.value, value.low, value.high)
        for name, each in named
        for series, value in zip((_FIRST, _SECOND), each.values.both, strict=True)
        if value is not None
    ]
    called = dict(zip((_FIRST, _SECOND), labels, strict=True))
    cells = tuple(
        (name, called[series], f"{v:.3f}", f"{low:.3f} to {high:.3f}") for name, series, v, low, high in points
    )
    table = Table(title, ("", "Of", "Accuracy", "95 % interval"), cells, frozenset({2}))
    beyond = [name for name, each in named if each.difference and each.difference.beyond_chance]
    told = f"More than chance explains: {', '.join(beyond)}" if beyond else "No difference beyond chance"
    summary = (f"Squares are {labels[0]}, diamonds {labels[1]}; the bars are 95 % intervals", told)
    return Chart(title, summary, charts.intervals([name for name, _ in named], points), table)
