"""Running a pipeline on this machine, with TFX's own `LocalDagRunner`, one node at a time."""

import contextlib
import datetime
import json
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import constants
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline
from tfx.orchestration.portable import runtime_parameter_utils
from tfx.orchestration.portable.mlmd import execution_lib
from tfx.proto.orchestration import pipeline_pb2

from components.common.artifacts.names import PLANNED_NODES

NODE_OF_RUN = "node_of_run"  # the type of a context in ML Metadata that is of one node in one run

# (pipeline's name, run's id, node's id) -> what is entered while the node runs.
Step = Callable[[str, str, str], AbstractContextManager[Any]]


class NodeError(RuntimeError):
    """A node of the pipeline raised. `node` is its id; `__cause__` is what it raised."""

    def __init__(self, node: str) -> None:
        super().__init__(node)
        self.node = node


@dataclass
class LocalRunner(LocalDagRunner):
    """`LocalDagRunner`, one node at a time: the others are marked to be skipped while one runs."""

    step: Step
    run_id: str = ""

    def run_with_ir(self, pipeline: pipeline_pb2.Pipeline, run_options: pipeline_pb2.RunOptions | None = None) -> None:
        # All nodes have to belong to one run, so its id is set here, before the stock runner would set one for each.
        self.run_id = datetime.datetime.now().isoformat()
        values = {constants.PIPELINE_RUN_ID_PARAMETER_NAME: self.run_id}
        runtime_parameter_utils.substitute_runtime_parameter(pipeline, values)
        _look_up_by_run(pipeline, self.run_id)
        names = [node.pipeline_node.node_info.id for node in pipeline.nodes]
        for name in names:
            with self.step(pipeline.pipeline_info.id, self.run_id, name):
                try:
                    with _executions_by_run():
                        super().run_with_ir(_only(pipeline, name), run_options)
                except Exception as error:
                    logging.getLogger(__name__).exception("Node %s failed", name)
                    raise NodeError(name) from error
                if name == names[0]:  # from its first node on, ML Metadata knows of the run
                    _note_nodes(pipeline, self.run_id, names)


def run(pipeline: Pipeline, step: Step) -> str:
    """Runs the pipeline to its end and returns the run's id. Raises `NodeError` at the first node that fails."""
    runner = LocalRunner(step)
    runner.run(pipeline)
    return runner.run_id


def node_of_run(pipeline_name: str, run_id: str, node: str) -> str:
    """The name of the context of type `NODE_OF_RUN`."""
    return f"{pipeline_name}.{run_id}.{node}"


def _look_up_by_run(pipeline: pipeline_pb2.Pipeline, run_id: str) -> None:
    """Gives each node of this run a context of its own, by which the nodes after it find what it made.

    TFX looks for an execution that belongs to pipeline, run and node, and lists those of each of the three to do so: of
    the pipeline all that there ever were, for every input of every node (docs/traps.md).
    """
    run = (constants.PIPELINE_RUN_CONTEXT_TYPE_NAME, run_id)
    ids = [node.pipeline_node.node_info.id for node in pipeline.nodes]
    names = {node: node_of_run(pipeline.pipeline_info.id, run_id, node) for node in ids}
    for node in pipeline.nodes:
        made = node.pipeline_node.contexts.contexts.add()
        made.type.name = NODE_OF_RUN
        made.name.field_value.string_value = names[node.pipeline_node.node_info.id]
        for given in node.pipeline_node.inputs.inputs.values():
            for channel in given.channels:
                queries = [(each.type.name, each.name.field_value.string_value) for each in channel.context_queries]
                if run in queries and channel.producer_node_query.id in names:
                    del channel.context_queries[:]
                    query = channel.context_queries.add()
                    query.type.name = NODE_OF_RUN
                    query.name.field_value.string_value = names[channel.producer_node_query.id]


@contextlib.contextmanager
def _executions_by_run() -> Iterator[None]:
    """Meanwhile TFX looks for an earlier execution of a node in this run by the node's own context alone.

    What belongs to that belongs to the node's other contexts too. TFX 1.21 lists the executions of each of them, of the
    pipeline all that there ever were, because its ML Metadata answers no queries (docs/traps.md).
    """
    plain = execution_lib.get_executions_associated_with_all_contexts

    def of_this_run(
        handle: metadata.Metadata, contexts: Iterable[metadata_store_pb2.Context]
    ) -> list[metadata_store_pb2.Execution]:
        own = handle.store.get_context_type(NODE_OF_RUN).id  # one that was made just now has its type's id alone
        [context] = [context for context in contexts if context.type_id == own]
        return handle.store.get_executions_by_context(context.id)

    execution_lib.get_executions_associated_with_all_contexts = of_this_run
    try:
        yield
    finally:
        execution_lib.get_executions_associated_with_all_contexts = plain


def _note_nodes(pipeline: pipeline_pb2.Pipeline, run_id: str, names: list[str]) -> None:
    """Notes which nodes a run is to have: what is stopped between two of them is then not taken for a whole run."""
    config = runner_utils.extract_local_deployment_config(pipeline).metadata_connection_config
    with metadata.Metadata(getattr(config, config.WhichOneof("connection_config"))) as handle:
        run = handle.store.get_context_by_type_and_name(constants.PIPELINE_RUN_CONTEXT_TYPE_NAME, run_id)
        run.custom_properties[PLANNED_NODES].string_value = json.dumps(names)
        handle.store.put_contexts([run])


def _only(pipeline: pipeline_pb2.Pipeline, name: str) -> pipeline_pb2.Pipeline:
    """A copy of the pipeline in which every node but one is to be skipped."""
    copy = pipeline_pb2.Pipeline()
    copy.CopyFrom(pipeline)
    for node in copy.nodes:
        if node.pipeline_node.node_info.id != name:
            node.pipeline_node.execution_options.skip.SetInParent()
    return copy
