"""The demonstration's parts, without its processes: the story, what is told of it, and what is said when one fails."""

import io
import json
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import numpy as np
import pytest
from rich.console import Console

from components.common.errors import MonitorError
from components.common.verdict_words import State
from model_monitor.incidents.course import Course
from model_monitor.incidents.settings import IncidentsConfig
from model_monitor.live import playing, story
from model_monitor.live.clients import Client
from model_monitor.live.processes import running
from model_monitor.live.story import PUSH, STORY, Traffic
from model_monitor.live.telling import Teller
from model_monitor.traffic.shifts import SHIFTS
from tests.model_monitor.incidents.windows import windows
from tests.support.bundles import write_bundle
from tests.support.model_specs import digits_spec


def test_the_story_has_shifts_that_there_are_and_chapters_that_end_well():
    for chapter in STORY:
        assert chapter.windows
        assert all(each.shift in SHIFTS or not each.shift for each in chapter.windows)
        assert all(0 < each.fraction <= 1 and 1 <= each.severity <= 5 for each in chapter.windows)
    assert [chapter.first for chapter in STORY].count(PUSH) == 1
    assert STORY[-1].allowed == (State.FINE,)
    starts = [first for first, _ in story.numbered()]
    assert starts[0] == 1
    assert story.length() == starts[-1] + len(STORY[-1].windows) - 1


def told(*words: str) -> str:
    console = Console(file=io.StringIO(), width=100)
    teller, course, records = Teller(console), Course(IncidentsConfig(bearable="")), windows("".join(words))
    for number, record in enumerate(records, 1):
        teller.judged(record, 3.2)
        change = course.go_on(records[:number])
        if change is not None:
            teller.changed(change)
    teller.ends(records, ["the end"])
    return " ".join(console.file.getvalue().split())


def test_incidents_are_told_when_they_open_get_worse_and_end():
    text = told("fcdf")
    assert "Incident 2 opened, information: changed, first in image_sharpness, image_noise." in text
    assert "Incident 2 worse, critical: degraded" in text
    assert "Does it hurt? Yes: accuracy estimated 0.610" in text
    assert "Incident 2 is closed. Fine again after 2 windows" in text
    assert "The timeline ■ ■ ■ ■ 1 2 3 4 4 windows: 2 fine, 1 changed, 1 degraded the end" in text


class Model(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, self.headers["X-Request-Id"], np.array(body["inputs"]["x"], np.uint8)))
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        """Keeps the terminal clean."""


@pytest.fixture
def model():
    server = HTTPServer(("127.0.0.1", 0), Model)
    server.asked, server.status = [], 200
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def client_of(model) -> Client:
    images = np.arange(10 * 4 * 4 * 3, dtype=np.uint8).reshape(10, 4, 4, 3)
    return Client(f"http://127.0.0.1:{model.server_address[1]}", "m", "x", images, np.arange(10) % 2)


def test_a_window_is_sent_in_requests_with_ids_of_their_own(model):
    client = client_of(model)
    client.send(Traffic(), 10, 4, seed=1)
    assert [(path, len(images)) for path, _, images in model.asked] == [("/v1/models/m:predict", n) for n in (4, 4, 2)]
    assert len({identity for _, identity, _ in model.asked}) == 3
    sent = np.concatenate([images for _, _, images in model.asked])
    assert {image.tobytes() for image in sent} == {image.tobytes() for image in client.images}
    client.send(Traffic("darkness", 5), 10, 10, seed=1)
    assert model.asked[-1][2].mean() < sent.mean()


def test_a_model_that_does_not_answer_is_an_error(model):
    model.status = 503
    with pytest.raises(MonitorError, match=r"must answer.*503"):
        client_of(model).send(Traffic(), 2, 2, seed=1)


def test_a_process_that_ends_says_what_it_said(tmp_path):
    with (
        running(("watch", "--logs", str(tmp_path / "nowhere")), tmp_path / "log") as process,
        pytest.raises(MonitorError, match=r"`model-monitor watch` ended with exit code 1\. It said, .*nowhere"),
    ):
        process.until(lambda _: False, 60, "address")


def settings_of(folder, **changes) -> playing.Settings:
    version = write_bundle(folder / "serving" / "7", digits_spec())
    return replace(playing.Settings(folder / "live", version), **changes)


def test_a_folder_that_no_demonstration_made_is_left_alone(tmp_path):
    settings = settings_of(tmp_path)
    playing.prepare(settings)
    playing.prepare(settings)  # that of an earlier one may go
    assert (settings.serving / "7" / "saved_model.pb").exists()
    (settings.root / playing.MARKER).unlink()
    with pytest.raises(MonitorError, match="be a new folder, or that of an earlier demonstration"):
        playing.prepare(settings)
    assert settings.config.exists()


def test_a_window_that_is_no_number_of_requests_is_refused(tmp_path):
    for window in (10, 310):
        with pytest.raises(MonitorError, match="--window"):
            settings_of(tmp_path / str(window), window=window)
