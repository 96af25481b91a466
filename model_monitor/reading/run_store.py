"""Reading runs back out of ML Metadata, TFX's and Kubeflow's. Imports neither TFX nor TensorFlow, and writes nothing.

The nodes of many runs are read in one query, because a query for each node of each run takes seconds where there are
hundreds of runs.
"""

import datetime
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property

from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.common.artifacts.files import Artifact, Files, local_files
from components.common.artifacts.names import PLANNED_NODES
from components.common.errors import MonitorError, require

from . import kubeflow
from .artifact_files import kubeflow_files
from .nodes import OUTPUTS, Node, nodes_of, when
from .owners import CONTEXTS, RUN_CONTEXTS, Owner, owners_in, planned_nodes
from .store_server import ServedStore
from .stores import open_store, reading

__all__ = ["Node", "Run", "nodes_of", "open_store", "pipelines", "reading", "runs", "runs_that_gave"]

RUNS_A_QUERY = 25


def runs(
    store: metadata_store.MetadataStore, pipeline: str = "", *, newest_first: bool = False, files: Files | None = None
) -> Iterator["Run"]:
    """Every run of a pipeline, or of all pipelines, oldest first unless told otherwise.

    `files` is how the runs' artifacts are read; Kubeflow's in object stores and others here unless told otherwise.
    The nodes of `RUNS_A_QUERY` runs are read together, when those of one of them are first asked for.
    """
    contexts = sorted(_run_contexts(store, pipeline), key=lambda each: each[1].id, reverse=newest_first)
    read = {kind: files or _files_of(kind, store) for kind in RUN_CONTEXTS}
    for start in range(0, len(contexts), RUNS_A_QUERY):
        chunk = contexts[start : start + RUNS_A_QUERY]
        batch = _Batch(store, chunk)
        yield from (
            Run(store, owner, each.name, context=each, batch=batch, files=read[each.type]) for owner, each in chunk
        )


def pipelines(store: metadata_store.MetadataStore) -> list[str]:
    """The names of all pipelines that have run."""
    return sorted({owner.name for owner, _ in _pipelines(store)})


class Run:
    """The record of one run of one pipeline.

    Attributes:
      files: how its artifacts are read.

    """

    def __init__(  # noqa: PLR0913 - which run, and three things that whoever reads many knows already
        self,
        store: metadata_store.MetadataStore,
        pipeline: str,
        run_id: str,
        *,
        context: mlmd.Context | None = None,
        batch: "_Batch | None" = None,
        files: Files | None = None,
    ) -> None:
        self._store = store
        self.pipeline = pipeline
        self.run_id = run_id
        self._context = context or self._find_context()
        self.files = files or _files_of(self._context.type, store)
        self._batch = batch or _Batch(store, [(pipeline, self._context)])

    def _find_context(self) -> mlmd.Context:
        names = (self.run_id, f"{self.pipeline}.{self.run_id}")
        for kind, name in itertools.product(RUN_CONTEXTS, names):
            context = self._store.get_context_by_type_and_name(kind, name)
            if context is not None:
                return context
        raise MonitorError(f"There is no run {self.run_id!r} of pipeline {self.pipeline!r} in the store")

    @property
    def id(self) -> int:
        """Of the run in ML Metadata: later runs have larger ones."""
        return int(self._context.id)

    @property
    def root(self) -> str:
        """The folder in an object store that the artifacts of all runs are below; "" where nothing is said of one."""
        return kubeflow.root_of(self._context)

    @property
    def started(self) -> datetime.datetime:
        return when(self._context.create_time_since_epoch)

    @property
    def seconds(self) -> float:
        """From its start to the last thing that any of its nodes did."""
        ends = [node.finished for node in self.nodes.values() if node.finished]
        return max(0.0, (max(ends) - self.started).total_seconds()) if ends else 0.0

    @cached_property
    def nodes(self) -> dict[str, Node]:
        """The nodes that have run, in the order they started; read once, when first asked for."""
        return self._batch.nodes(self._context.id)

    def alone(self) -> "Run":
        """The same run, whose nodes are read without those of any other."""
        return Run(self._store, self.pipeline, self.run_id, context=self._context, files=self.files)

    @cached_property
    def unstarted(self) -> list[str]:
        """The nodes that the run is to have and has not started, where its runner has noted them: ours does.

        Raises:
          MonitorError: what is noted is damaged.

        """
        known = self._context.custom_properties
        noted, left_out = self._batch.planned(self.id)
        noted = known[PLANNED_NODES].string_value if PLANNED_NODES in known else noted
        if noted is None:
            return []
        planned = planned_nodes(noted)
        rule = "be names of nodes, as JSON"
        require(planned is not None, f"{PLANNED_NODES} of run {self.run_id}", rule, noted)
        return [name for name in planned or () if name not in self.nodes and name not in left_out]

    def node(self, name: str) -> Node:
        """A node by its id. Raises `MonitorError` listing those there are."""
        nodes = self.nodes
        if name not in nodes:
            raise MonitorError(f"Run {self.run_id} has no node {name!r}. It has: {', '.join(nodes)}")
        return nodes[name]

    def made(self, type_name: str) -> list[tuple[Node, Artifact]]:
        """The artifacts of a type that the run's nodes gave, with the node, in the order of the nodes."""
        return [(node, found) for node in self.nodes.values() for found in node.made if found.type == type_name]


class _Batch:
    """The nodes of several runs, read together when those of one are asked for."""

    def __init__(self, store: metadata_store.MetadataStore, contexts: Sequence[tuple[str, mlmd.Context]]) -> None:
        """`contexts` are the runs', each with its pipeline's name."""
        self._store = store
        self._contexts = contexts

    def nodes(self, run_id: int) -> dict[str, Node]:
        return self._nodes.get(run_id, {})

    def planned(self, run_id: int) -> tuple[str | None, frozenset[str]]:
        """The nodes that a run noted with its executions, as JSON, and those that a condition did not let run."""
        tasks = kubeflow.tasks_of(self._executions.get(run_id, []))
        return tasks.planned, tasks.left_out

    @cached_property
    def _executions(self) -> dict[int, list[mlmd.Execution]]:
        return {
            run.id: reading(lambda run=run: self._store.get_executions_by_context(run.id))  # type: ignore[misc]
            for _, run in self._contexts
        }

    @cached_property
    def _nodes(self) -> dict[int, dict[str, Node]]:
        owners: dict[int, Owner] = {}
        for pipeline, run in self._contexts:
            owners |= owners_in(self._store, pipeline, run, self._executions[run.id])
        nodes = nodes_of(self._store, [each for of_run in self._executions.values() for each in of_run], owners)
        found: dict[int, dict[str, Node]] = {}
        for run_id, of_run in self._executions.items():
            names = kubeflow.tasks_of(of_run).names
            tries = [nodes[each.id] for each in sorted(of_run, key=lambda each: each.id) if each.id in nodes]
            tries = [replace(each, name=names.get(each.id, each.name)) for each in tries]
            # of a node that was tried more than once, the last try, where that ran
            last = {each.name: each.id for each in tries}
            found[run_id] = {each.name: each for each in tries if each.id in last.values()}
        return found


def runs_that_gave(store: metadata_store.MetadataStore, artifact_id: int) -> set[int]:
    """The ids of the runs in which an execution gave this artifact; empty where there is no such artifact."""
    events = reading(lambda: store.get_events_by_artifact_ids([artifact_id]))
    given = {event.execution_id for event in events if event.type in OUTPUTS}
    contexts = [reading(lambda each=each: store.get_contexts_by_execution(each)) for each in given]  # type: ignore[misc]
    return {context.id for found in contexts for context in found if context.type in RUN_CONTEXTS}


def _files_of(kind: str, store: metadata_store.MetadataStore) -> Files:
    """How the artifacts of a run are read, by the type of its context; a server tells of no path of this machine."""
    return kubeflow_files(local=not isinstance(store, ServedStore)) if kind == kubeflow.RUN else local_files()


def _pipelines(store: metadata_store.MetadataStore) -> list[tuple[mlmd.Context, str]]:
    """The contexts of all pipelines, each with the type of the contexts of its runs."""
    found = []
    for kind, of_runs in CONTEXTS:
        found += [(each, of_runs) for each in reading(lambda kind=kind: store.get_contexts_by_type(kind))]  # type: ignore[misc]
    return found


def _run_contexts(store: metadata_store.MetadataStore, pipeline: str) -> list[tuple[str, mlmd.Context]]:
    """The contexts of the runs of one pipeline or of all, each with its pipeline's name."""
    found = []
    for owner, kind in _pipelines(store):
        if pipeline in ("", owner.name):
            children = reading(lambda owner=owner: store.get_children_contexts_by_context(owner.id))  # type: ignore[misc]
            found += [(owner.name, child) for child in children if child.type == kind]
    return found
