"""The loop of `watch` with its own hook for incidents and alerts; an evaluation takes no time, all else is real."""

import io
import json

from components.common.verdict_words import State
from model_monitor.incidents.recorded import INCIDENT
from model_monitor.reading.run_store import open_store
from model_monitor.watch import following
from model_monitor.watch.following import follow
from model_monitor.watch.hooks import hooks_of
from tests.model_monitor.incidents.windows import window
from tests.support.metadata_store import StoreWriter
from tests.support.watched_logs import config, requests, write

WORDS = "fcdf"


class Silent:
    def __init__(self):
        self.sentences = []

    def say(self, sentence):
        self.sentences.append(sentence)

    def judged(self, record, row, status):
        pass

    def failed(self, model, row, problem, *, aside):
        self.sentences.append(problem)

    def status(self, statuses):
        pass


def watched(folder, **alerts):
    given = config(folder)
    return type(given).model_validate({**given.model_dump(exclude_unset=True), "alerts": alerts})


def evaluates(monkeypatch, settings):
    """Puts a run into ML Metadata for each window, whose verdict is the letter of its number."""
    settings.root_path.mkdir(parents=True, exist_ok=True)
    writer = StoreWriter(settings.metadata_path)

    def judge(_settings, journal, row, decided):
        number = row.window.number
        run = writer.pipeline_run(settings.name, f"run-{number}").contexts[1].id
        return window(number, WORDS[number - 1], model=settings.name, run=run), 0

    monkeypatch.setattr(following, "judge", judge)


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_windows_become_incidents_and_messages_across_restarts(tmp_path, monkeypatch):
    settings = watched(tmp_path, channels=({"name": "log", "type": "json_lines"},))
    evaluates(monkeypatch, settings)
    stream, shown = io.StringIO(), Silent()
    for name, count in (("a", 10), ("b", 5), ("c", 5)):  # two windows, then one more by each new process
        write(tmp_path / "logs", f"1/{name}", requests(name, count))
        follow([settings], lambda each: hooks_of(each, stream), shown, once=True)
    assert [(line["kind"], line["window"]) for line in lines(stream)] == [("opened", 2), ("worse", 3), ("closed", 4)]
    (recorded,) = open_store(settings.metadata_path).get_contexts_by_type(INCIDENT)
    assert recorded.properties["status"].string_value == "closed"
    assert recorded.properties["logs"].string_value == str(settings.windows_path)
    assert shown.sentences == []


def test_a_webhook_that_hangs_keeps_no_window_waiting(tmp_path, monkeypatch, receiver, secrets):
    receiver.answers = [None]
    hook = {"name": "hook", "type": "webhook", "timeout_seconds": 1.0, **secrets}
    settings = watched(tmp_path, channels=(hook,))
    evaluates(monkeypatch, settings)
    write(tmp_path / "logs", "1/a", requests("a", 20))
    hooks, shown = hooks_of(settings, io.StringIO()), Silent()
    assert follow([settings], lambda _: hooks, shown, once=True) == {0, 2}
    assert shown.sentences == []
    receiver.ending.set()
    again = hooks_of(settings, io.StringIO())
    assert sum(again[0].counts().values()) == 3
    assert {state for _, state in again[0].counts()} <= {"pending", "in flight"}
    again[0].closing(0.0)
    assert again[0].record.incidents[2].end.state is State.FINE
