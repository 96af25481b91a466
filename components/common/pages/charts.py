"""Charts in Vega-Lite, and their SVG by vl-convert: drawn here, so that the page needs no plotting code of its own.

Colours are CSS variables, which the page sets for light, dark and print.
"""

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree  # of what vl-convert made, not of what somebody sent

from ..errors import MonitorError, require
from ..recent import Recent

WIDTH, HEIGHT = 300, 130  # of the plot itself, in CSS pixels: with its axes it fits a telephone
_PICTURE_SCALE = 1.5  # pixels of a picture for each of the page
_LEFT, _TOP, _RIGHT, _BOTTOM = 40, 8, 14, 38
_CHARACTER, _LONGEST_LABEL = 7, 180  # pixels: about, of a character; of a label, Vega's own limit
_NAMES = 84  # room for the names of rows; longer ones are cut by Vega
_STYLE = Path(__file__).parent / "templates" / "page.css"
_SVG = "http://www.w3.org/2000/svg"
_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
_BASELINE, _WINDOW, _PREVIOUS = "var(--baseline)", "var(--window)", "var(--previous)"
_LIMIT = "var(--limit)"
_POINTS = {"baseline": (_BASELINE, "circle"), "previous": (_PREVIOUS, "square"), "window": (_WINDOW, "diamond")}
_CONFIG = {
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--muted)",
        "titleColor": "var(--muted)",
        "titleFontWeight": "normal",
        "labelFontSize": 11,
        "titleFontSize": 11,
        "gridColor": "var(--grid)",
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
        "domain": False,
        "labelLimit": 0,  # a text that has a limit is measured three times, which takes longer than all the rest
        "titleLimit": 0,
    },
    "text": {"color": "var(--text)", "fontSize": 11},
}

Spec = dict[str, Any]
_drawn: Recent[str] = Recent(64)
_compiled: Recent[Spec] = Recent(128)  # a few KB each; a model has some fifty features, a chart each
_NAME = re.compile(r"\b([a-z]+)_[0-9]+_(?:\w+_)?marks\b")  # of a layer, in the classes that Vega gives its marks


def histogram(
    labels: Sequence[str], series: Mapping[str, Sequence[float]], told: Sequence[str], *, edges: bool
) -> Spec:
    """Proportions of bins: the baseline as an area, the window as a thick line, the previous span as a dashed one.

    Args:
      labels: of the edges of the bins, one more than bins, or of the bins.
      series: by side, "baseline", "window" or "previous", the proportion of each bin.
      told: of each bin, what is said about it under the pointer.
      edges: whether `labels` are of the edges.

    """
    bins = len(told)
    rows = [{"x": i, "x2": i + 1, "told": told[i]} for i in range(bins)]
    step = _shown_every(len(labels), max(map(len, labels)))
    places = [i if edges else i + 0.5 for i in range(0, len(labels), step)]
    names = {str(place): labels[int(place)] for place in places}
    axis = {
        "values": places,
        "labelExpr": _lookup(names),
        "grid": False,
        "title": None,
        "labelOverlap": False,
        "labelFlush": False,
        "labelLimit": _LONGEST_LABEL if max(map(len, labels)) * _CHARACTER > _LONGEST_LABEL else 0,
    }
    x = {"field": "x", "type": "quantitative", "axis": axis, "scale": {"domain": [0, bins], "nice": False}}
    y_axis = {"format": ".0%", "tickCount": 3, "title": None}
    layers = [_step(name, proportions, x, y_axis) for name, proportions in series.items()]
    hit: Spec = {
        "name": "hit",
        "data": {"values": rows},
        "mark": {"type": "rect", "fillOpacity": 0},
        "encoding": {"x": x, "x2": {"field": "x2"}, "description": {"field": "told"}},
    }
    return {"width": WIDTH, "height": HEIGHT, "layer": [*layers, hit]}


def intervals(
    names: Sequence[str],
    rows: Sequence[tuple[str, str, float, float, float]],
    *,
    limit: float | None = None,
    title: str = "accuracy",
) -> Spec:
    """Points with their intervals on 0 to 1: `rows` of (name, series, value, low, high), with a limit to stay above.

    A series is "baseline", "window" or "previous", as in a histogram.
    """
    values = [
        {"name": name, "series": series, "value": value, "low": low, "high": high,
         "told": f"{name}: {value:.3f} ({low:.3f} to {high:.3f})"}
        for name, series, value, low, high in rows
    ]  # fmt: skip
    y = {
        "field": "name",
        "type": "nominal",
        "sort": list(names),
        "axis": {"title": None, "ticks": False, "labelLimit": _NAMES - 6},
    }
    x = {"field": "low", "type": "quantitative", "scale": {"domain": [0, 1]}, "axis": {"title": title, "tickCount": 5}}
    layers: list[Spec] = []
    for series, (colour, shape) in _POINTS.items():
        own = {"values": [v for v in values if v["series"] == series]}
        if own["values"]:
            said = {"description": {"field": "told"}, "y": y}
            rule = {"type": "rule", "color": colour, "strokeWidth": 3}
            point = {"type": "point", "filled": True, "size": 70, "shape": shape, "color": colour, "opacity": 1}
            layers += [
                {"name": series, "data": own, "mark": rule, "encoding": {**said, "x": x, "x2": {"field": "high"}}},
                {"name": series, "data": own, "mark": point, "encoding": {**said, "x": {**x, "field": "value"}}},
            ]
    if limit is not None:
        mark = {"type": "rule", "color": _LIMIT, "strokeDash": [5, 4], "strokeWidth": 1.5}
        told = f"the least that is allowed: {limit:.3f}"
        encoding = {"x": {**x, "field": "low"}, "description": {"value": told}}
        layers.append({"name": "limit", "data": {"values": [{"low": limit}]}, "mark": mark, "encoding": encoding})
    return {"width": WIDTH - 30, "height": 24 * len(names), "layer": layers}


def calibration(rows: Sequence[tuple[float, float, float, float, str]]) -> Spec:
    """Accuracy against confidence: `rows` of (confidence, accuracy, low, high, what is said); the diagonal is ideal."""
    values = [{"x": x, "y": y, "low": low, "high": high, "told": told} for x, y, low, high, told in rows]
    axis = {"format": ".0%", "tickCount": 5}
    domain = {"domain": [0, 1]}
    x = {"field": "x", "type": "quantitative", "scale": domain, "axis": {**axis, "title": "confidence"}}
    y = {"field": "y", "type": "quantitative", "scale": domain, "axis": {**axis, "title": "accuracy"}}
    said = {"description": {"field": "told"}}
    ideal = [{"x": 0, "y": 0}, {"x": 1, "y": 1}]
    diagonal = {"type": "line", "color": "var(--line)", "strokeDash": [5, 4], "strokeWidth": 1.5}
    rule = {"type": "rule", "color": _BASELINE, "strokeWidth": 3}
    low = {**y, "field": "low"}
    point = {"type": "point", "filled": True, "size": 70, "color": _BASELINE, "opacity": 1}
    layers = [
        {"name": "ideal", "data": {"values": ideal}, "mark": diagonal, "encoding": {"x": x, "y": y}},
        {
            "name": "interval",
            "data": {"values": values},
            "mark": rule,
            "encoding": {"x": x, "y": low, "y2": {"field": "high"}, **said},
        },
        {"name": "point", "data": {"values": values}, "mark": point, "encoding": {"x": x, "y": y, **said}},
    ]
    return {"width": WIDTH, "height": 220, "layer": layers}


def draw(specs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The SVG element of each chart.

    Raises:
      MonitorError: vl-convert is not installed, or could not draw one of them.

    """
    return [_drawn.get(json.dumps(spec), lambda spec=spec: _draw(spec)) for spec in specs]  # type: ignore[misc]


def _draw(spec: Mapping[str, Any]) -> str:
    """One chart. What Vega-Lite makes of it but for its rows is kept: most windows' charts differ in nothing else."""
    rows = {f"rows_{place}": layer.get("data", {}).get("values", []) for place, layer in enumerate(spec["layer"])}
    layers = [{**layer, "data": {"name": name}} for name, layer in zip(rows, spec["layer"], strict=True)]
    bare = {**spec, "layer": layers}
    try:
        vega = _compiled.get(json.dumps(bare), lambda: _engine().vegalite_to_vega(_whole(bare)))
        filled = [{**each, "values": rows[each["name"]]} if each["name"] in rows else each for each in vega["data"]]
        drawn = _engine().vega_to_svg({**vega, "data": filled})
    except ValueError as error:
        raise MonitorError(f"A chart must be valid Vega-Lite. Received: {str(error)[:300]}") from error
    ElementTree.register_namespace("", _SVG)
    return _alone(_group(ElementTree.fromstring(drawn)), spec)  # noqa: S314


def _whole(spec: Mapping[str, Any]) -> Spec:
    """A chart with all that Vega-Lite needs, as a row of one: so its plot stands in a group that can be cut out."""
    return {"$schema": _SCHEMA, "background": None, "config": _CONFIG, "hconcat": _numbered([spec])}


def picture(drawn: Mapping[str, Mapping[str, Any]], *, columns: int = 3) -> bytes:
    """Charts beside each other under their titles as one PNG, in the light page's colours, for what shows no SVG.

    Raises:
      MonitorError: there is none, vl-convert is not installed, or it could not draw one of them.

    """
    require(bool(drawn), "drawn", "hold a chart", dict(drawn))
    specs = [{**spec, "title": title} for title, spec in zip(drawn, _numbered(list(drawn.values())), strict=True)]
    whole = {"$schema": _SCHEMA, "background": "white", "config": _CONFIG, "concat": specs, "columns": columns}
    colours = _light_colours()
    text = re.sub(r"var\(--([a-z-]+)\)", lambda found: colours[found[1]], json.dumps(whole))
    try:
        return bytes(_engine().vegalite_to_png(text, scale=_PICTURE_SCALE))
    except ValueError as error:
        raise MonitorError(f"A chart must be valid Vega-Lite. Received: {str(error)[:300]}") from error


@cache
def _light_colours() -> dict[str, str]:
    """The page's colours by their names, as its style sets them first."""
    first_rule = _STYLE.read_text(encoding="utf-8").partition("}")[0]
    return dict(re.findall(r"--([a-z-]+):\s*(#[0-9a-f]{6})", first_rule))


def _numbered(specs: Sequence[Mapping[str, Any]]) -> list[Spec]:
    """The charts with names that no two layers share, as Vega wants it of what is drawn together."""
    numbers = itertools.count()
    return [
        {**spec, "layer": [{**each, "name": f"{each['name']}_{next(numbers)}"} for each in spec["layer"]]}
        for spec in specs
    ]


@cache
def _engine() -> Any:
    try:
        import vl_convert  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415 - only to draw
    except ImportError as error:
        raise MonitorError("Charts need the package vl-convert-python, which is not installed") from error
    return vl_convert


def _group(root: ElementTree.Element) -> ElementTree.Element:
    for group in root.iter(f"{{{_SVG}}}g"):
        if "concat_0_group" in group.get("class", "").split():
            return group
    raise MonitorError("vl-convert must draw a chart. Received: none")


def _alone(group: ElementTree.Element, spec: Mapping[str, Any]) -> str:
    """One chart as an SVG element of its own, whose plot begins at the same place in every one."""
    left, below = _room(spec)
    width, height = left + spec["width"] + _RIGHT, _TOP + spec["height"] + below
    svg = ElementTree.Element(f"{{{_SVG}}}svg", {"viewBox": f"0 0 {width} {height}", "class": "chart", "fill": "none"})
    svg.set("style", f"max-width:{width}px")
    svg.set("aria-hidden", "true")  # the figure around it says what is to be seen, and has the numbers as a table
    group[0].set("transform", f"translate({left},{_TOP})")
    svg.append(group)
    for element in svg.iter():
        _trim(element)
    return ElementTree.tostring(svg, encoding="unicode")


def _trim(element: ElementTree.Element) -> None:
    """Drops what only repeats itself; keeps what a bin or a point has to say as `data-told`."""
    told = element.attrib.pop("aria-label", "")
    description = element.attrib.pop("aria-roledescription", "")
    for name in ("aria-hidden", "role", "font-family"):
        if element.get("class") != "chart":
            element.attrib.pop(name, None)
    if told and element.tag.endswith("}path") and description not in ("axis", "line mark", "area mark"):
        element.set("data-told", told)
    if found := _NAME.search(element.get("class", "")):
        element.set("class", f"marks-{found[1]}")  # for the page's own style
    for name in ("d", "transform"):
        if name in element.attrib:
            element.set(name, re.sub(r"-?\d+\.\d{2,}", lambda m: f"{float(m[0]):.1f}", element.attrib[name]))


def _room(spec: Mapping[str, Any]) -> tuple[int, int]:
    """Room on the left for the names of rows or the figures of an axis, and below for labels and perhaps a title."""
    encoding = spec["layer"][0]["encoding"]
    x, y = encoding["x"]["axis"], encoding["y"].get("axis", {})
    left = _NAMES if encoding["y"]["type"] == "nominal" else _LEFT + (14 if y.get("title") else 0)
    return left, _BOTTOM if x.get("title") else _BOTTOM - 14


def _step(name: str, proportions: Sequence[float], x: Spec, axis: Spec) -> Spec:
    """A stepped line over the bins, closed to the ground where it is an area."""
    values = [{"x": i, "y": proportion} for i, proportion in enumerate(proportions)] + [
        {"x": len(proportions), "y": proportions[-1]}
    ]
    marks: dict[str, Spec] = {
        "baseline": {"type": "area", "color": _BASELINE, "fillOpacity": 0.3,
                     "line": {"color": _BASELINE, "strokeWidth": 1.2}},
        "window": {"type": "line", "color": _WINDOW, "strokeWidth": 2.4},
        "previous": {"type": "line", "color": _PREVIOUS, "strokeWidth": 1.6, "strokeDash": [4, 3]},
    }  # fmt: skip
    y = {"field": "y", "type": "quantitative", "axis": axis}
    mark = {**marks[name], "interpolate": "step-after"}
    return {"name": name, "data": {"values": values}, "mark": mark, "encoding": {"x": x, "y": y}}


def _shown_every(labels: int, longest: int) -> int:
    """How many labels to go on by so that they do not touch."""
    return max(1, -(-labels * (_CHARACTER * longest + 8) // WIDTH))


def _lookup(names: Mapping[str, str]) -> str:
    """A Vega expression that gives a place its name. Names are quoted as JSON, in which Vega expressions write text."""
    return f"{json.dumps(names)}[toString(datum.value)]"
