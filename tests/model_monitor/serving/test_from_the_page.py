"""The commands of docs/serving_side.md as they stand there, but for their ports; what `monitor` reads of the logs."""

import dataclasses
import shlex

import numpy as np
import pytest

from components.common.model_spec import ModelSpec
from components.serving_log_example_gen.prediction_log import read_origin
from model_monitor import cli
from model_monitor.commands import proxy as command
from tests.support.bundles import write_bundle
from tests.support.code_blocks import named
from tests.support.log_requests import read_request
from tests.support.running_proxy import RunningProxy, records
from tests.support.served_model import SIDE, push, running_server

PAGE = "docs/serving_side.md"
SPEC = {
    "image": {"feature": "image", "format": "raw", "channels": 1, "size": [SIDE, SIDE], "input": "x", "range": [0, 1]},
    "classes": ["dark", "grey", "light"],
    "outputs": {"scores": "dense", "kind": "probabilities"},
}


def options_of(name: str):
    (line,) = named(PAGE, name).commands
    return cli._parser().parse_args(shlex.split(line)[1:])


@pytest.fixture
def logs(saved_model, tmp_path, monkeypatch):
    """The page's commands and its client, and the folder that they log to."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "serving").mkdir()
    write_bundle(push(saved_model, tmp_path / "serving", 7), ModelSpec.from_record(SPEC))
    served = options_of("serve")
    proxied = options_of("proxy")
    assert proxied.upstream == f"http://127.0.0.1:{served.port}"
    assert proxied.grpc_upstream == f"127.0.0.1:{served.grpc_port}"
    assert f"http://127.0.0.1:{proxied.port}/" in named(PAGE, "client").text
    with running_server(tmp_path / served.serving, served.serving) as server:
        settings = dataclasses.replace(
            command._settings(proxied), upstream=server.url, grpc_upstream="", port=0, metrics_port=0
        )
        proxy = RunningProxy(settings)
        images = np.linspace(0, 1, 3 * SIDE * SIDE, dtype=np.float32).reshape(3, SIDE, SIDE, 1)
        said = {"images": images}
        exec(named(PAGE, "client").text.replace("http://127.0.0.1:8601", proxy.url), said)  # noqa: S102 - our own page
        assert said["answer"].status_code == 200
        counters = proxy.stop()
    assert (counters.logged, counters.unfit, counters.version_unknown) == (1, 0, 0)
    return tmp_path / proxied.logs


def test_what_is_logged_is_what_the_monitor_reads_without_a_complaint(logs):
    (log,) = records(logs)
    origin = read_origin(log)
    assert (origin.model_name, origin.model_version, origin.sampling_rate) == (b"serving", 7, 1.0)
    request = read_request(log, origin, ModelSpec.from_record(SPEC), b"fallback", lambda value: None)
    assert (len(request.rows), request.flags, request.broken, request.has_id) == (3, [], [], True)
    assert all(row.features["class_id"] is not None for row in request.rows)
    (span,) = (path for path in logs.iterdir() if not path.name.startswith("."))
    assert int(span.name) == origin.timestamp // 86_400
