"""Whose executions in ML Metadata are: which run's, and which node's of that run's pipeline."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ml_metadata import errors, metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.common.artifacts.names import NODE_OF_RUN, PLANNED_NODES, node_of_run
from components.common.errors import MonitorError
from components.common.strict_text import TextError, parse_json

from . import kubeflow
from .stores import reading

# Contexts of pipelines and of their runs: TFX's, and Kubeflow's.
CONTEXTS = (("pipeline", "pipeline_run"), (kubeflow.PIPELINE, kubeflow.RUN))
RUN_CONTEXTS = tuple(run for _, run in CONTEXTS)
# A query of the graph stops at 100 executions and does not say so (MLMD 1.16).
_EXECUTIONS_A_QUERY = 50


@dataclass(frozen=True)
class Owner:
    """The id of an execution's run, 0 where it has none, and the id of its node, "" where that is not known."""

    run: int = 0
    node: str = ""


def owners_in(
    store: metadata_store.MetadataStore, pipeline: str, run: mlmd.Context, executions: Iterable[mlmd.Execution]
) -> dict[int, Owner]:
    """The owners of a run's executions by their ids, with the nodes that can be told from the run.

    Which contexts an execution has ML Metadata finds by looking through those of all executions that it knows
    (docs/traps.md); which executions a context has, by an index. Our runner gives each node of a run a context of its
    own and notes in the run which nodes these are.
    """
    unnamed = {each.id for each in executions}
    owners = dict.fromkeys(unnamed, Owner(run.id))
    noted = run.custom_properties[PLANNED_NODES].string_value if PLANNED_NODES in run.custom_properties else ""
    for node in planned_nodes(noted) or ():
        of_node = _executions_of(store, node_of_run(pipeline, run.name, node)) & unnamed if unnamed else set()
        if not of_node:
            break  # nodes run one after another: those after one that has not been started have not been either
        owners |= dict.fromkeys(of_node, Owner(run.id, node))
        unnamed -= of_node
    return owners


def _executions_of(store: metadata_store.MetadataStore, node: str) -> set[int]:
    """The ids of the executions of the node whose context in its run has this name."""
    context = reading(lambda: store.get_context_by_type_and_name(NODE_OF_RUN, node))
    return (
        set() if context is None else {each.id for each in reading(lambda: store.get_executions_by_context(context.id))}
    )


def planned_nodes(noted: str) -> list[str] | None:
    """The nodes that a run is to have, as they are noted: names as JSON. None: that is damaged."""
    try:
        planned = parse_json(noted)
    except TextError:
        return None
    return [str(each) for each in planned] if isinstance(planned, list) else None


def owners_of(store: metadata_store.MetadataStore, executions: Sequence[mlmd.Execution]) -> dict[int, Owner]:
    """The owners of executions by their ids, asked by the executions, which takes as long as ML Metadata is large."""
    contexts = _contexts_of(store, [each.id for each in executions if not kubeflow.is_task(each)])
    contexts |= {each.id: _contexts_of_one(store, each.id) for each in executions if kubeflow.is_task(each)}
    return {
        each.id: Owner(_run(contexts.get(each.id, [])), _node(each, contexts.get(each.id, []))) for each in executions
    }


def _run(contexts: Iterable[mlmd.Context]) -> int:
    """The id of the run among the contexts of an execution; 0 where there is none."""
    return next((context.id for context in contexts if context.type in RUN_CONTEXTS), 0)


def _node(execution: mlmd.Execution, contexts: Sequence[mlmd.Context]) -> str:
    """The id of an execution's node: the context of a node is named by the pipeline's name, a dot, and that id."""
    names = {context.type: context.name for context in contexts}
    name = str(names.get("node", "")).removeprefix(f"{names.get('pipeline', '')}.")
    return name or execution.type.rpartition(".")[2] or "?"


def _contexts_of(store: metadata_store.MetadataStore, execution_ids: Sequence[int]) -> dict[int, list[mlmd.Context]]:
    """The contexts of each execution: its pipeline, its run, its node."""
    contexts: dict[int, list[mlmd.Context]] = {}
    for start in range(0, len(execution_ids), _EXECUTIONS_A_QUERY):
        contexts.update(_contexts(store, execution_ids[start : start + _EXECUTIONS_A_QUERY]))
    return contexts | {each: _contexts_of_one(store, each) for each in set(execution_ids) - set(contexts)}


def _contexts_of_one(store: metadata_store.MetadataStore, execution_id: int) -> list[mlmd.Context]:
    return reading(lambda: store.get_contexts_by_execution(execution_id))


def _contexts(store: metadata_store.MetadataStore, execution_ids: Sequence[int]) -> dict[int, list[mlmd.Context]]:
    """The contexts of executions, in one query; none where ML Metadata answers no queries (1.21 has lost them)."""
    options = mlmd.LineageSubgraphQueryOptions(max_num_hops=0)
    options.starting_executions.filter_query = f"id IN ({', '.join(map(str, execution_ids))})"
    try:
        graph = reading(lambda: store.get_lineage_subgraph(options, field_mask_paths=["associations", "contexts"]))
    except MonitorError as error:
        if isinstance(error.__cause__, errors.UnimplementedError):
            return {}
        raise
    contexts = {context.id: context for context in graph.contexts}
    found: dict[int, list[mlmd.Context]] = {}
    for association in graph.associations:
        if association.context_id in contexts:
            found.setdefault(association.execution_id, []).append(contexts[association.context_id])
    return found
