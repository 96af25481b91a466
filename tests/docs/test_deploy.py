"""The files for systemd and Kubernetes name what there is: commands and settings of the tool, ports, volumes, times."""

import configparser
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from model_monitor import cli
from model_monitor.watch.settings import WatchConfig
from pipelines.config import load
from tests.support.code_blocks import REPOSITORY

DEPLOY = REPOSITORY / "docs" / "deploy"
UNIT = DEPLOY / "model-monitor-watch.service"
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")  # RFC 1123, as Kubernetes wants names to be
QUANTITY = re.compile(r"([0-9]+)(m|Mi|Gi)?")
FACTORS = {None: 1.0, "m": 1e-3, "Mi": 2.0**20, "Gi": 2.0**30}
OBJECTS = [each for name in ("watch.yaml", "proxy.yaml") for each in yaml.safe_load_all((DEPLOY / name).read_text())]
DEPLOYMENTS = {each["metadata"]["name"]: each["spec"] for each in OBJECTS if each["kind"] == "Deployment"}
CONTAINERS = [
    pytest.param(spec["template"]["spec"], container, id=container["name"])
    for spec in DEPLOYMENTS.values()
    for container in spec["template"]["spec"]["containers"]
]


class Unit(configparser.RawConfigParser):
    """A file of systemd, whose keys are told apart by their case."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


@pytest.fixture(scope="module")
def service() -> dict[str, str]:
    unit = Unit(strict=True, delimiters=("=",))
    unit.read_string(UNIT.read_text(encoding="utf-8"))
    return dict(unit["Service"])


@pytest.fixture
def settings(tmp_path) -> WatchConfig:
    """Those of the ConfigMap, as `watch` reads them."""
    (found,) = [each for each in OBJECTS if each["kind"] == "ConfigMap"]
    file = tmp_path / "watch.yaml"
    file.write_text(found["data"]["watch.yaml"])
    return load(WatchConfig, file)


def parsed(command: list[str]) -> Any:
    """What the tool takes a command line for; it would end the process for one that is none."""
    assert Path(command[0]).name == "model-monitor"
    return cli._parser().parse_args(command[1:])


def test_systemd_accepts_the_unit(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    text = UNIT.read_text(encoding="utf-8").replace("/opt/model-monitor/bin/model-monitor", sys.executable)
    (tmp_path / UNIT.name).write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / UNIT.name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, UNIT.name in done.stderr) == (0, False), done.stderr
    (tmp_path / UNIT.name).write_text(text.replace("KillMode=process", "KillMode=some"))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "kill mode" in done.stderr  # it does look at the file


def test_the_unit_starts_the_watcher_and_gives_it_the_time_that_it_takes_to_end(service):
    options = parsed(shlex.split(service["ExecStart"]))
    assert (options.config, options.wait) == (Path("/etc/model-monitor/watch.yaml"), 60.0)
    assert float(service["TimeoutStopSec"]) > WatchConfig().watch.grace_seconds
    assert (service["Restart"], service["KillMode"]) == ("on-failure", "process")
    assert service["EnvironmentFile"].removeprefix("-").startswith("/etc/")
    assert service["WorkingDirectory"] == f"/var/lib/{service['StateDirectory']}"
    assert "MemoryDenyWriteExecute" not in service  # TensorFlow compiles code while it runs


@pytest.mark.parametrize("found", OBJECTS, ids=lambda each: f"{each['kind']}-{each['metadata']['name']}")
def test_objects_are_named_as_kubernetes_wants_them(found):
    assert set(found) <= {"apiVersion", "kind", "metadata", "spec", "data"}
    versions = {"Deployment": "apps/v1", "ConfigMap": "v1", "PersistentVolumeClaim": "v1", "Service": "v1"}
    assert found["apiVersion"] == versions[found["kind"]]
    assert NAME.fullmatch(found["metadata"]["name"])


def test_no_two_watchers_work_under_one_root():
    spec = DEPLOYMENTS["model-monitor-watch"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_deployment_selects_its_own_pods(name):
    spec = DEPLOYMENTS[name]
    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize(("pod", "container"), CONTAINERS)
def test_what_a_container_names_is_there(pod, container):
    assert NAME.fullmatch(container["name"])
    volumes = {each["name"] for each in pod["volumes"]}
    assert {each["name"] for each in container["volumeMounts"]} <= volumes
    assert len({each["mountPath"] for each in container["volumeMounts"]}) == len(container["volumeMounts"])
    ports = {each["name"] for each in container.get("ports", ())}
    assert all(NAME.fullmatch(port) and len(port) <= 15 for port in ports)
    probes = [container[name] for name in ("startupProbe", "livenessProbe", "readinessProbe") if name in container]
    assert probes
    for probe in probes:
        asked = (probe.get("httpGet") or probe["tcpSocket"])["port"]
        assert asked in ports or isinstance(asked, int)


@pytest.mark.parametrize(("pod", "container"), CONTAINERS)
def test_what_is_ours_has_no_rights_and_no_more_than_its_limits(pod, container):
    if "command" not in container:
        assert container["image"].startswith("tensorflow/serving")
        return
    rights = {**pod.get("securityContext", {}), **container["securityContext"]}
    assert rights["runAsNonRoot"] is rights["readOnlyRootFilesystem"] is True
    assert rights["runAsUser"] > 0
    assert rights["allowPrivilegeEscalation"] is False
    assert rights["capabilities"] == {"drop": ["ALL"]}
    resources = container["resources"]
    for what, most in resources["limits"].items():
        assert amount(resources["requests"].get(what, most)) <= amount(most)


def amount(text: Any) -> float:
    found = QUANTITY.fullmatch(str(text))
    assert found
    return float(found[1]) * FACTORS[found[2]]


def test_the_watcher_has_the_settings_that_the_rest_of_the_file_relies_on(settings):
    pod = DEPLOYMENTS["model-monitor-watch"]["template"]["spec"]
    (container,) = pod["containers"]
    options = parsed(container["command"])
    assert options.json
    mounts = {each["mountPath"]: each for each in container["volumeMounts"]}
    assert str(options.config.parent) in mounts
    assert {settings.root, settings.serving_dir, settings.serving_logs} <= set(mounts)
    assert not mounts[settings.root].get("readOnly")
    assert container["ports"] == [{"name": "metrics", "containerPort": settings.metrics.prometheus_port}]
    assert settings.metrics.prometheus_host == "0.0.0.0"  # noqa: S104 - the kubelet asks from outside the pod
    assert all(container[probe]["httpGet"]["path"] == "/healthz" for probe in ("startupProbe", "livenessProbe"))
    assert pod["terminationGracePeriodSeconds"] > settings.watch.grace_seconds
    scraped = DEPLOYMENTS["model-monitor-watch"]["template"]["metadata"]["annotations"]["prometheus.io/port"]
    assert scraped == str(settings.metrics.prometheus_port)


def test_the_proxy_stands_between_the_service_and_the_server_that_is_beside_it():
    pod = DEPLOYMENTS["model"]["template"]["spec"]
    server, proxy = pod["containers"]
    options = parsed(proxy["command"])
    given = dict(argument.removeprefix("--").split("=") for argument in server["args"])
    assert options.upstream == f"http://127.0.0.1:{given['rest_api_port']}"
    assert options.grpc_upstream == f"127.0.0.1:{given['port']}"
    assert pod["terminationGracePeriodSeconds"] > options.grace
    ports = {each["name"]: each["containerPort"] for each in proxy["ports"]}
    assert ports == {"http": options.port, "grpc": options.grpc_port}
    mounts = {each["mountPath"]: each for each in proxy["volumeMounts"]}
    assert {options.serving, options.logs} <= set(mounts)
    assert not mounts[options.logs].get("readOnly")
    (service,) = [each["spec"] for each in OBJECTS if each["kind"] == "Service"]
    assert {each["targetPort"] for each in service["ports"]} == set(ports)
    assert service["selector"] == DEPLOYMENTS["model"]["selector"]["matchLabels"]
