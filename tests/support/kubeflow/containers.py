"""Compiled pipelines in real containers: Docker where it answers, the project's image, and Kubeflow's own `kfp.local`.

What a run leaves is a folder, which stands for the object store; that is all that containers see of the machine.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.common.errors import MonitorError
from pipelines.runners.project_version import project_version

REPOSITORY = Path(__file__).resolve().parents[3]
IMAGE_USER = 1000  # of the Dockerfile
_NO_BASE = 3  # exit code of requirements/image.py
_CUT = len("comp-")  # characters that kfp.local takes from a component's name


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
    """A run that has ended: the folder with a folder of each component, named by what kfp.local leaves of its name."""

    folder: Path
    printed: str

    def artifact(self, component: str, key: str) -> Path:
        """Where an output of a component is."""
        return self.folder / component[_CUT:] / key


def run(
    pipeline: Path,
    store: Path,
    parameters: Mapping[str, Any] | None = None,
    *,
    mounts: Sequence[str] = (),
    network: str = "none",
    environment: Mapping[str, str] | None = None,
) -> LocalRun:
    """Runs a compiled pipeline to its end.

    Args:
      pipeline: the YAML file.
      store: the folder that stands for the object store; containers have it under the same path.
      parameters: of the run.
      mounts: what containers see besides, `HOST:PATH` each.
      network: of the containers, "none" or "host".
      environment: of every container.

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
        json.dumps({"PYTHONWARNINGS": "ignore", "TF_CPP_MIN_LOG_LEVEL": "2", **(environment or {})}),
    ]
    for mount in mounts:
        command += ["--mount", mount]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    new = [each for each in store.iterdir() if each not in before]
    if done.returncode or len(new) != 1:
        raise RunFailedError(f"kfp.local could not run {pipeline.name}: {_end(done.stdout)}")
    return LocalRun(new[0], done.stdout)


def give_away(folder: Path) -> None:
    """Lets the image's user write below a folder of root's."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, IMAGE_USER, IMAGE_USER, follow_symlinks=False)


def _end(text: str) -> str:
    return "\n".join(text.splitlines()[-25:])
