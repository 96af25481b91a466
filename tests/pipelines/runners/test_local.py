"""What a run on this machine leaves in ML Metadata of a node that came to no end."""

import contextlib

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.component.experimental.annotations import Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.orchestration import metadata
from tfx.orchestration.pipeline import Pipeline

from model_monitor.reading.stores import open_store
from pipelines.runners import local

STATE = metadata_store_pb2.Execution.State
RAISED = {"error": RuntimeError, "interruption": KeyboardInterrupt}


@component
def Raising(what: Parameter[str]):
    raise RAISED[what]


@pytest.mark.parametrize(("what", "raised"), [("error", local.NodeError), ("interruption", KeyboardInterrupt)])
def test_a_node_that_is_interrupted_has_failed(tmp_path, what, raised):
    """It would count as running for ever else."""
    store = tmp_path / "metadata.sqlite"
    connection = metadata.sqlite_metadata_connection_config(str(store))
    made = Pipeline("p", str(tmp_path), connection, components=[Raising(what=what)])
    with pytest.raises(raised):
        local.run(made, lambda _: contextlib.nullcontext(local.Ran()))
    assert [each.last_known_state for each in open_store(store).get_executions()] == [STATE.FAILED]
