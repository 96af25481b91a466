"""Pages as HTML: one file with its style, its script, its charts and its images inside."""

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from ..errors import MonitorError
from ..verdict_words import MARKS_OF_TONES
from . import charts
from .parts import Chart

# What pages say of themselves by CSP: they load nothing, and run this package's script and no other.
PAGE_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {script}"
FOLDER = Path(__file__).parent / "templates"  # the page's style and script too, for pages that go with it


def render_template(
    name: str, shown: Sequence[Chart], problems: Sequence[str], *, folders: Sequence[Path] = (), **context: Any
) -> str:
    """A template with what any page has: its style, its script, its charts as `svg(chart)`, and `parts.html.jinja`.

    Args:
      name: of the template, in `FOLDER` or one of `folders`.
      shown: the charts that the template shows.
      problems: what could not be read; that charts cannot be drawn is added to it.
      folders: where templates are looked for besides.
      **context: what else the template is given.

    """
    problems = list(problems)
    try:
        drawn = charts.draw([chart.spec for chart in shown])
    except MonitorError as error:
        problems.append(f"Charts are not shown: {error}")
        drawn = [""] * len(shown)
    # vl-convert's text is escaped; and ElementTree has read it and written it anew
    svg = {id(chart): Markup(each) for chart, each in zip(shown, drawn, strict=True)}  # noqa: S704
    common: dict[str, Any] = {
        "problems": problems,
        "svg": lambda chart: svg[id(chart)],
        "mark": lambda tone: MARKS_OF_TONES[str(getattr(tone, "value", tone))],
        "word": lambda outcome: outcome.value,
        "slug": _Slugs(),
        "style": Markup((FOLDER / "page.css").read_text(encoding="utf-8")),  # noqa: S704 - our own files
        "script": Markup(script()),  # noqa: S704
        "policy": Markup(PAGE_POLICY.format(script=script_digest())),  # noqa: S704
    }
    text: str = _environment((*folders, FOLDER)).get_template(name).render({**common, **context})
    return text


@cache
def script() -> str:
    """The script of every page, exactly as it stands between its tags."""
    return (FOLDER / "page.js").read_text(encoding="utf-8")


@cache
def script_digest() -> str:
    """How a Content-Security-Policy names that script, so that no other one runs on a page."""
    digest = hashlib.sha256(script().encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


@cache
def _environment(folders: tuple[Path, ...]) -> jinja2.Environment:
    """Made once, for it keeps the templates that it has compiled: that takes longer than to fill in a page."""
    loader = jinja2.FileSystemLoader(folders)
    return jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )


class _Slugs:
    """Ids that are unique on the page."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def __call__(self, text: str) -> str:
        base = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "part"
        name, number = base, 2
        while name in self._used:
            name, number = f"{base}-{number}", number + 1
        self._used.add(name)
        return name
