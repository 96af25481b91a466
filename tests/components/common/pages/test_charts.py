"""Charts as a picture, for what shows no SVG with a style of its own."""

import io

import pytest
from PIL import Image

from components.common.errors import MonitorError
from components.common.pages import charts

SERIES = {"baseline": [0.5, 0.5], "window": [0.25, 0.75]}


def histogram():
    return charts.histogram(["0", "1", "2"], SERIES, ["first", "second"], edges=True)


def drawn(*titles, columns=3):
    png = charts.picture({title: histogram() for title in titles}, columns=columns)
    return Image.open(io.BytesIO(png)).convert("RGB")


def test_charts_stand_beside_each_other_in_the_colours_of_the_light_page():
    one, two, column = drawn("a"), drawn("a", "b"), drawn("a", "b", columns=1)
    assert two.width > 1.9 * one.width
    assert two.height == pytest.approx(one.height, abs=2)
    assert column.height > 1.9 * one.height
    colours = {colour for _, colour in two.getcolors(1 << 20)}
    assert {(255, 255, 255), (0xC2, 0x41, 0x0C)} <= colours  # the page, and the window's line


def test_a_chart_that_is_none_is_an_error_of_ours():
    with pytest.raises(MonitorError, match="must be valid Vega-Lite"):
        charts.picture({"a": {**histogram(), "layer": [{"name": "x", "mark": "nonsense"}]}})


def test_a_picture_of_no_chart_is_an_error_of_ours():
    with pytest.raises(MonitorError, match="`drawn` must hold a chart"):
        charts.picture({})
