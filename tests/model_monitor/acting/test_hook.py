"""What policies do about windows, and what ML Metadata says of it: real stores, real commands."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from components.common.verdict_words import State
from model_monitor.acting import command_runs
from model_monitor.acting.hook import FOLDER, Policies
from model_monitor.acting.recorded import POLICY, Came, What, recorded
from model_monitor.incidents.contexts import Contexts
from model_monitor.reading.run_store import open_store
from model_monitor.watch.hooks import Status
from model_monitor.watch.settings import WatchConfig
from tests.model_monitor.metrics.conftest import RECORD


def window(number: int, state: State):
    sentence = f"Span {number} is {state.value}: as this test has it."
    return replace(RECORD, model="monitoring", window=number, run=number, state=state, sentence=sentence, checks={})


@pytest.fixture
def config(tmp_path):
    Contexts(tmp_path / "metadata.sqlite", make=True)
    retrain = {"command": ["sh", "-c", "echo $MODEL_MONITOR_INCIDENT $MODEL_MONITOR_WINDOW; exit $(cat code)"],
               "cooling_off_hours": 1.0, "folder": str(tmp_path)}  # fmt: skip
    (tmp_path / "code").write_text("0")
    settings = {"root": str(tmp_path), "policies": {"retrain": retrain}}
    return WatchConfig.model_validate_json(json.dumps(settings))


def acts(config):
    return recorded(open_store(config.metadata_path))


def judge(policies, *records):
    for number in range(1, len(records) + 1):
        policies.judged(records[number - 1], records[:number])


def ended(config, name):
    deadline = time.monotonic() + 30
    while (run := command_runs.read(config.root_path / FOLDER, name)).running:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return run


def test_a_critical_incident_starts_a_training_once_and_its_end_is_recorded(config):
    policies = Policies(config)
    story = [window(1, State.FINE), window(2, State.CHANGED), window(3, State.DEGRADED), window(4, State.DEGRADED)]
    judge(policies, *story)
    [act] = acts(config)
    assert (act.what, act.came, act.by, act.incident) == (What.RETRAINED, Came.BEGUN, POLICY, "monitoring/2")
    assert act.because.startswith("Span 3 is degraded: as this test has it. The accuracy fell")
    assert act.details["run"] == "3"
    run = ended(config, "window-3")
    assert run.output.read_text() == "monitoring/2 3\n"
    policies.status(Status("monitoring"))
    [act] = acts(config)
    assert (act.came, act.details["exit_code"]) == (Came.DONE, "0")


def test_a_window_that_is_told_again_starts_nothing_again(config):
    story = [window(1, State.FINE), window(2, State.DEGRADED)]
    judge(Policies(config), *story)
    ended(config, "window-2")
    judge(Policies(config), *story)  # the watcher was killed before it knew
    assert len(command_runs.runs(config.root_path / FOLDER)) == 1
    assert len(acts(config)) == 1


def test_what_is_not_allowed_is_withheld_and_said_why(config):
    policies = Policies(config)
    judge(policies, window(1, State.DEGRADED), window(2, State.FINE), window(3, State.DEGRADED))
    ended(config, "window-1")
    began, withheld = acts(config)
    assert (began.came, withheld.came) == (Came.BEGUN, Came.WITHHELD)
    assert "running already" in withheld.because or "cooling off" in withheld.because
    assert [run.name for run in command_runs.runs(config.root_path / FOLDER)] == ["window-1"]


def test_a_training_that_fails_is_recorded_as_such(config):
    Path(config.root, "code").write_text("3")
    policies = Policies(config)
    judge(policies, window(1, State.DEGRADED))
    ended(config, "window-1")
    policies.status(Status("monitoring"))
    [act] = acts(config)
    assert (act.came, act.details["exit_code"]) == (Came.FAILED, "3")


def test_what_costs_no_accuracy_starts_nothing(config):
    judge(Policies(config), window(1, State.FINE), window(2, State.CHANGED), window(3, State.INVALID))
    assert acts(config) == []
