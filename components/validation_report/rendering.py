"""The page as HTML."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..common.pages import templating
from .page import Page

_FOLDER = Path(__file__).parent / "templates"


def render(page: Page) -> str:
    """The page as HTML. Where the charts cannot be drawn, the tables behind them stand alone, and a line says so."""
    shown = [*page.moved.charts, *page.accuracy.charts]
    return templating.render_template(
        "page.html.jinja", shown, page.problems, folders=[_FOLDER], page=page, groups=list(_groups(page))
    )


def _groups(page: Page) -> Iterator[tuple[str, list[Any]]]:
    """The strips of images by their group, in the order of the page."""
    names = list(dict.fromkeys(strip.group for strip in page.strips))
    for name in names:
        yield name, [strip for strip in page.strips if strip.group == name]
