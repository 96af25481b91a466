"""The local runner on a pipeline of stock components, with a real ML Metadata store."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from ml_metadata.metadata_store import MetadataStore
from tfx.components import CsvExampleGen, StatisticsGen
from tfx.dsl.context_managers import dsl_context_registry
from tfx.orchestration import metadata
from tfx.orchestration.pipeline import Pipeline

from components.common.artifacts.names import NODE_OF_RUN, node_of_run
from components.common.errors import MonitorError
from model_monitor.launching import pipelines as launching
from model_monitor.reading import run_store as inspect
from pipelines.config import LOCAL_BEAM_ARGS
from pipelines.progress import Progress
from tests.support import printed

pytestmark = pytest.mark.prints

Twice = tuple[list[inspect.Run], str, Path]


def stock(folder: Path) -> Pipeline:
    (folder / "csv").mkdir()
    (folder / "csv" / "rows.csv").write_text("a,b\n1,2\n3,4\n")
    examples = CsvExampleGen(input_base=str(folder / "csv"))
    statistics = StatisticsGen(examples=examples.outputs["examples"])
    return Pipeline(
        pipeline_name="stock",
        pipeline_root=str(folder / "root"),
        components=[examples, statistics],
        enable_cache=True,
        metadata_connection_config=metadata.sqlite_metadata_connection_config(str(folder / "store.sqlite")),
        beam_pipeline_args=list(LOCAL_BEAM_ARGS),
    )


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Twice:
    """Two runs of the pipeline, what was shown of them, and their store."""
    folder = tmp_path_factory.mktemp("stock")
    out = printed.console()
    progress, pipeline = Progress(out), stock(folder)
    runs = [launching.run(pipeline, str(folder / "store.sqlite"), progress) for _ in range(2)]
    return runs, printed.text_of(out), folder / "store.sqlite"


def test_nodes_share_one_run_and_a_second_run_is_from_cache(twice: Twice):
    (first, second), shown, _ = twice
    assert list(first.nodes) == list(second.nodes) == ["CsvExampleGen", "StatisticsGen"]
    assert [n.cached for n in first.nodes.values()] == [False, False]
    assert [n.cached for n in second.nodes.values()] == [True, True]
    uris = [run.node("StatisticsGen").output("statistics").uri for run in (first, second)]
    assert uris[0] == uris[1]
    assert [line.split()[1] for line in shown.splitlines()] == ["CsvExampleGen", "StatisticsGen"] * 2
    assert shown.count("from cache") == 2


def test_nodes_find_their_inputs_without_listing_earlier_runs(
    twice: Twice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    runs, _, path = twice
    store = inspect.open_store(path)
    found = {each.name: each.id for each in store.get_contexts_by_type(NODE_OF_RUN)}
    names = [node_of_run("stock", run.run_id, node) for run in runs for node in run.nodes]
    assert sorted(found) == sorted(names)
    assert [len(store.get_executions_by_context(each)) for each in found.values()] == [1] * 4
    asked = []
    plain = MetadataStore.get_executions_by_context

    def listed(self: MetadataStore, context_id: int, *rest: object) -> object:
        asked.append(self.get_contexts_by_id([context_id])[0].type)
        return plain(self, context_id, *rest)

    monkeypatch.setattr(MetadataStore, "get_executions_by_context", listed)
    launching.run(stock(tmp_path), str(tmp_path / "store.sqlite"), Progress(printed.console()))
    assert {"pipeline", "node"}.isdisjoint(asked)
    assert NODE_OF_RUN in asked


def test_nodes_are_read_back_without_asking_by_executions(twice: Twice, monkeypatch: pytest.MonkeyPatch):
    """ML Metadata looks through all its executions for the contexts of some."""
    runs, _, path = twice
    store = inspect.open_store(path)
    asked = {run.id: inspect.nodes_of(store, store.get_executions_by_context(run.id)) for run in runs}
    for name in ("get_contexts_by_execution", "get_lineage_subgraph"):
        monkeypatch.delattr(MetadataStore, name)
    read = {run.id: {node.id: node for node in run.nodes.values()} for run in inspect.runs(store)}
    assert read == asked
    assert [len(nodes) for nodes in read.values()] == [2, 2]


def test_tfx_keeps_nothing_of_a_pipeline_that_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A watcher launches one for each window, for months."""
    made = SimpleNamespace(create_pipeline=lambda config: stock(config.metadata_path.parent))
    monkeypatch.setitem(sys.modules, "pipelines.made", made)
    config = SimpleNamespace(metadata_path=tmp_path / "store.sqlite")
    kept = len(dsl_context_registry.get().all_nodes)
    run = launching.launch(config, "made", {}, Progress(printed.console()))  # type: ignore[arg-type]
    assert list(run.nodes) == ["CsvExampleGen", "StatisticsGen"]
    assert len(dsl_context_registry.get().all_nodes) == kept


def test_a_node_that_fails_is_named_and_what_follows_does_not_run(tmp_path: Path):
    pipeline = stock(tmp_path)
    (tmp_path / "csv" / "rows.csv").unlink()
    with pytest.raises(launching.NodeFailedError) as caught:
        launching.run(pipeline, str(tmp_path / "store.sqlite"), Progress(printed.console()))
    assert caught.value.node == "CsvExampleGen"
    assert caught.value.__cause__ is not None


def test_a_store_that_is_not_there_is_an_error_and_is_not_made(tmp_path: Path):
    with pytest.raises(MonitorError, match="which is not there"):
        inspect.open_store(tmp_path / "none.sqlite")
    assert not list(tmp_path.iterdir())


def test_what_a_run_does_not_have_is_an_error_that_lists_what_it_has(twice: Twice):
    (run, _), _, store = twice
    with pytest.raises(MonitorError, match="CsvExampleGen, StatisticsGen"):
        run.node("Trainer")
    with pytest.raises(MonitorError, match="statistics"):
        run.node("StatisticsGen").output("schema")
    with pytest.raises(MonitorError, match="no run 'yesterday'"):
        inspect.Run(inspect.open_store(store), "stock", "yesterday")
