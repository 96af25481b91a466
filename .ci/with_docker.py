"""Runs a command with a Docker that answers: the one of this machine, or one of its own for as long as it runs.

    python3 .ci/with_docker.py make kfp-proof

A daemon of its own needs root and Debian's packages docker.io and debootstrap, which are installed where apt-get can.
It opens no network to its containers and writes no firewall rules: they use the machine's network or none. Images stay
in build/docker, so that the next run finds them. Where there can be no Docker, the command runs all the same, and what
needs Docker says so. Standard library only.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
DATA = REPO / "build" / "docker"
WAIT = 120  # seconds until the daemon must answer
PACKAGES = ("docker.io", "debootstrap")  # of Debian


class NoDockerError(Exception):
    """Why there is none, in one sentence."""


def answers(host=None):
    """Whether a Docker answers, at the address of the environment or at another."""
    environment = {**os.environ, **({"DOCKER_HOST": host} if host else {})}
    try:
        asked = ["docker", "version", "--format", "{{.Server.Version}}"]
        return subprocess.run(asked, env=environment, capture_output=True, timeout=60, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def install():
    """Debian's Docker, and what makes a base image of Debian's packages."""
    missing = [name for name in ("dockerd", "docker", "debootstrap") if not shutil.which(name)]
    if not missing:
        return
    if os.geteuid() or not shutil.which("apt-get"):
        raise NoDockerError(
            f"no Docker answers, and {' and '.join(missing)} can be installed by root with apt-get only"
        )
    say(f"installing {' and '.join(PACKAGES)}, for no Docker answers here")
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *PACKAGES]):
        done = subprocess.run(["apt-get", *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            raise NoDockerError(f"{' and '.join(PACKAGES)} could not be installed")


@contextmanager
def daemon():
    """The address of a daemon of our own. Raises `NoDockerError` where it does not come up."""
    if os.geteuid():
        raise NoDockerError("no Docker answers, and only root can start one")
    say("starting a Docker daemon, which ends with what it is for")
    DATA.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="dk", dir="/tmp") as folder:  # a socket has a short path
        host = f"unix://{folder}/docker.sock"
        command = ["dockerd", "--host", host, "--data-root", DATA, "--exec-root", f"{folder}/exec"]
        # overlay2 or nothing: without it every layer of three gigabytes would be copied
        command += ["--pidfile", f"{folder}/pid", "--iptables=false", "--bridge=none", "--storage-driver=overlay2"]
        log = Path(folder, "log")
        with log.open("w") as output:
            process = subprocess.Popen([str(word) for word in command], stdout=output, stderr=output)
        try:
            wait_for(process, host, log)
            yield host
        finally:
            process.terminate()
            process.wait()
            unmount(folder)


def unmount(folder):
    """Takes away what an ended daemon leaves mounted: the network of containers that use the machine's own."""
    mounted = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for place in reversed([place for place in mounted if place.startswith(f"{folder}/")]):
        subprocess.run(["umount", place], check=True)


def wait_for(process, host, log):
    deadline = time.monotonic() + WAIT
    while not answers(host):
        if process.poll() is not None or time.monotonic() > deadline:
            lines = log.read_text(errors="replace").splitlines() or ["it said nothing"]
            raise NoDockerError(f"no Docker answers, and dockerd does not come up here: {lines[-1]}")
        time.sleep(0.2)


def say(text):
    print(f"with_docker: {text}", file=sys.stderr, flush=True)


def run(command, **environment):
    return subprocess.run(command, env={**os.environ, **environment}, check=False).returncode


def main(command):
    if answers():
        return run(command)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the daemon ends with us
    try:
        install()
        with daemon() as host:
            return run(command, DOCKER_HOST=host)
    except NoDockerError as error:
        say(str(error))
        return run(command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) if len(sys.argv) > 1 else __doc__)
