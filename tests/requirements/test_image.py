"""The image has all that pyproject.toml packs, and nothing runs there as root; where no Docker is, it is said.

That the image is built and runs pipelines is for tests/kubeflow/test_containers.py.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()
WITH_DOCKER = REPOSITORY / ".ci" / "with_docker.py"


def test_the_image_has_every_package():
    project = (REPOSITORY / "pyproject.toml").read_text()
    packed = re.search(r"^include = \[(.*)\]", project, re.MULTILINE)[1]
    packages = {name.strip('"*') for name in packed.split(", ")}
    copied = set(re.findall(r"^COPY (\w+) \1$", DOCKERFILE, re.MULTILINE))
    allowed = set(re.findall(r"^!(\w+)$", (REPOSITORY / ".dockerignore").read_text(), re.MULTILINE))
    assert packages == copied == allowed


def test_the_last_stage_has_no_compiler_and_no_root():
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert "apt-get" not in last
    assert re.search(r"^USER 1000$", last, re.MULTILINE)


def test_what_decides_the_requirements_is_read_before_the_settings_of_tools():
    """They change more often than requirements do, and would have gigabytes made anew."""
    names = re.findall(r"^\[(\w+)", (REPOSITORY / "pyproject.toml").read_text(), re.MULTILINE)
    assert set(names[names.index("tool") :]) == {"tool"}


def test_without_docker_the_command_runs_and_why_is_said(tmp_path):
    for name in ("sh", "env"):
        (tmp_path / name).symlink_to(f"/bin/{name}")
    environment = {**os.environ, "PATH": str(tmp_path)}
    command = [sys.executable, WITH_DOCKER, "sh", "-c", "echo ran; exit 7"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (7, "ran\n")
    assert done.stderr.startswith("with_docker: no Docker answers, and dockerd and docker and debootstrap can be")
    assert len(done.stderr.splitlines()) == 1


def test_a_base_that_cannot_be_had_is_one_sentence(tmp_path):
    environment = {**os.environ, "PATH": str(tmp_path)}
    command = [sys.executable, REPOSITORY / "requirements" / "image.py"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stderr == "image: Docker's client is not installed\n"


def test_kfp_local_is_locked_by_hashes():
    text = (REPOSITORY / "requirements" / "kfp-local.txt").read_text()
    packages = re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE)
    assert {"kfp", "docker"} <= set(packages)
    assert len(re.findall(r"^[a-z0-9-]+==\S+ \\\n    --hash=sha256:", text, re.MULTILINE)) == len(packages)
