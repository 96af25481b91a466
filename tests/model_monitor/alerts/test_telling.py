"""From judged windows to messages, through real stores and a real outbox: filters, mutes, and what was missed."""

import io
import json
import time
from types import SimpleNamespace

import pytest

from components.common.errors import MonitorError
from model_monitor import cli
from model_monitor.alerts.settings import AlertsConfig, Channel
from model_monitor.alerts.telling import Alerts
from model_monitor.incidents.recorded import Record
from model_monitor.incidents.settings import IncidentsConfig
from tests.model_monitor.alerts.conftest import wait_for
from tests.model_monitor.incidents.windows import window
from tests.support.metadata_store import StoreWriter

MODEL, LOGS = "cifar10", "/logs"


class Watched:
    """A model whose windows are judged one after the other; what is told of them is lines of JSON."""

    def __init__(self, folder, channels):
        self.folder, self.channels = folder, channels
        self.writer = StoreWriter(folder / "metadata.sqlite")
        self.records = []
        self.stream = io.StringIO()
        self.start()

    def start(self):
        config = AlertsConfig(channels=self.channels, url="https://monitor.example")
        record = Record(self.folder / "metadata.sqlite", MODEL, LOGS, IncidentsConfig())
        self.alerts = Alerts(config, record, self.folder, self.stream, lambda _: None)

    def judge(self, words):
        """The next windows, a letter each."""
        for word in words:
            number = len(self.records) + 1
            run = self.writer.pipeline_run(MODEL, f"run-{number}").contexts[1].id
            self.records.append(window(number, word, run=run))
            self.alerts.judged(self.records[-1], self.records)

    def act(self, *what):
        """Acknowledges, mutes or unmutes by command."""
        metadata = str(self.folder / "metadata.sqlite")
        assert cli.main(["incidents", *what, "--because", "camera", "--metadata", metadata]) == 0

    def settle(self):
        self.alerts._settled = 0.0  # as if some seconds had passed
        self.alerts.status()

    def told(self):
        """What was sent, once nothing is left, as kind@window."""
        wait_for(lambda: {state for _, state in self.alerts.counts()} <= {"sent"})
        lines = [json.loads(line) for line in self.stream.getvalue().splitlines()]
        return [f"{line['kind']}@{line['window']}" for line in lines]


@pytest.fixture
def watched(tmp_path):
    """(settings of the channel) -> Watched"""
    started = []

    def make(**known):
        (tmp_path / "root").mkdir()
        started.append(Watched(tmp_path / "root", (Channel(name="log", type="json_lines", **known),)))
        return started[-1]

    yield make
    for each in started:
        each.alerts.closing(5.0)


def test_a_story_is_told_once(watched):
    model = watched()
    model.judge("fcdff")
    assert model.told() == ["opened@2", "worse@3", "closed@4"]
    model.alerts.judged(model.records[-2], model.records)  # told again, as after a kill
    assert model.told() == ["opened@2", "worse@3", "closed@4"]


def test_a_channel_is_told_what_it_asks_for(watched):
    model = watched(severity="warning", kinds=("worse", "closed"))
    model.judge("cfcdfu")
    assert model.told() == ["worse@4", "closed@5"]
    assert model.alerts.outcomes() == {("log", "delivered"): 2, ("log", "failed"): 0}


def test_what_was_judged_and_not_put_in_is_put_in_with_the_next_window(watched, monkeypatch):
    model = watched()
    model.judge("f")
    with monkeypatch.context() as broken:
        broken.setattr("model_monitor.alerts.outbox.Outbox.put", _raises)
        with pytest.raises(MonitorError, match="full disk"):
            model.judge("c")
    model.alerts.closing(5.0)
    model.start()
    model.judge("d")
    assert model.told() == ["opened@2", "worse@3"]


def _raises(*_):
    raise MonitorError("full disk")


def test_a_root_that_has_incidents_already_is_not_told_of_the_old_ones(watched):
    model = watched()
    model.channels = ()
    model.alerts.closing(5.0)
    model.start()
    model.judge("cfcf")  # nobody is told
    model.channels = (Channel(name="log", type="json_lines"),)
    model.start()
    model.judge("c")
    assert model.told() == ["opened@5"]


def test_nothing_is_told_of_what_is_muted_and_it_rings_again_when_that_ends(watched):
    model = watched()
    model.act("mute", "--all", "--for", "1h")
    model.judge("cd")
    model.settle()
    assert model.told() == []
    model.act("unmute", "--all")
    model.settle()
    model.settle()
    assert model.told() == ["still_open@2"]
    model.judge("f")
    assert model.told() == ["still_open@2", "closed@3"]


def test_a_mute_that_expires_rings_again_also_after_a_restart(watched, monkeypatch):
    model = watched()
    model.judge("c")
    model.act("mute", "1", "--for", "1h")
    model.settle()
    model.judge("d")
    assert model.told() == ["opened@1"]
    model.alerts.closing(5.0)
    later = SimpleNamespace(time=lambda: time.time() + 3601, monotonic=time.monotonic)
    monkeypatch.setattr("model_monitor.alerts.telling.time", later)
    model.start()
    model.alerts.judged(model.records[-1], model.records)
    assert model.told() == ["opened@1", "still_open@2"]


def test_a_span_that_is_judged_again_is_told_again_and_a_run_is_not(watched):
    model = watched()
    model.judge("fcff")
    run = model.writer.pipeline_run(MODEL, "again").contexts[1].id
    model.records[2] = window(3, "d", run=run)
    model.alerts.judged(model.records[2], model.records)
    model.alerts.judged(model.records[2], model.records)
    assert model.told() == ["opened@2", "closed@3", "worse@3"]
    run = model.writer.pipeline_run(MODEL, "and again").contexts[1].id
    model.records[1] = window(2, "f", run=run)
    model.alerts.judged(model.records[1], model.records)
    assert model.told()[3:] == ["withdrawn@2"]


def test_an_incident_that_ends_while_it_is_muted_ends_quietly(watched):
    model = watched()
    model.judge("c")
    model.act("mute", "1", "--for", "1h")
    model.judge("cf")
    model.act("unmute", "1")
    model.settle()
    assert model.told() == ["opened@1"]


def test_of_an_incident_that_somebody_works_on_only_worse_and_closed_are_told(watched):
    model = watched()
    model.judge("c")
    model.act("ack", "1")
    model.judge("cid")
    model.settle()
    model.judge("f")
    assert model.told() == ["opened@1", "worse@3", "worse@4", "closed@5"]


def test_incidents_are_recorded_without_any_channel(tmp_path):
    model = Watched(tmp_path, ())
    model.judge("c")
    assert model.alerts.record.incidents[1].open
    assert not (tmp_path / "alerts").exists()
    model.alerts.status()
    model.alerts.closing()
    assert (model.alerts.counts(), model.alerts.problems) == ({}, ())


def test_a_channel_that_cannot_be_used_is_an_error_at_the_start(tmp_path):
    hook = Channel(name="hook", type="webhook", url="env:NOBODY_SET_THIS", secret="env:NOR_THIS")  # noqa: S106
    with pytest.raises(MonitorError, match=r"`alerts.channels\[hook\].url` must be set in the environment"):
        Watched(tmp_path, (hook,))
