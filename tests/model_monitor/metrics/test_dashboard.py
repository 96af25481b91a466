"""docs/grafana.json and docs/prometheus_rules.yml: queries ask for what is exposed, and Prometheus understands them."""

import json
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
import yaml

from model_monitor.metrics.export import Export
from model_monitor.metrics.series import SERIES
from model_monitor.metrics.settings import MetricsSettings

DOCS = Path(__file__).parents[3] / "docs"
BOARD = json.loads((DOCS / "grafana.json").read_text(encoding="utf-8"))
RULES = yaml.safe_load((DOCS / "prometheus_rules.yml").read_text(encoding="utf-8"))
QUERIES = [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]
ALERTS = [rule["expr"] for group in RULES["groups"] for rule in group["rules"]]
BY_NAME = {series.exposed: series for series in SERIES}
WIDTH = 24  # columns of a dashboard of Grafana

prometheus = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="Prometheus is not installed here (Debian: apt-get install prometheus)",
)


@pytest.mark.parametrize("query", [*QUERIES, *ALERTS])
def test_a_query_asks_for_series_and_labels_that_there_are(query):
    names = re.findall(r"model_monitor_[a-z_]+", query)
    assert names
    for name in names:
        assert name in BY_NAME
    known = {"model", *(label for name in names for label in BY_NAME[name].labels)}
    asked = {each.strip() for inner in re.findall(r"by \(([^)]*)\)", query) for each in inner.split(",")}
    asked |= set(re.findall(r"([a-z_]+)(?:=~|!=|=)\"", query))
    assert asked <= known


def test_every_series_is_on_the_dashboard():
    shown = set(re.findall(r"model_monitor_[a-z_]+", " ".join(QUERIES)))
    rarely = {"window", "window_examples", "sequential_rings"}  # of use in queries of one's own
    assert {f"model_monitor_{name}" for name in rarely} == set(BY_NAME) - shown


def test_the_dashboard_is_one_that_grafana_reads():
    """By the rules of Grafana's dashboard model: ids, places on the grid, kinds of panels, data sources, variables."""
    assert BOARD["schemaVersion"] >= 36
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(ids)) == len(ids)
    taken = set()
    for panel in BOARD["panels"]:
        assert panel["type"] in {"stat", "timeseries", "state-timeline"}
        assert panel["title"]
        assert set(panel["fieldConfig"]) == {"defaults", "overrides"}
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}  # fmt: skip
        assert place["x"] + place["w"] <= WIDTH
        assert not cells & taken
        taken |= cells
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        for each in (panel, *panel["targets"]):
            assert each["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert [each["name"] for each in BOARD["templating"]["list"]] == ["datasource", "model"]
    [asked] = re.findall(r"label_values\((\w+), (\w+)\)", BOARD["templating"]["list"][1]["query"]["query"])
    assert asked[0] in BY_NAME
    assert asked[1] == "model"


def test_the_page_has_every_series_with_what_it_means():
    page = (DOCS / "metrics.md").read_text(encoding="utf-8")
    rows = [tuple(cell.strip() for cell in line.split("|")[1:-1]) for line in page.splitlines() if "| `model_m" in line]
    assert rows == [
        (f"`{each.exposed}`", ", ".join(f"`{name}`" for name in ("model", *each.labels)), each.help) for each in SERIES
    ]


def test_an_alert_says_what_and_what_to_do():
    for group in RULES["groups"]:
        for rule in group["rules"]:
            assert set(rule["annotations"]) == {"summary", "description"}
            assert rule["labels"]["severity"] in {"information", "warning", "critical"}


@prometheus
def test_prometheus_own_tool_accepts_the_rules(tmp_path):
    critical = '{model="digits",severity="critical"}'
    tests = {
        "rule_files": [str(DOCS / "prometheus_rules.yml")],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {
                        "series": f"model_monitor_open_incidents{critical}",
                        "values": "0x5 1x20",
                    },
                    {"series": 'model_monitor_lag_seconds{model="digits"}', "values": "0x25"},
                ],
                "alert_rule_test": [
                    {"eval_time": "5m", "alertname": "ModelDegraded", "exp_alerts": []},
                    {
                        "eval_time": "10m",
                        "alertname": "ModelDegraded",
                        "exp_alerts": [
                            {
                                "exp_labels": {"model": "digits", "severity": "critical"},
                                "exp_annotations": {
                                    "summary": "digits is degraded",
                                    "description": "Its accuracy, estimated or by labels, fell by more than is "
                                    "allowed: `model-monitor incidents --open`.",
                                },
                            }
                        ],
                    },
                    {"eval_time": "20m", "alertname": "ModelMonitorSilent", "exp_alerts": []},
                ],
            }
        ],
    }
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(tests))
    done = subprocess.run(
        ["promtool", "test", "rules", str(tmp_path / "tests.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def free_port() -> int:
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return any_port.getsockname()[1]


@prometheus
def test_a_real_prometheus_answers_every_query_of_the_dashboard(observed, tmp_path):
    export = Export(MetricsSettings(prometheus_port=0))
    export.judged(observed)
    scrape = {"job_name": "monitor", "static_configs": [{"targets": [f"127.0.0.1:{export.port}"]}]}
    config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    command = ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    with subprocess.Popen(command) as server:
        try:
            asked = {query.replace("$model", ".*").replace("15m", "1m").replace("1h", "1m") for query in QUERIES}
            deadline = time.monotonic() + 60
            while asked and time.monotonic() < deadline:  # rates need two scrapes
                asked = {query for query in asked if not answered(port, query)}
                time.sleep(0.2)
            assert not asked
        finally:
            server.terminate()
            export.close()


def answered(port: int, query: str) -> bool:
    address = f"http://127.0.0.1:{port}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return bool(json.load(answer)["data"]["result"])
    except (OSError, json.JSONDecodeError):  # it is not up yet
        return False
