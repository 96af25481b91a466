"""Incidents in real stores of ML Metadata."""

from dataclasses import replace

import pytest

from components.common.errors import MonitorError
from components.common.verdict_words import State
from model_monitor.incidents import actions, contexts, recorded
from model_monitor.incidents.incident import Kind
from model_monitor.incidents.listing import listed
from model_monitor.incidents.recorded import INCIDENT, Record
from model_monitor.incidents.settings import IncidentsConfig
from model_monitor.reading.history import History
from model_monitor.reading.run_store import open_store
from model_monitor.reading.window_series import all_series
from tests.model_monitor.incidents.windows import HOUR, window
from tests.support.metadata_store import StoreWriter

MODEL, LOGS = "cifar10", "/logs"


class Root:
    """A store with a run for each window that is judged."""

    def __init__(self, folder):
        self.metadata = folder / "metadata.sqlite"
        self.writer = StoreWriter(self.metadata)
        self.records = {}
        self.record = self.restart()

    def restart(self) -> Record:
        self.record = Record(self.metadata, MODEL, LOGS, IncidentsConfig())
        return self.record

    def judge(self, number, word, **known):
        """The window's record, once its run is in the store."""
        runs = sum(1 for _ in self.writer.store.get_contexts_by_type("pipeline_run")) if self.records else 0
        run = self.writer.pipeline_run(MODEL, f"run-{number}-{runs}").contexts[1].id
        self.records[number] = window(number, word, run=run, **known)
        return self.judged(number)

    def judged(self, number):
        ordered = [self.records[each] for each in sorted(self.records)]
        changes = self.record.judged(self.records[number], ordered)
        return [(change.kind, change.incident.number) for change in changes]

    def stored(self):
        """What ML Metadata has, by the first window: the properties, and the runs that are linked."""
        store = open_store(self.metadata)
        return {
            each.properties["first_window"].int_value: (
                contexts.values(each),
                {child.id for child in store.get_children_contexts_by_context(each.id)},
            )
            for each in store.get_contexts_by_type(INCIDENT)
        }


@pytest.fixture
def root(tmp_path) -> Root:
    return Root(tmp_path)


def test_an_incident_is_a_context_that_is_linked_to_the_runs_of_its_windows(root):
    told = [root.judge(number, word) for number, word in enumerate("fcdf", start=1)]
    assert told == [[], [(Kind.OPENED, 2)], [(Kind.WORSE, 2)], [(Kind.CLOSED, 2)]]
    ((number, (values, runs)),) = root.stored().items()
    assert number == 2
    assert runs == {root.records[2].run, root.records[3].run}
    expected = {
        "model": MODEL,
        "logs": LOGS,
        "status": "closed",
        "severity": "critical",
        "state": "degraded",
        "cause": "degraded: image_sharpness, image_noise",
        "windows": 2,
        "closed_window": 4,
        "closed_at": root.records[4].judged_at,
    }
    assert {name: values[name] for name in expected} == expected


def test_a_slow_drift_is_linked_to_windows_that_are_fine_each(root):
    told = [root.judge(number, "f", skew_p_value=0.02) for number in range(1, 8)]
    opened = next(number for number, changes in enumerate(told, start=1) if changes)
    assert opened > 2
    values, runs = root.stored()[opened]
    assert (values["cause"], values["status"]) == ("changed: slow drift", "open")
    assert runs == {root.records[number].run for number in range(opened, 8)}


@pytest.mark.parametrize("words", ["fcdff", "ccfucic", "fDcFdf"])
def test_what_is_recorded_window_by_window_is_what_the_store_comes_to(root, words):
    for number, word in enumerate(words, start=1):
        root.judge(number, word.lower(), late=word.isupper())
    found = [each.incident for each in listed(History(open_store(root.metadata)), IncidentsConfig())]
    assert found == list(reversed(root.record.incidents.values()))
    before = root.record
    resumed = root.restart()
    resumed.resume()
    assert (resumed.incidents, resumed.changes) == (before.incidents, before.changes)
    assert {key: values["windows"] for key, (values, _) in root.stored().items()} == {
        each.number: each.windows for each in found
    }


def test_doing_it_again_changes_nothing(root):
    for number, word in enumerate("fcdf", start=1):
        root.judge(number, word)
    before = root.stored()
    root.restart()
    assert root.judged(4) == [(Kind.CLOSED, 2)]
    assert root.stored() == before


@pytest.mark.parametrize("fails", [1, 2, 3, 4])
def test_an_update_that_was_stopped_is_made_up_for_by_the_next(root, monkeypatch, fails):
    """It ends before the window, the incident, its links, or the note that these are there."""
    root.judge(1, "f")
    calls = []
    put, link = contexts.Contexts.put, contexts.Contexts.link

    def ends(wanted):
        def call(*arguments):
            calls.append(wanted)
            if len(calls) == fails:
                raise MonitorError("killed")
            return wanted(*arguments)

        return call

    monkeypatch.setattr(contexts.Contexts, "put", ends(put))
    monkeypatch.setattr(contexts.Contexts, "link", ends(link))
    with pytest.raises(MonitorError, match="killed"):
        root.judge(2, "c")
    monkeypatch.undo()
    root.restart()
    assert root.judge(3, "c") == []
    values, runs = root.stored()[2]
    assert (values["status"], values["windows"], runs) == ("open", 2, {root.records[2].run, root.records[3].run})


def test_a_span_that_is_judged_again_withdraws_an_incident_or_links_its_new_run(root):
    for number, word in enumerate("fcfcc", start=1):
        root.judge(number, word)
    assert root.judge(2, "f") == [(Kind.WITHDRAWN, 2)]
    assert root.judged(2) == []  # once
    assert root.stored()[2][0]["status"] == "withdrawn"
    old = root.records[4].run
    root.judge(4, "d")
    assert root.stored()[4][1] == {old, root.records[4].run, root.records[5].run}
    assert root.stored()[4][0]["severity"] == "critical"


def test_an_incident_that_ends_later_after_all_is_open_again(root):
    for number, word in enumerate("cf", start=1):
        root.judge(number, word)
    root.judge(2, "c")
    values, _ = root.stored()[1]
    assert values["status"] == "open"
    assert "closed_at" not in values


def test_what_was_kept_of_a_window_is_read_back(root):
    root.judge(1, "c", late=True, first_request=5.0, last_request=6.0)
    ((series),) = all_series(History(open_store(root.metadata)))
    assert (series.model, series.logs) == (MODEL, LOGS)
    record = series.records[0]
    assert (record.late, record.first_request, record.features) == (True, 5.0, ("image_sharpness", "image_noise"))


def test_windows_judged_before_there_were_incidents_are_kept_with_the_first_that_is(root):
    first = root.writer.pipeline_run(MODEL, "before").contexts[1].id
    root.records[1] = window(1, "c", run=first)
    assert root.judge(2, "c") == []
    assert root.stored()[1][1] == {first, root.records[2].run}
    ((series),) = all_series(History(open_store(root.metadata)))
    assert [record.window for record in series.records] == [1, 2]


def test_records_that_were_seen_are_not_looked_at_again(root):
    class Watched(list):
        looked = 0

        def __getitem__(self, place):
            Watched.looked += len(range(*place.indices(len(self)))) if isinstance(place, slice) else 1
            return super().__getitem__(place)

        def __iter__(self):
            Watched.looked += len(self)
            return super().__iter__()

    for number in range(1, 13):
        run = root.writer.pipeline_run(MODEL, f"run-{number}").contexts[1].id
        root.records[number] = window(number, "c", run=run)
        root.record.judged(root.records[number], Watched(root.records.values()))
    assert Watched.looked <= 4 * 12
    assert len(root.stored()[1][1]) == 12


def test_a_record_that_is_damaged_is_read_from_its_run(root):
    root.judge(1, "c")
    damaged = contexts.context("ModelMonitorWindow", f"run {root.records[1].run}", {"record": "{", "logs": LOGS})
    contexts.Contexts(root.metadata).put(damaged)
    assert all_series(History(open_store(root.metadata))) == []  # the made-up run has no nodes to read it from


def test_a_store_that_is_not_there_is_an_error_that_says_so(tmp_path):
    with pytest.raises(MonitorError, match="not there"):
        contexts.Contexts(tmp_path / "metadata.sqlite")


def test_a_store_whose_maker_was_killed_before_anything_was_in_it_is_made_anew(tmp_path):
    path = tmp_path / "metadata.sqlite"
    path.touch()
    with pytest.raises(MonitorError, match="is empty: nothing has been run there yet"):
        contexts.Contexts(path)
    contexts.Contexts(path, make=True)
    assert History(open_store(path)).runs == []


def test_actions_are_kept_with_who_when_and_why(root):
    root.judge(1, "c")
    store = contexts.Contexts(root.metadata)
    muted = actions.Action(actions.What.MUTED, recorded.key(MODEL, LOGS, 1), "camera is mended", "ann@host", 10.0, 20.0)
    seen = replace(muted, what=actions.What.ACKNOWLEDGED, at=5.0, until=None)
    for action in (muted, seen):
        actions.record(store, action)
    assert actions.recorded(open_store(root.metadata)) == [seen, muted]


@pytest.mark.parametrize("field", ["because", "by"])
def test_an_action_without_a_reason_or_a_name_is_refused(root, field):
    store = contexts.Contexts(root.metadata)
    action = actions.Action(actions.What.MUTED, "", "why", "ann", 1.0, 2.0)
    with pytest.raises(MonitorError, match=f"--{field}.*must be 1 to 1000 characters"):
        actions.record(store, replace(action, **{field: "  "}))


KEY = "m/1@0"


def done(what, incident=KEY, at=0.0, until=None):
    return actions.Action(actions.What(what), incident, "why", "ann", at, until)


@pytest.mark.parametrize(
    ("story", "acknowledged", "muted"),
    [
        ([], False, False),
        ([done("muted", until=HOUR)], False, True),
        ([done("muted", until=0.5)], False, False),
        ([done("muted", "", until=HOUR)], False, True),
        ([done("muted", "m/2@0", until=HOUR)], False, False),
        ([done("muted", until=HOUR), done("muted", until=0.5)], False, False),  # the last one counts
        ([done("acknowledged"), done("muted", until=HOUR)], True, True),
        ([done("acknowledged"), done("muted", until=HOUR), done("unmuted")], False, False),
        ([done("muted", "", until=HOUR), done("unmuted")], False, True),
        ([done("muted", until=HOUR), done("unmuted", "")], False, False),
    ],
)
def test_what_stands(story, acknowledged, muted):
    stands = actions.standing(story, KEY, now=1.0)
    assert (stands.acknowledged is not None, stands.muted is not None) == (acknowledged, muted)


def test_what_is_withheld():
    kinds = {
        name: {kind for kind in Kind if actions.Standing(**{name: done(name)}).withholds(kind)}
        for name in ("acknowledged", "muted")
    }
    assert kinds == {"acknowledged": {Kind.CAUSE_CHANGED, Kind.STILL_OPEN}, "muted": set(Kind)}


def test_states_of_the_windows_are_those_of_the_store(root):
    root.judge(1, "i")
    (context,) = open_store(root.metadata).get_contexts_by_type("ModelMonitorWindow")
    assert context.properties["state"].string_value == State.INVALID.value
