"""The pages in a real browser: drawn and complained of nothing, light and dark, by mouse and by keyboard."""

import itertools
import json
import re
import shutil
import subprocess
import threading

import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from model_monitor.ui.app import Application
from model_monitor.ui.pages import Site

from .conftest import Pages

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
LOOK = """
const seen = {};
const box = (each) => each.getBoundingClientRect();
const plot = document.querySelector(".plot");
if (plot) {
  const columns = [...plot.querySelectorAll(".column")];
  seen.columns = columns.map((each) => each.getAttribute("aria-label"));
  const scroll = document.querySelector(".chart-scroll");
  seen.scrolled = scroll.scrollLeft + scroll.clientWidth >= scroll.scrollWidth - 2;
  const last = columns[columns.length - 1];
  last.scrollIntoView({ block: "center", behavior: "instant" });
  const now = box(last);
  const hit = document.elementFromPoint(now.left + now.width / 2, now.top + now.height / 2);
  seen.hit = hit && hit.closest("a") === last;
  seen.marks = plot.querySelectorAll("use").length;
  seen.sizes = [...plot.querySelectorAll("use")].map((each) => Math.min(box(each).width, box(each).height));
  seen.plot = box(plot).width;
  last.focus();
  for (const key of ["ArrowLeft", "ArrowLeft", "ArrowRight"]) {
    document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  }
  seen.focused = document.activeElement.getAttribute("aria-label");
  seen.stops = plot.querySelectorAll("a[tabindex='0']").length;
  last.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX: 50, clientY: 50 }));
  seen.told = document.getElementById("told").textContent;
}
seen.overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth;
seen.background = getComputedStyle(document.body).backgroundColor;
seen.unnamed = [...document.querySelectorAll("a, summary")].filter((each) =>
  !(each.getAttribute("aria-label") || each.textContent).trim()).length;
seen.headings = [...document.querySelectorAll("h1, h2, h3")].map((each) => Number(each.tagName[1]));
document.documentElement.dataset.seen = JSON.stringify(seen);
"""
CLICK = """
const next = { "/": ".column:nth-of-type(7)" }[location.pathname] || "a.button";
document.querySelector(next).dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true }));
"""


class Probed:
    """The application with a script of the test's own on each page."""

    def __init__(self, application: Application, script: str):
        self.application, self.script = application, script

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"] == "/probe.js":
            return Response(self.script, mimetype="text/javascript")(environ, start_response)
        inside = b"".join(self.application(environ, self.started))
        body = inside.replace(b"</body>", b'<script src="/probe.js" defer></script></body>')
        return Response(body, self.status, [each for each in self.headers if each[0] != "Content-Length"])(
            environ, start_response
        )

    def started(self, status, headers):
        self.status, self.headers = status, headers


@pytest.fixture
def browse(tmp_path):
    """Opens a page of a store and gives the document that the browser has in the end, and what its console said."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")

    def open_page(pages: Pages, path: str, script: str, *, width=1280, dark=False):
        server = make_server("127.0.0.1", 0, Probed(Application(Site(pages.metadata, pages.root)), script))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                   "--disable-background-networking", "--disable-component-update", "--disable-sync",
                   f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},900",
                   f"--blink-settings=preferredColorScheme={0 if dark else 1}", "--virtual-time-budget=20000",
                   "--enable-logging=stderr", "--dump-dom", f"http://127.0.0.1:{server.port}{path}"]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        finally:
            server.shutdown()
            thread.join()
        return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]

    return open_page


@pytest.fixture
def look(browse):
    def open_page(pages, path, **options):
        text, console = browse(pages, path, LOOK, **options)
        found = re.search(r'data-seen="([^"]*)"', text)
        assert found, text[-2000:]
        return json.loads(found[1].replace("&quot;", '"').replace("&amp;", "&")), console

    return open_page


@pytest.mark.parametrize("width", [500, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_the_timeline_is_drawn_and_can_be_used(look, told, width, dark):
    seen, console = look(told, "/", width=width, dark=dark)
    assert console == []
    assert len(seen["columns"]) == 18
    assert seen["columns"][6].startswith("Span 7: degraded, p = 0.00")
    assert seen["hit"]
    assert seen["scrolled"]
    assert seen["marks"] > 18 * 5
    assert min(seen["sizes"]) > 5
    assert seen["plot"] > 18 * 14 - 1
    assert seen["focused"].startswith("Span 17: ")
    assert seen["stops"] == 1
    assert seen["told"].startswith("Span 18: ")
    assert seen["overflow"] <= 0
    brightness = sum(map(int, re.findall(r"\d+", seen["background"])[:3])) / 3
    assert brightness < 60 if dark else brightness > 200


@pytest.mark.parametrize("width", [500, 1280])
def test_every_kind_of_page_has_names_and_headings_in_order(look, told, width):
    run = told.history().runs[0]
    artifact = run.made("ExampleAnomalies")[0][1].id
    for path in ("/", f"/runs/{run.id}", f"/artifacts/{artifact}", "/nothing"):
        seen, console = look(told, path, width=width)
        assert [line for line in console if "404" not in line] == [], path
        assert seen["unnamed"] == 0, path
        assert seen["overflow"] <= 0, path
        levels = seen["headings"]
        assert levels[0] == 1, path
        assert levels.count(1) == 1, path
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels)), path


def test_a_click_on_a_span_leads_to_its_run_and_on_to_its_report(browse, told):
    text, _ = browse(told, "/", CLICK)
    number = re.search(r"<title>Report of run ([0-9]+) ", text)[1]
    assert f'src="/runs/{number}/report/content"' in text
    assert "Span 7 is degraded" in told.text(f"/runs/{number}/report/content")


def test_hostile_names_run_nothing(look, fresh):
    name = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'
    fresh.story.penguin(name, pipeline=name, accuracy=0.4)
    pages = Pages(fresh.metadata)
    for path in ("/", f"/runs/{fresh.run(name).id}"):
        assert look(pages, path)[1] == []
