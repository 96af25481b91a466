"""Which run and which node an execution is of: told by the run's own contexts, or else asked by the execution."""

import json
from pathlib import Path

import pytest
from ml_metadata.metadata_store import MetadataStore

from model_monitor.reading.owners import Owner, owners_in, owners_of
from model_monitor.reading.run_store import Run, runs
from tests.support.metadata_store import RunWriter, StoreWriter

NODES = ("Read", "Read.again", "Gate")
COMPONENTS = ("tfx.Reader", "tfx.Reader", "tfx.PushGate")


def written(writer: StoreWriter, run_id: str, *, own: int = len(NODES), noted: str | None = None) -> RunWriter:
    """A run of three nodes, of which the first `own` have contexts of their own, as our runner gives them."""
    run = writer.pipeline_run("training", run_id)
    for name, component in zip(NODES, COMPONENTS, strict=True):
        run.node(name, component)
    run.give_contexts(NODES[:own])
    run.note_nodes(json.dumps(NODES) if noted is None else noted)
    return run


def told(writer: StoreWriter, run: RunWriter) -> dict[int, Owner]:
    context = writer.store.get_contexts_by_id([run.contexts[1].id])[0]
    executions = writer.store.get_executions_by_context(context.id)
    return owners_in(writer.store, "training", context, executions)


def test_a_run_tells_the_nodes_of_its_executions(tmp_path: Path):
    writer = StoreWriter(tmp_path / "store.sqlite")
    first, second = written(writer, "1"), written(writer, "2")
    for run in (first, second):
        found = told(writer, run)
        assert [found[each] for each in sorted(found)] == [Owner(run.contexts[1].id, name) for name in NODES]
        assert found == owners_of(writer.store, writer.store.get_executions_by_id(list(found)))


@pytest.mark.parametrize(
    ("own", "noted", "nodes"),
    [
        (2, None, ["Read", "Read.again", ""]),  # one more was run by another runner
        (0, None, ["", "", ""]),  # as before there were contexts of one node in one run
        (3, "", ["", "", ""]),  # it was killed at its first node
        (3, '["Read", "Gate"]', ["Read", "", "Gate"]),
        (3, '["Read", "Other", "Gate"]', ["Read", "", ""]),
        (3, '["Read", "Read", 7, null]', ["Read", "", ""]),
        (3, '{"Read": 1', ["", "", ""]),
        (3, '"Read"', ["", "", ""]),
        (3, '["\\ud800"]', ["", "", ""]),
    ],
)
def test_what_a_run_does_not_tell_is_asked_by_the_execution(tmp_path: Path, own: int, noted: str, nodes: list[str]):
    writer = StoreWriter(tmp_path / "store.sqlite")
    run = written(writer, "1", own=own, noted=noted)
    found = told(writer, run)
    assert [found[each].node for each in sorted(found)] == nodes
    read = Run(writer.store, "training", "1").nodes
    assert {each.name: (each.run, each.component) for each in read.values()} == {
        name: (run.contexts[1].id, component.rpartition(".")[2])
        for name, component in zip(NODES, COMPONENTS, strict=True)
    }


def test_many_runs_are_read_without_asking_by_executions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    writer = StoreWriter(tmp_path / "store.sqlite")
    for number in range(30):  # more than are read together
        written(writer, str(number))
    for name in ("get_contexts_by_execution", "get_lineage_subgraph"):
        monkeypatch.delattr(MetadataStore, name)
    read = list(runs(writer.store))
    assert [list(run.nodes) for run in read] == [list(NODES)] * 30
    assert {node.run for run in read for node in run.nodes.values()} == {run.id for run in read}
