"""The page in a real browser: nothing to complain of, charts that are drawn, light and dark, narrow and wide."""

import base64
import hashlib
import json
import re
import shutil
import subprocess

import pytest

from components.common.artifacts.files import local_files
from components.validation_report import build, rendering

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
PROBE = """
const seen = {};
seen.charts = [...document.querySelectorAll("svg.chart")].map((svg) => {
  const box = svg.getBoundingClientRect();
  return { width: box.width, height: box.height, marks: svg.querySelectorAll("path[stroke], path[fill], line").length };
});
seen.images = [...document.images].map((each) => each.complete && each.naturalWidth > 0);
seen.background = getComputedStyle(document.body).backgroundColor;
seen.line = getComputedStyle(document.querySelector(".marks-window path") || document.body).stroke;
seen.overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth;
const box = document.getElementById("show-window");
if (box) {
  box.checked = false;
  seen.hidden = getComputedStyle(document.querySelector("#histograms .marks-window")).display;
}
const bin = document.querySelector("[data-told]");
if (bin) {
  bin.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX: 50, clientY: 50 }));
  seen.told = document.getElementById("told").textContent;
  seen.said = bin.dataset.told;
}
document.documentElement.dataset.seen = JSON.stringify(seen);
"""


def _probed(text: str) -> str:
    """The page with PROBE at its end: its policy runs no script but the page's own, so the probe is named there too."""
    digest = base64.b64encode(hashlib.sha256(PROBE.encode()).digest()).decode()
    allowing = text.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    assert allowing != text
    return allowing.replace("</body>", f"<script>{PROBE}</script></body>")


@pytest.fixture
def look(tmp_path):
    """Opens a page and gives what a script in it saw, and what the console said."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")

    def open_page(text, *, width=1280, dark=False):
        path = tmp_path / "page.html"
        path.write_text(_probed(text))
        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
                   f"--window-size={width},900", f"--blink-settings=preferredColorScheme={0 if dark else 1}",
                   "--enable-logging=stderr", "--dump-dom", path.as_uri()]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        found = re.search(r'data-seen="([^"]*)"', done.stdout)
        assert found, done.stderr[-2000:]
        return json.loads(found[1].replace("&quot;", '"').replace("&amp;", "&")), console

    return open_page


@pytest.mark.parametrize("width", [500, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_everything_is_drawn_and_nothing_is_complained_of(look, monitored, width, dark):
    page = build.build_page(monitored, local_files())
    seen, console = look(rendering.render(page), width=width, dark=dark)
    assert console == []
    assert len(seen["charts"]) == len(page.moved.charts) + len(page.accuracy.charts)
    assert not [c for c in seen["charts"] if c["width"] < 200 or c["height"] < 60 or c["marks"] < 6]
    assert seen["images"]
    assert all(seen["images"])
    assert seen["overflow"] <= 0
    brightness = sum(map(int, re.findall(r"\d+", seen["background"])[:3])) / 3
    assert brightness < 60 if dark else brightness > 200
    assert seen["line"] == ("rgb(251, 146, 60)" if dark else "rgb(194, 65, 12)")
    assert seen["hidden"] == "none"
    assert seen["told"] == seen["said"] != ""


def test_hostile_names_run_nothing(look, trained):
    seen, console = look(rendering.render(build.build_page(trained, local_files())))
    assert console == []
    assert all(seen["images"])
