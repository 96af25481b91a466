"""Running a pipeline on this machine, as TFX's own `LocalDagRunner` does, one node at a time."""

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
from tfx.orchestration.portable import data_types, launcher, runtime_parameter_utils
from tfx.orchestration.portable.mlmd import execution_lib
from tfx.proto.orchestration import pipeline_pb2
from tfx.utils import telemetry_utils

from components.common.artifacts.names import NODE_OF_RUN, PLANNED_NODES, node_of_run

from ..kept_stores import kept_store


@dataclass
class Ran:
    """How a node has run. `cached` says whether its outputs are those of an earlier run."""

    cached: bool = False


Step = Callable[[str], AbstractContextManager[Ran]]  # a node's id -> what is entered while it runs, and told how it has


class NodeError(RuntimeError):
    """A node of the pipeline raised. `node` is its id; `__cause__` is what it raised."""

    def __init__(self, node: str) -> None:
        super().__init__(node)
        self.node = node


@dataclass
class LocalRunner(LocalDagRunner):
    """`LocalDagRunner`, with something around each node, and one connection to ML Metadata for all of them."""

    step: Step
    run_id: str = ""

    def run_with_ir(self, pipeline: pipeline_pb2.Pipeline, run_options: pipeline_pb2.RunOptions | None = None) -> None:
        if run_options is not None:
            raise ValueError("A pipeline is run as a whole: there are no options")
        self.run_id = datetime.datetime.now().isoformat()
        values = {constants.PIPELINE_RUN_ID_PARAMETER_NAME: self.run_id}
        runtime_parameter_utils.substitute_runtime_parameter(pipeline, values)
        _look_up_by_run(pipeline, self.run_id)
        deployment = runner_utils.extract_local_deployment_config(pipeline)
        names = [node.pipeline_node.node_info.id for node in pipeline.nodes]
        with telemetry_utils.scoped_labels({telemetry_utils.LABEL_TFX_RUNNER: "local"}), _executions_by_run():
            for node, name in zip(pipeline.nodes, names, strict=True):
                with self.step(name) as ran:
                    try:
                        node_launcher = _launcher(pipeline, node.pipeline_node, deployment)
                        node_launcher.launch()
                        ran.cached = node_launcher.cached
                    except Exception as error:
                        logging.getLogger(__name__).exception("Node %s failed", name)
                        raise NodeError(name) from error
                    if name == names[0]:  # from its first node on, ML Metadata knows of the run
                        _note_nodes(_connection(deployment), self.run_id, names)


class KeptMetadata(metadata.Metadata):
    """TFX's handle of a store, on the connection that this process keeps to it."""

    def __enter__(self) -> "KeptMetadata":
        try:
            self._store = kept_store(self._connection_config)
        except RuntimeError:  # as where another process is just making it: TFX tries for a while
            super().__enter__()
        else:
            self._users += 1
        return self


class _Launcher(launcher.Launcher):
    """TFX's, without the server by which an executor in another process could tell how it is doing.

    Each node had one, with a port and threads, that nobody asks: executors run in this process.

    Attributes:
      cached: whether what was launched took its outputs from the cache.

    """

    cached = False

    def launch(self) -> data_types.ExecutionInfo | None:
        if self._system_node_handler:
            return super().launch()
        prepared = self._prepare_execution()
        if prepared.is_execution_needed:
            self._execute(prepared.execution_info, prepared.contexts)
        execution = prepared.execution_metadata
        cached = metadata_store_pb2.Execution.CACHED
        self.cached = execution is not None and execution.last_known_state == cached
        return prepared.execution_info

    def _execute(self, info: data_types.ExecutionInfo, contexts: list[metadata_store_pb2.Context]) -> None:
        try:
            output = self._run_executor(info)
        except BaseException as error:  # one that was interrupted has failed as well: else it would count as running
            self._publish_failed_execution(info.execution_id, contexts, getattr(error, "executor_output", None))
            raise
        finally:
            self._clean_up_stateless_execution_info(info)
        self._clean_up_stateful_execution_info(info)
        self._publish_successful_execution(info.execution_id, contexts, info.output_dict, output)


def _launcher(pipeline: pipeline_pb2.Pipeline, node: pipeline_pb2.PipelineNode, deployment: Any) -> _Launcher:
    name = node.node_info.id
    return _Launcher(
        pipeline_node=node,
        mlmd_connection=_connection(deployment),
        pipeline_info=pipeline.pipeline_info,
        pipeline_runtime_spec=pipeline.runtime_spec,
        executor_spec=runner_utils.extract_executor_spec(deployment, name),
        custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, name),
    )


def _connection(deployment: Any) -> metadata.Metadata:
    """Of a SQLite file the connection that is kept; of a server TFX's own."""
    config = deployment.metadata_connection_config
    found = getattr(config, config.WhichOneof("connection_config"))
    local = isinstance(found, metadata_store_pb2.ConnectionConfig) and found.HasField("sqlite")
    return KeptMetadata(found) if local else metadata.Metadata(found)


def run(pipeline: Pipeline, step: Step) -> str:
    """Runs the pipeline to its end and returns the run's id. Raises `NodeError` at the first node that fails."""
    runner = LocalRunner(step)
    runner.run(pipeline)
    return runner.run_id


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


def _note_nodes(connection: metadata.Metadata, run_id: str, names: list[str]) -> None:
    """Notes which nodes a run is to have: what is stopped between two of them is then not taken for a whole run."""
    with connection as handle:
        run = handle.store.get_context_by_type_and_name(constants.PIPELINE_RUN_CONTEXT_TYPE_NAME, run_id)
        run.custom_properties[PLANNED_NODES].string_value = json.dumps(names)
        handle.store.put_contexts([run])
