"""Compiled pipelines in real containers: Docker where it answers, the project's image, and Kubeflow's own `kfp.local`.

What a run leaves is a folder, which stands for the object store; that is all that containers see of the machine.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.common.errors import MonitorError
from pipelines.runners.project_version import project_version

from .arithmetic import same_arithmetic

REPOSITORY = Path(__file__).resolve().parents[3]
IMAGE_USER = 1000  # of the Dockerfile
TFX = "1.16"  # likewise, whatever this process has
_NO_BASE = 3  # exit code of requirements/image.py
_WARNINGS = {"PYTHONWARNINGS": "ignore", "TF_CPP_MIN_LOG_LEVEL": "2"}
_FILE = "executor_output.json"  # what a step says of its outputs, beside them
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_EVENT = re.compile(r"(Executing) task '?([\w-]+)'?|Task '?([\w-]+)'? (finished) with status SUCCESS")


class NoContainersError(MonitorError):
    """Containers cannot be had here; the message says why."""


class RunFailedError(MonitorError):
    """A step failed; the message has the end of what was printed."""


def image() -> str:
    """The project's image as the sources are now, with a Docker that runs it.

    Raises:
      NoContainersError: no Docker answers, or there is no base to build on.
      RunFailedError: the image cannot be built.

    """
    if not shutil.which("docker") or subprocess.run(["docker", "version"], capture_output=True, check=False).returncode:
        raise NoContainersError("no Docker answers here; python3 .ci/with_docker.py COMMAND starts one, as root")
    tag = f"model-monitor:{project_version()}"
    build = [sys.executable, REPOSITORY / "requirements" / "image.py", "--tag", tag]
    built = subprocess.run(build, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if built.returncode == _NO_BASE:
        raise NoContainersError(_end(built.stdout))
    if built.returncode:
        raise RunFailedError(f"the image cannot be built: {_end(built.stdout)}")
    return tag


def kfp_local_python() -> Path:
    """The interpreter of an environment that has kfp.local, made where it is not there as it is locked."""
    lock = REPOSITORY / "requirements" / "kfp-local.txt"
    environment = REPOSITORY / "build" / "kfp-local"
    installed, wanted = environment / "installed", hashlib.sha256(lock.read_bytes()).hexdigest()
    if not installed.exists() or installed.read_text() != wanted:
        uv = str(REPOSITORY / ".tools" / "bin" / "uv")
        make = [uv, "venv", "-q", "--clear", "--python", sys.executable, environment]
        fill = [uv, "pip", "sync", "-q", "--python", environment, "--compile-bytecode", "--require-hashes", lock]
        for command in (make, fill):
            subprocess.run(command, check=True)
        installed.write_text(wanted)
    return environment / "bin" / "python"


@dataclass(frozen=True)
class LocalRun:
    """A run that has ended.

    Attributes:
      place: the folder that has one of each component, named by what kfp.local leaves of its name: that of the node.
      printed: all that was printed.
      seconds: that each step took.

    """

    place: Path
    printed: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)

    def folder(self, task: str, key: str) -> Path:
        """Where an output of a step is."""
        return self.place / task / key

    def said(self, task: str, key: str) -> dict[str, Any]:
        """The properties of an artifact."""
        (found,) = json.loads((self.place / task / _FILE).read_text())["artifacts"][key]["artifacts"]
        properties: dict[str, Any] = found.get("metadata", {})
        return properties


def run(
    pipeline: Path,
    store: Path,
    parameters: Mapping[str, Any] | None = None,
    *,
    mounts: Sequence[str] = (),
    network: str = "none",
    environment: Mapping[str, str] | None = None,
    tell: Callable[[str, float], object] = lambda step, seconds: None,
) -> LocalRun:
    """Runs a compiled pipeline to its end.

    Args:
      pipeline: the YAML file.
      store: the folder that stands for the object store; containers have it under the same path.
      parameters: of the run.
      mounts: what containers see besides, `HOST:PATH` each.
      network: of the containers, "none" or "host".
      environment: of every container.
      tell: is told the name of each step that has succeeded, and how many seconds it took.

    Raises:
      RunFailedError: a step failed.

    """
    store.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        give_away(store)
    before = set(store.iterdir())
    command: list[str | Path] = [
        kfp_local_python(),
        Path(__file__).with_name("run_kfp_local.py"),
        pipeline,
        store,
        "--parameters",
        json.dumps(dict(parameters or {})),
        "--network",
        network,
        "--environment",
        json.dumps({**_WARNINGS, **same_arithmetic(), **(environment or {})}),
    ]
    for mount in mounts:
        command += ["--mount", mount]
    seconds: dict[str, float] = {}

    def told(step: str, took: float) -> None:
        seconds[step] = took
        tell(step, took)

    code, printed = _followed(command, told)
    new = [each for each in store.iterdir() if each not in before]
    if code or len(new) != 1:
        raise RunFailedError(f"kfp.local could not run {pipeline.name}: {_end(printed)}")
    return LocalRun(new[0], printed, seconds)


def _followed(command: Sequence[str | Path], tell: Callable[[str, float], object]) -> tuple[int, str]:
    """The exit code of a run of kfp.local, and all that it prints; it is followed while it runs."""
    lines, began = [], time.monotonic()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as ran:
        for line in ran.stdout or ():
            lines.append(line)
            event = _EVENT.search(_COLOUR.sub("", line))
            if event and event[1]:
                began = time.monotonic()
            elif event:
                tell(event[3], time.monotonic() - began)
    return ran.returncode, "".join(lines)


def give_away(folder: Path) -> None:
    """Lets the image's user write below a folder of root's."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, IMAGE_USER, IMAGE_USER, follow_symlinks=False)


def _end(text: str) -> str:
    return "\n".join(text.splitlines()[-25:])
