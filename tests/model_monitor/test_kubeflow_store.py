"""The commands over a cluster, ML Metadata by gRPC and artifacts in an S3 store: they say what they say here."""

import contextlib
import io
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd
from werkzeug.test import Client

from components.common.object_store.places import copy_out
from model_monitor import cli
from model_monitor.reading.artifact_files import shown_files
from model_monitor.reading.history import History
from model_monitor.reading.run_store import open_store
from model_monitor.ui.app import Application, hosts_for
from model_monitor.ui.pages import MOST_BYTES, Site
from tests.support.kubeflow.metadata_server import Server, serving
from tests.support.kubeflow.recorded_runs import BUCKET, ROOT, Recorded, recorded
from tests.support.kubeflow.recorder import Recorder
from tests.support.stores.running import running_store, without_stores

RUNS = (
    "penguin-1",
    "penguin-2",
    "penguin-4",
    "penguin-5",
    "gated-1",
    "gated-2",
    "span-1",
    "span-2",
    "span-3",
    "span-4",
)
# What is not the same of the same run, and may not be: numbers, times, places, and how a component is called.
_OWN = (
    "id",
    "run",
    "artifact",
    "first",
    "before",
    "pushed_by",
    "started",
    "seconds",
    "component",
    "properties",
    "type",
)


@dataclass(frozen=True)
class Cluster:
    """What is asked of a cluster."""

    server: Server
    runs: Recorded
    local: Path

    @property
    def store(self) -> str:
        return f"kfp://{self.server.address}"

    def here(self, text: str) -> str:
        """A text with the places of this machine for those of the cluster."""
        for here, there in self.runs.places.items():
            text = text.replace(there, here)
        return text


@pytest.fixture(scope="module")
def cluster(stored, tmp_path_factory) -> Iterator[Cluster]:
    """The runs of `stored` on a cluster, and the environment that its object store is found by."""
    folder = tmp_path_factory.mktemp("cluster")
    for version in (stored.story.root / "serving").iterdir():
        (version / "saved_model.pb").write_bytes(b"a model")
    with contextlib.ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        store = stack.enter_context(running_store())
        for name in set(os.environ) - set(without_stores()):
            patch.delenv(name)
        for name, value in store.environment.items():
            patch.setenv(name, value)
        server = stack.enter_context(serving())
        client = metadata_store.MetadataStore(mlmd.MetadataStoreClientConfig(host="127.0.0.1", port=server.port))
        runs = recorded(stored.metadata, stored.story.root / "serving", Recorder(client), folder / "objects")
        store.make_bucket(BUCKET)
        copy_out(str(folder / "objects" / "minio" / BUCKET), f"minio://{BUCKET}")
        server.asked.clear()
        yield Cluster(server, runs, stored.metadata)


def command(*arguments: str) -> tuple[int, str]:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = cli.main(list(arguments))
    return code, printed.getvalue()


def told(record: Any) -> Any:
    """What a record says, without what every store has its own of."""
    if isinstance(record, dict):
        return {key: told(value) for key, value in record.items() if key not in _OWN}
    return [told(each) for each in record] if isinstance(record, list) else record


def both(cluster: Cluster, *arguments: str) -> tuple[tuple[int, str], tuple[int, str]]:
    """What a command ends with and says here, and of the cluster with the places of here."""
    code, text = command(*arguments, "--store", cluster.store)
    return command(*arguments, "--store", str(cluster.local)), (code, cluster.here(text))


@pytest.mark.parametrize("run", RUNS)
def test_why_is_the_same_and_ends_the_same(cluster, run):
    (code, here), (code_there, there) = both(cluster, "why", run, "--json", "--exit-code")
    assert (code_there, told(json.loads(there))) == (code, told(json.loads(here)))


def test_the_list_of_runs_is_the_same(cluster):
    (_, here), (code, there) = both(cluster, "inspect", "--json")
    assert (code, told(json.loads(there))) == (0, told(json.loads(here)))
    (_, here), (_, there) = both(cluster, "inspect")
    verdicts = [[line.partition("  ")[2][-60:].strip() for line in text.splitlines()] for text in (here, there)]
    assert [line.split()[-3:] for line in verdicts[1]] == [line.split()[-3:] for line in verdicts[0]]


def test_a_run_its_nodes_and_what_is_in_their_artifacts_are_the_same(cluster):
    (_, here), (_, there) = both(cluster, "inspect", "gated-2", "--json")
    runs = [json.loads(text) for text in (here, there)]
    taken = [[{key: len(ids) for key, ids in node.pop("inputs").items()} for node in run["nodes"]] for run in runs]
    assert told(runs[1]) == told(runs[0])
    assert taken[1] == taken[0]
    (_, here), (_, there) = both(cluster, "inspect", "gated-2", "--node", "PushGate", "--json")
    tables, tables_there = ([each["tables"] for each in json.loads(text)["opened"]] for text in (here, there))
    assert tables_there[0][:1] == tables[0][:1]
    assert [table["title"] for table in tables_there[0]] == [table["title"] for table in tables[0]]


def test_the_terminal_shows_a_run_of_a_cluster(cluster):
    code, text = command("inspect", "span-3", "--store", cluster.store)
    assert code == 0
    assert f"Places are below\n{ROOT}/monitoring/span-3/" in text
    assert "SkewDriftValidator" in text
    code, text = command("inspect", "span-3", "--type", "Examples", "--store", cluster.store)
    assert re.search(r"serving +1 +8\b", text)


def test_reports_are_made_with_the_same_verdict(cluster, tmp_path):
    for run in ("gated-1", "span-3"):
        pages = []
        for store, name in ((str(cluster.local), "here.html"), (cluster.store, "there.html")):
            code, text = command("report", run, "--store", store, "--out", str(tmp_path / name))
            assert code == 0
            pages.append(
                (text.splitlines()[0], re.findall(r'<div class="verdict (\w+)"', (tmp_path / name).read_text()))
            )
        assert pages[0] == pages[1]


def test_runs_are_compared_alike(cluster):
    (code, here), (code_there, there) = both(cluster, "compare", "span-1", "span-3", "--json")
    here_says, there_says = json.loads(here), json.loads(there)
    for name in ("sentences", "checks", "findings", "accuracy", "p_values", "features"):
        assert told(there_says[name]) == told(here_says[name])
    assert code_there == code == 0


def test_incidents_of_spans_are_the_same(cluster):
    (_, here), (_, there) = both(cluster, "incidents", "--json")
    numbers = [[(each["state"], each["severity"]) for each in json.loads(text)["incidents"]] for text in (here, there)]
    assert numbers[0] == numbers[1]
    assert numbers[0]


def test_nothing_is_written_to_the_cluster(cluster, capsys):
    assert cli.main(["incidents", "ack", "2", "--because", "camera", "--store", cluster.store]) == 1
    assert "`--store` must be a file for what is noted. Received: " in capsys.readouterr().err
    with pytest.raises(Exception, match="is only read"):
        open_store(cluster.store).put_contexts([])
    assert {name for name in cluster.server.asked if not name.startswith("Get")} == set()


def test_many_runs_take_a_few_questions_each_and_none_for_a_node(cluster):
    cluster.server.asked.clear()
    History(open_store(cluster.store)).run("penguin-1").nodes  # noqa: B018 - it reads them
    runs = len(RUNS) + 1
    assert len(cluster.server.asked) <= runs + 10
    assert "GetLineageSubgraph" not in cluster.server.asked


def client(cluster: Cluster) -> tuple[Client, History]:
    history = History(open_store(cluster.store))
    places = tuple(sorted({run.root for run in history.runs}))
    assert places == (ROOT,)
    files = shown_files("", places, MOST_BYTES)
    site = Site(cluster.store, "", places=places, files=files, store=history.store)
    return Client(Application(site, hosts=hosts_for("127.0.0.1"))), history


def page(client: Client, path: str) -> str:
    answer = client.get(path, headers={"Host": "127.0.0.1"})
    assert answer.status_code == 200, answer.text
    return answer.text


def test_pages_show_the_runs_of_a_cluster(cluster):
    asked, history = client(cluster)
    home = page(asked, "/")
    for run in ("span-1", "span-3"):
        assert history.verdict(history.run(run)).state.words in home
    run = history.run("span-3")
    text = page(asked, f"/runs/{run.id}")
    assert f"Places are below {ROOT} unless" in text
    assert "not on this machine" not in text
    (drift,) = run.node("SkewDriftValidator").outputs["anomalies"]
    assert "image_sharpness" in page(asked, f"/artifacts/{drift.id}")


def test_nothing_is_shown_of_other_places(cluster):
    site = Site(cluster.store, "", places=(f"{ROOT}/gated",), files=shown_files("", (f"{ROOT}/gated",), MOST_BYTES))
    asked = Client(Application(site, hosts=hosts_for("127.0.0.1")))
    history = History(open_store(cluster.store))
    (drift,) = history.run("span-3").node("SkewDriftValidator").outputs["anomalies"]
    assert "is not shown" in page(asked, f"/artifacts/{drift.id}")


def test_an_object_store_that_nobody_answers_at_leaves_every_verdict_undecided(cluster, monkeypatch, capsys):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("MODEL_MONITOR_STORE_SECONDS", "1")
    code, text = command("why", "span-1", "--exit-code", "--store", cluster.store)
    assert code != 0
    assert "must be in reach" in " ".join(text.split())


@pytest.mark.parametrize(
    ("store", "says"),
    [
        ("kfp://127.0.0.1:1", "kfp://127.0.0.1:1 cannot be reached: "),
        ("http://127.0.0.1:1", "`--store` must be a SQLite file, or kfp://HOST:PORT"),
        ("kfp://127.0.0.1:99999", "`--store` must have a port in 1 .. 65535"),
        ("kfp://user@host:1/path", "`--store` must be a SQLite file, or kfp://HOST:PORT"),
    ],
)
@pytest.mark.parametrize("name", ["inspect", "why", "report", "ui"])
def test_a_store_that_is_none_is_one_sentence(capsys, name, store, says):
    assert cli.main([name, "--store", store]) == 1
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_an_empty_store_and_a_run_that_is_not_there_are_one_sentence(cluster, capsys):
    with serving() as server:
        store = f"kfp://{server.address}"
        assert command("inspect", "--store", store) == (0, "There is no run in the store yet.\n")
        assert cli.main(["why", "--store", store]) == 1
        assert capsys.readouterr().err == "error: There is no run in the store yet\n"
        assert cli.main(["ui", "--store", store]) == 1
        assert "`--root` must be an address" in capsys.readouterr().err
    assert cli.main(["why", "span-9", "--store", cluster.store]) == 1
    assert "There is no run 'span-9'" in capsys.readouterr().err
    assert cli.main(["why", "--pipeline", "nothing", "--store", cluster.store]) == 1
    assert "`--pipeline` must be one of" in capsys.readouterr().err
