"""Series as Prometheus scrapes them, as a collector of OpenTelemetry gets them, and as TensorBoard reads them."""

import contextlib
import gzip
import io
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
from PIL import Image

from components.common.errors import MonitorError
from model_monitor import extras
from model_monitor.metrics.export import Export
from model_monitor.metrics.observed import Observed
from model_monitor.metrics.series import SERIES
from model_monitor.metrics.settings import MetricsSettings


def scraped(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain")
        return answer.read().decode()


@pytest.fixture
def export(observed):
    made = Export(MetricsSettings(prometheus_port=0))
    made.judged(observed)
    yield made
    made.close()


def test_prometheus_gets_every_series_of_every_model(export, observed):
    from prometheus_client.parser import text_string_to_metric_families

    export.status(Observed("a second model"))
    samples = [each for family in text_string_to_metric_families(scraped(export.port)) for each in family.samples]
    assert {each.name for each in samples} == {series.exposed for series in SERIES}
    [p_value] = [each for each in samples if each.name == "model_monitor_window_p_value"]
    assert (p_value.labels, p_value.value) == ({"model": "digits"}, 0.0005)
    backlog = {each.labels["model"]: each.value for each in samples if each.name == "model_monitor_backlog_windows"}
    assert backlog == {"digits": 2, "a second model": 0}


def test_a_loop_that_no_longer_comes_around_is_a_503(observed):
    def asked():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{made.port}/healthz", timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    made = Export(MetricsSettings(prometheus_port=0, stuck_seconds=60))
    with contextlib.closing(made):
        assert asked()[0] == 200  # nothing is known yet: it begins
        now = time.monotonic()
        made.status(replace(observed, turned=now))
        made.status(Observed("a second model", turned=now))
        assert asked() == (200, "The loop came around 0 s ago.\n")
        made.status(Observed("a second model", turned=now - 90))
        status, told = asked()
        assert (status, told[:59]) == (503, "The loop of a second model has not come around for 90 s.\n")
        assert 'model_monitor_loop_idle_seconds{model="a second model"} 9' in scraped(made.port)


def test_prometheus_own_tool_finds_nothing_wrong_with_them(export):
    if not shutil.which("promtool"):
        pytest.skip("Prometheus is not installed here (Debian: apt-get install prometheus)")
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=scraped(export.port), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_port_that_is_taken_is_an_error_that_names_it():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(MonitorError, match=rf"metrics.prometheus_port.*free on 127.0.0.1.*{port}"):
            Export(MetricsSettings(prometheus_port=port))


def test_the_port_is_free_again_when_the_export_is_closed():
    made = Export(MetricsSettings(prometheus_port=0))
    made.close()
    again = Export(MetricsSettings(prometheus_port=made.port))
    again.close()


class Collector(BaseHTTPRequestHandler):
    """Takes what a collector of OpenTelemetry takes, over HTTP."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        """Keeps the terminal clean."""


@pytest.fixture
def collector():
    server = HTTPServer(("127.0.0.1", 0), Collector)
    server.received = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_collector_of_opentelemetry_gets_them_when_the_watcher_ends(observed, collector):
    from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2

    address = f"http://127.0.0.1:{collector.server_address[1]}/v1/metrics"
    made = Export(MetricsSettings(otlp_endpoint=address, otlp_seconds=3600))
    made.judged(observed)
    made.close()
    [body] = collector.received
    request = metrics_service_pb2.ExportMetricsServiceRequest.FromString(body)
    [of_service] = request.resource_metrics
    named = {each.key: each.value.string_value for each in of_service.resource.attributes}
    assert named["service.name"] == "model-monitor"
    found = {metric.name: metric for scope in of_service.scope_metrics for metric in scope.metrics}
    assert set(found) == {f"model_monitor_{series.name}" for series in SERIES}
    [p_value] = found["model_monitor_window_p_value"].gauge.data_points
    assert p_value.as_double == 0.0005
    assert {each.key: each.value.string_value for each in p_value.attributes} == {"model": "digits"}
    assert found["model_monitor_examples"].sum.is_monotonic


def test_a_collector_that_is_not_there_keeps_nobody_waiting_for_long(observed, caplog):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens
        made = Export(MetricsSettings(otlp_endpoint=f"http://127.0.0.1:{closed.getsockname()[1]}/v1/metrics"))
        made.judged(observed)
        ended = threading.Thread(target=made.close, daemon=True)
        ended.start()
        ended.join(30)
        assert not ended.is_alive()


def png() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


def test_tensorboard_reads_a_step_a_window_with_its_images(observed, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    made = Export(MetricsSettings(tensorboard=str(tmp_path / "logs")))
    made.judged(observed, {"window": png()})
    made.close()
    read = EventAccumulator(str(tmp_path / "logs" / "digits"))
    read.Reload()
    [p_value] = read.Scalars("window_p_value")
    assert (p_value.step, p_value.wall_time, round(p_value.value, 7)) == (7, observed.last.judged_at, 0.0005)
    assert {"accuracy/estimated", "accuracy/baseline", "window_state/degraded", "sequential_statistic/cusum"} <= set(
        read.Tags()["scalars"]
    )
    [image] = read.Images("images/window")
    assert (image.width, image.height, image.encoded_image_string) == (6, 4, png())


def test_a_folder_that_cannot_be_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MonitorError, match=r"metrics\.tensorboard"):
        Export(MetricsSettings(tensorboard=str(tmp_path / "file" / "logs")))


def test_without_settings_nothing_is_exported(observed):
    made = Export(MetricsSettings())
    made.judged(observed)
    assert not MetricsSettings().any
    assert made.port is None
    made.close()


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"prometheus_port": 70000}, "less than or equal to 65535"),
        ({"prometheus_host": "192.0.2.1"}, "must have `prometheus_port`"),
        ({"otlp_endpoint": "collector:4317"}, "must be an URL"),
        ({"otlp_endpoint": "http://a/", "otlp_seconds": 0.1}, "greater than or equal to 1"),
    ],
)  # fmt: skip
def test_settings_that_mean_nothing_are_refused(given, rule):
    with pytest.raises(ValueError, match=rule):
        MetricsSettings(**given)


def test_a_library_that_is_not_installed_is_one_sentence():
    with pytest.raises(MonitorError, match=r"`metrics.x` needs no_such_library: pip install .*\[live\]"):
        extras.imported("no_such_library.part", "metrics.x")
