"""What is submitted arrives at Kubeflow Pipelines' API as kfp's client sends it; what it refuses is one sentence.

Its API here is a server of this machine that answers as the real one does (tests/support/kubeflow/pipelines_api.py).
"""

import http.server
import socket
import threading
from contextlib import contextmanager

import pytest

from model_monitor import cli
from tests.support.kubeflow.pipelines_api import Api, serving
from tests.support.kubeflow.specifications import write


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    return write(
        tmp_path_factory.mktemp("compiled") / "pipeline.yaml", platforms={"kubernetes": {"deploymentSpec": {}}}
    )


@pytest.fixture
def api(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))  # kfp reads its settings there
    with serving(Api()) as served:
        yield served


@pytest.fixture
def submit(pipeline, capsys):
    def run(host, *arguments, file=pipeline):
        where = ["--host", host] if host is not None else []
        code = cli.main(["submit", str(file), *where, "--param", "data=s3://b/data", *arguments])
        printed = capsys.readouterr()
        return code, " ".join(printed.out.split()), " ".join(printed.err.split())

    return run


def test_a_run_is_submitted_with_its_parameters(api, submit):
    code, out, err = submit(api.url, "--param", "rows=7", "--pipeline-root", "s3://b/root", "--name", "by hand")
    assert (code, err) == (0, "")
    (run,) = api.runs.values()
    assert run["display_name"] == "by hand"
    assert run["runtime_config"] == {"parameters": {"data": "s3://b/data", "rows": 7}, "pipeline_root": "s3://b/root"}
    assert set(run["pipeline_spec"]) == {"pipeline_spec", "platform_spec"}  # both documents of the file
    assert api.experiments[run["experiment_id"]]["display_name"] == "tiny"
    assert f"{api.url}/#/runs/details/{run['run_id']}" in out
    assert "given: data=s3://b/data, rows=7; by default: rate, span, table, whole, words." in out


def test_a_schedule_of_five_fields_is_sent_with_its_seconds(api, submit):
    code, out, _ = submit(api.url, "--schedule", "0 * * * *")
    (recurring,) = api.recurring.values()
    assert code == 0
    assert recurring["trigger"] == {"cron_schedule": {"cron": "0 0 * * * *"}}
    assert (recurring["mode"], recurring["max_concurrency"], recurring["no_catchup"]) == ("ENABLE", 1, True)
    assert f"{api.url}/#/recurringrun/details/{recurring['recurring_run_id']}" in out


def test_a_second_schedule_of_the_name_takes_a_word(api, submit):
    submit(api.url, "--schedule", "@daily")
    code, _, err = submit(api.url, "--schedule", "@hourly")
    assert code == 1
    assert "tiny has a recurring run 'tiny' already (s0000001): give --replace to end it, or another --name" in err
    assert [each["trigger"]["cron_schedule"]["cron"] for each in api.recurring.values()] == ["@daily"]
    code, out, _ = submit(api.url, "--schedule", "@hourly", "--replace")
    assert code == 0
    assert "It replaces s0000001." in out
    assert [each["trigger"]["cron_schedule"]["cron"] for each in api.recurring.values()] == ["@hourly"]
    assert submit(api.url, "--schedule", "@daily", "--name", "other")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--param", "spam=7"], "`--param` must name a parameter of tiny"),
        (["--param", "rows=many"], "`--param rows` must be a whole number"),
        (["--schedule", "61 * * * *"], "`--schedule` must have a minute of 0 to 59"),
        (["--replace"], "`--replace` must come with --schedule"),
        (["--token-file", "/none"], "`--token-file` must be a readable file"),
    ],
)
def test_what_is_wrong_here_is_said_before_anything_is_sent(api, submit, arguments, told):
    code, out, err = submit(api.url, *arguments)
    assert (code, out) == (1, "")
    assert told in err
    assert api.requests == []


@pytest.mark.parametrize("host", [None, "", "localhost:8080", "ftp://host", "http://", "http://host:0", "http://[::"])
def test_an_address_that_is_none_is_refused(submit, monkeypatch, host):
    monkeypatch.delenv("KF_PIPELINES_ENDPOINT", raising=False)
    code, _, err = submit(host)
    assert code == 1
    assert "`--host` must be the address of Kubeflow Pipelines, such as http://localhost:8080" in err


def test_the_address_may_come_from_the_environment(api, submit, monkeypatch):
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", f"{api.url}/")
    assert submit(None)[0] == 0
    assert len(api.runs) == 1


def test_a_server_that_is_not_there_is_one_sentence(submit):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # and does not listen
        code, out, err = submit(f"http://127.0.0.1:{free.getsockname()[1]}")
    assert (code, out) == (1, "")
    assert "error: Kubeflow Pipelines cannot be reached at http://127.0.0.1:" in err
    assert "refused" in err
    assert "Traceback" not in err
    assert "Retry" not in err
    assert "object at" not in err


def test_a_server_of_another_kind_is_one_sentence(submit):
    with _page_server() as url:
        code, _, err = submit(url)
    assert code == 1
    assert f"{url} does not answer as Kubeflow Pipelines 2 does (HTTP 404)" in err


def test_who_is_not_known_is_told_so(api, submit, tmp_path):
    api.token = "let me in"  # noqa: S105
    code, _, err = submit(api.url)
    assert code == 1
    assert "refuses whom it does not know (HTTP 401): give a token by --token-file" in err
    (tmp_path / "token").write_text("let me in\n", encoding="utf-8")
    assert submit(api.url, "--token-file", str(tmp_path / "token"))[0] == 0


def test_a_cluster_of_several_users_wants_a_namespace(api, submit):
    api.multi_user = True
    code, _, err = submit(api.url)
    assert code == 1
    assert "`--namespace` must be yours" in err
    assert submit(api.url, "--namespace", "team")[0] == 0
    assert [each["namespace"] for each in api.experiments.values()] == ["team"]


def test_what_the_server_refuses_is_told_in_its_words(api, submit, tmp_path, monkeypatch):
    monkeypatch.setattr("model_monitor.submitting.specification.SCHEMA_VERSION", "2.0.0")
    code, _, err = submit(api.url, file=write(tmp_path / "old.yaml", schemaVersion="2.0.0"))
    assert code == 1
    assert "refuses the run: Invalid input error: KFP only supports schema version 2.1.0" in err


def test_a_pipeline_that_kfp_cannot_read_is_one_sentence(api, submit, tmp_path):
    code, _, err = submit(api.url, file=write(tmp_path / "odd.yaml", deploymentSpec=7))
    assert code == 1
    assert "Traceback" not in err
    assert api.runs == {}


@contextmanager
def _page_server():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(404)

        def log_message(self, *_):
            """Nothing."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
