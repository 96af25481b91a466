"""What is on each page: read anew for every request, so that a reload shows what has happened since.

Each function gives the page's HTML. What cannot be read of an artifact is a line on its page.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import jinja2
from ml_metadata.metadata_store import MetadataStore

from components.common.artifacts.files import DAMAGE, Artifact, Files, said
from components.common.errors import MonitorError
from components.common.pages.parts import cut
from components.common.proportion import Proportion
from components.common.statistics.monitored_features import short_name_of_test
from components.common.verdict_words import FAIL_ON, MARKS_OF_TONES, MEANINGS
from components.validation_report import build, rendering

from ..incidents import listing
from ..incidents.listing import Followed, Listed
from ..incidents.settings import IncidentsConfig
from ..reading import timeline
from ..reading.artifact_tables import open_artifact
from ..reading.artifact_tables.table import Opened
from ..reading.explanation import Explanation, explain
from ..reading.findings import RunFinding
from ..reading.history import History
from ..reading.origins import origins
from ..reading.report_sources import sources_of
from ..reading.run_store import Node, Run
from ..reading.timeline import Point
from ..reading.verdicts import CheckOf, RunVerdict, span_checks
from ..reading.window_images import WindowImages, window_images
from ..showing import incidents as incident_words
from ..showing.words import brief, cell_text, data_files, moment, nodes_in_words, place, short, took
from . import drawing, stored_report
from .marks import Drawing

SPANS_SHOWN, RUNS_SHOWN = 60, 25  # the newest ones, unless all are asked for
_ROWS_SHOWN = 400  # of a table of an artifact
_INCIDENTS_SHOWN = 3  # open ones of a timeline, with their images
_WINDOWS_SHOWN = 60  # of an incident, the last ones
_FINDINGS_SHOWN = 6  # of a check, before the rest is folded away
MOST_BYTES = 64 << 20  # of a file that a page is made from, or a report that is shown


@dataclass(frozen=True)
class Site:
    """What the pages are about.

    Attributes:
      metadata: the file or the address of the store.
      root: the folder that nothing outside of is shown; "" for none of this machine.
      rules: how incidents are told.
      places: the addresses that nothing of object stores outside of is shown.
      files: how artifacts are read; None for those of this machine below `root`.
      store: the store, where it is a server that every page asks; None where each page opens the file.

    """

    metadata: Path | str
    root: Path | str
    rules: IncidentsConfig = field(default_factory=IncidentsConfig)
    places: tuple[str, ...] = ()
    files: Files | None = None
    store: MetadataStore | None = None


@dataclass(frozen=True)
class Shown:
    """An incident with its images."""

    listed: Listed
    images: WindowImages


@dataclass(frozen=True)
class Line:
    """A timeline, drawn, with all its incidents, the newest first, and those that are shown with their images."""

    timeline: timeline.Timeline
    drawing: Drawing
    incidents: tuple[Listed, ...]
    shown: tuple[Shown, ...]


@dataclass(frozen=True)
class Bar:
    """A node on the time axis of its run: where it begins and how long it is, in per cent."""

    node: Node
    left: float
    width: float


@dataclass(frozen=True)
class Ground:
    """What one check says: the style of its outcome, that in a word, why, and its findings."""

    check: str
    tone: str
    word: str
    reason: str
    findings: tuple[RunFinding, ...]


def home(site: Site, history: History, *, all_spans: bool = False, all_runs: bool = False) -> str:
    """The timelines of all spans, and the runs."""
    known = {(each.series.model, each.series.logs): each for each in listing.followed(history, site.rules)}
    lines = [
        _line(history, known.get((line.pipeline, line.logs)), line)
        for line in timeline.timelines(history, 0 if all_spans else SPANS_SHOWN)
    ]
    shown = history.runs if all_runs else history.runs[:RUNS_SHOWN]
    return _render(
        "home.html.jinja",
        site=site,
        history=history,
        judged=history.judged() if history.runs else None,
        timelines=lines,
        problems=[point.problem for line in lines for point in line.timeline.points if point.problem],
        runs=shown,
        more_runs=len(history.runs) - len(shown),
        all_spans=all_spans,
    )


def run(site: Site, history: History, chosen: Run) -> str:
    """One run: its verdict, why, its nodes and what they made."""
    found, problem = _explained(history, chosen)
    same = [each for each in history.runs if each.pipeline == chosen.pipeline]
    number = same.index(chosen)
    page, trouble = stored_report.file_of(chosen)
    return _render(
        "run.html.jinja",
        site=site,
        history=history,
        run=chosen,
        says=history.verdict(chosen),
        found=found,
        grounds=_grounds(chosen, found) if found else [],
        findings_shown=_FINDINGS_SHOWN,
        problems=[each for each in (problem, trouble) if each],
        stored=page is not None,
        newer=same[number - 1] if number else None,
        older=same[number + 1] if number + 1 < len(same) else None,
        bars=list(_bars(chosen)),
        artifacts=[(node, key, each) for _, node, key, each in origins([chosen])],
    )


def incident(site: Site, history: History, name: str) -> str:
    """One incident. Raises `MonitorError` where there is none of this name."""
    found = _with_images(history, listing.find(listing.listed(history, site.rules), name))
    return _render(
        "incident.html.jinja",
        site=site,
        history=history,
        shown=found,
        listed=found.listed,
        incident=found.listed.incident,
        records=found.listed.records[-_WINDOWS_SHOWN:],
        problems=found.images.problems,
    )


def _line(history: History, known: Followed | None, line: timeline.Timeline) -> Line:
    own, rings = (known.incidents, known.rings) if known else ((), {})
    shown = [each for each in own if each.incident.open][:_INCIDENTS_SHOWN] or own[:1]
    drawn = drawing.draw(line, own, rings)
    return Line(line, drawn, tuple(own), tuple(_with_images(history, each) for each in shown))


def _with_images(history: History, found: Listed) -> Shown:
    """An incident with the images of the window that says most."""
    worst = found.incident.worst
    run = next((each for each in history.runs if each.id == worst.run), None)
    return Shown(found, window_images(run, found.incident.cause.of) if run else WindowImages())


def artifact(site: Site, chosen: Run, node: Node, key: str, found: Artifact) -> str:
    """One artifact that a node of a run gave: its properties, and its files as tables."""
    return _render(
        "artifact.html.jinja",
        site=site,
        run=chosen,
        node=node,
        key=key,
        artifact=found,
        opened=_opened(found, chosen.files),
        rows_shown=_ROWS_SHOWN,
    )


def report(site: Site, history: History, chosen: Run) -> str:
    """A run's report inside a frame that keeps it from everything else."""
    _, trouble = stored_report.file_of(chosen)
    return _render("report.html.jinja", site=site, history=history, run=chosen, problems=[trouble] if trouble else [])


def report_content(history: History, chosen: Run) -> str | BinaryIO:
    """The page that a run made of itself, as an open file; or one that is made now from what ML Metadata knows of it.


    Raises:
      MonitorError: it could not be made.

    """
    path, _ = stored_report.file_of(chosen)
    if path is not None:
        return stored_report.content_of(path, chosen.files)
    try:
        return rendering.render(build.build_page(sources_of(chosen), chosen.files, history.verdict(chosen)))
    except DAMAGE as error:
        raise MonitorError(f"The report of run {chosen.id} cannot be made: {said(error)}") from error


def message(title: str, text: str) -> str:
    """A page that says one thing."""
    return _render("message.html.jinja", title=title, text=text)


def unshown(artifact: Artifact, files: Files) -> str:
    """Why the files of an artifact are not shown: "gone", "elsewhere" or "outside"; "" where they are."""
    if not files.reaches(artifact.uri):
        return "elsewhere"
    try:
        files.check(artifact.uri)
        if "://" in artifact.uri:  # asking for each of a page's would take long
            return ""
        return "" if artifact.uri and Path(artifact.uri).exists() else "gone"
    except (ValueError, OSError):
        return "outside"


def _opened(found: Artifact, files: Files) -> Opened:
    """The tables of an artifact. One that is outside the root, or cannot be read at all, has a problem instead."""
    try:
        files.check(found.uri)
        return open_artifact(found, files)
    except (*DAMAGE, OSError) as error:
        return Opened(found, (), (said(error),))


def _explained(history: History, chosen: Run) -> tuple[Explanation | None, str]:
    """Why a run ended as it did; or None and what keeps it from being told."""
    try:
        return explain(history, chosen), ""
    except (*DAMAGE, OSError) as error:
        return None, f"Why cannot be told: {said(error)}"


def _grounds(chosen: Run, found: Explanation) -> list[Ground]:
    """The checks of a span with what they say; of another run, those with findings."""
    of: dict[int | str, list[RunFinding]] = {}
    checks = span_checks(chosen) if found.verdict.span is not None else []
    judged = {check.artifact.id for check in checks}
    said = found.verdict.reason if judged else ""
    for each in (each for each in found.findings if each.message not in said):
        of.setdefault(each.artifact.id if each.artifact.id in judged else each.check, []).append(each)
    grounds = [
        Ground(check.of.value.capitalize(), check.tone, check.state.words,
               "" if check.check.passed else check.check.reason,
               tuple(of.pop(check.artifact.id, ())))
        for check in checks
    ]  # fmt: skip
    for name, reasons in of.items():
        known = any(each.decided for each in reasons)
        outcome = "failed" if known else "undecided"
        grounds.append(Ground(str(name), outcome, outcome, "", tuple(reasons)))
    return grounds


def _bars(chosen: Run) -> Iterator[Bar]:
    """When each node ran. Nodes that were taken from the cache took no time."""
    begins = chosen.started.timestamp()
    whole = max(chosen.seconds, 0.001)
    for node in chosen.nodes.values():
        if node.finished is None:
            yield Bar(node, 0, 0)
            continue
        left = 100 * (node.finished.timestamp() - node.seconds - begins) / whole
        yield Bar(node, max(0.0, min(100.0, left)), max(0.0, min(100 - left, 100 * node.seconds / whole)))


def _render(template: str, **context: Any) -> str:
    text: str = _environment().get_template(template).render(context)
    return text


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals |= {
        "check_tone": drawing.tone_of_check,
        "mark": MARKS_OF_TONES.__getitem__,
        "moment": moment,
        "took": took,
        "short": short,
        "brief": brief,
        "nodes_in_words": nodes_in_words,
        "cell": cell_text,
        "level": level,
        "told": told,
        "unshown": unshown,
        "below": below,
        "place": place,
        "data_files": data_files,
        "measured": measured,
        "cut": cut,
        "CheckOf": CheckOf,
        "told_of": incident_words,
        "not_fine": FAIL_ON,
        "meanings": MEANINGS,
    }
    return environment


def level(found: Proportion | None) -> str:
    """An accuracy with its interval.

    >>> level(Proportion(0.5, 0.41, 0.592)), level(None)
    ('0.500 (0.410 to 0.592)', '')
    """
    return "" if found is None else str(found)


def told(point: Point) -> str:
    """All that is known of a span, in a few short sentences."""
    says: RunVerdict = point.verdict
    compared = "not compared" if says.p_value is None else f"p = {says.p_value:.2g}"
    alarm = f" (alarm at {point.allowed:.2g})" if point.allowed and says.p_value is not None else ""
    parts = [f"Span {point.span}: {says.state.words}", compared + alarm]
    accuracies = {"estimated accuracy": point.estimated, "real accuracy": point.real, "baseline": point.baseline}
    parts += [f"{name} {each.value:.3f}" for name, each in accuracies.items() if each]
    return ", ".join(parts) + _against(point)


def _against(point: Point) -> str:
    if not point.version:
        return ""
    return f"; against version {point.version}" + (f", {point.reference}" if point.reference else "")


def measured(found: RunFinding) -> str:
    """A finding's value against its bound; "" where it has none or says them already."""
    if found.measured is None or found.allowed is None or f"{found.measured:.4g}" in found.message:
        return ""
    return f"{short_name_of_test(found.what)} {found.measured:.4g}, allowed {found.allowed:.4g}"


def below(site: Site, uri: str) -> str:
    """A place as it is named below the root, and in full where it is not below."""
    for root in (*([str(site.root)] if site.root else []), *site.places):
        if uri.startswith(f"{root}/"):
            return uri.removeprefix(f"{root}/")
    return uri
