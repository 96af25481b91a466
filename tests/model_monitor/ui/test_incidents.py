"""Incidents on the timeline, and each on a page of its own, with its images."""

import base64
import io
import random
import re
from html import unescape

import numpy as np
import pytest
from PIL import Image
from werkzeug.test import Client

from model_monitor.alerts.picture import picture_of_run
from model_monitor.incidents.listing import listed
from model_monitor.incidents.settings import IncidentsConfig
from model_monitor.ui.app import Application
from model_monitor.ui.pages import Site
from tests.support.example_runs import Story
from tests.support.timeline_story import Seen, _push, look

from .conftest import Pages


@pytest.fixture(scope="module")
def pictured(tmp_path_factory) -> Pages:
    """Three spans with images, of which the last two have lost their sharpness: an open incident."""
    story = Story(tmp_path_factory.mktemp("pictured"))
    version, draw = _push(story, "0", 0.8), random.Random(5)  # noqa: S311
    look(story, Seen(1, 0.8), version, 0.8, draw)
    look(story, Seen(2, 0.8), version, 0.8, draw, images=True)
    for span in (3, 4):
        look(story, Seen(span, 0.8, ("image_sharpness",), 0.001), version, 0.8, draw, images=True)
    return Pages(story.metadata)


def of(pages: Pages):
    return listed(pages.history(), IncidentsConfig())


def test_incidents_are_bars_on_the_timeline_that_lead_to_their_pages(told: Pages):
    text = told.text("/")
    found = of(told)
    bars = re.findall(r'<a class="spell (\w+)" href="/incidents/([^"]+)" aria-label="([^"]+)"', text)
    assert [(severity, key) for severity, key, _ in bars] == [
        (each.incident.severity.value, each.key) for each in found
    ]
    worst = next(each for each in found if each.incident.severity.value == "critical")
    said = next(unescape(said) for _, key, said in bars if key == worst.key)
    assert said.startswith(
        f"Incident {worst.incident.number}, critical, fine again: degraded, first in image_sharpness"
    )
    rect = re.search(
        rf'{re.escape(worst.key)}" aria-label.*?<rect [^>]*x="([0-9.]+)%"[^>]*width="([0-9.]+)%"', text, re.S
    )
    left, width = map(float, rect.groups())
    number = worst.incident.number
    assert left == pytest.approx(100 * (number - 1) / 18, abs=0.01)
    assert width == pytest.approx(100 * worst.incident.windows / 18, abs=0.01)
    for _, key, _ in bars:
        assert told.text(f"/incidents/{key}")
    assert told.text(f"/incidents/{worst.incident.name}") == told.text(f"/incidents/{worst.key}")  # as messages link


def test_the_sequential_statistic_is_drawn_unless_the_settings_have_none(told: Pages):
    site = Site(told.metadata, told.root, IncidentsConfig(bearable=""))
    without = Client(Application(site)).get("/").text
    assert "Slow drift, over the spans" in told.text("/")
    assert 'class="spell critical"' in without
    assert "Slow drift, over the spans" not in without


def test_an_incident_says_what_since_when_how_sure_and_whether_it_hurts(told: Pages):
    worst = next(each for each in of(told) if each.incident.severity.value == "critical")
    text = unescape(told.text(f"/incidents/{worst.incident.number}"))
    for part in (
        "degraded, first in image_sharpness, image_gradient, image_noise",
        f"window {worst.incident.number}, ",
        "windows not fine",
        "an alarm below 0.01",
        "yes: accuracy",
        f"model-monitor report span:{worst.incident.worst.window} --open",
        "changed: image_sharpness",
        f'href="/runs/{worst.incident.first.run}"',
        f'href="/runs/{worst.incident.worst.run}/report"',
    ):
        assert part in text
    assert text.count('<th scope="row">') == worst.incident.windows


@pytest.mark.parametrize("name", ["99", "elsewhere/1", "..%2f..%2fetc%2fpasswd", "%3Cscript%3E"])
def test_there_is_no_such_incident(told: Pages, name):
    answer = told.ask(f"/incidents/{name}")
    assert answer.status_code == 404
    assert "<script>" not in answer.text.replace("<script src", "")


def pixels(text: str) -> list[int]:
    """The greys of the images in a page's first strip."""
    strip = text.split('<ul class="pictures"')[1].split("</ul>", maxsplit=1)[0]
    sources = re.findall(r'src="data:image/png;base64,([^"]+)"', strip)
    return [Image.open(io.BytesIO(base64.b64decode(each))).convert("RGB").getpixel((3, 3))[0] for each in sources]


def test_an_open_incident_shows_six_images_that_are_farthest_out(pictured: Pages):
    text = pictured.text("/")
    assert "Open incidents" in text
    assert "The lowest of the window, image_sharpness" in text
    values = np.random.default_rng(3).normal(size=(40, 3)).astype(np.float32)[:, 0]
    expected = [6 * int(number) for number in np.argsort(values, kind="stable")[:6]]
    assert pixels(text) == expected
    (found,) = of(pictured)
    assert pixels(pictured.text(f"/incidents/{found.key}")) == expected


def test_a_message_carries_the_same_images_as_one_picture(pictured: Pages):
    (found,) = of(pictured)
    picture = Image.open(io.BytesIO(picture_of_run(pictured.metadata, found.incident.worst.run)))
    assert picture.size == (6 * 136 + 8, 144)
    greys = [picture.getpixel((8 + 136 * number + 64, 72))[0] for number in range(6)]
    assert greys == pixels(pictured.text("/"))
    assert picture_of_run(pictured.metadata, of(pictured)[0].series.records[0].run) is None  # a run without images
