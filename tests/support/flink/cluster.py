"""A Flink cluster on this machine, of processes of its own: one job manager and some task managers, with Beam's runner.

There are no scripts of Flink's: `jars.py` has its modules, and this starts their main classes as the scripts would.
"""

import contextlib
import json
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.flink.jars import Jars

SLOTS = 4  # of a task manager: when another one is killed, one takes all of a job
_OPENED = (
    "java.lang", "java.net", "java.io", "java.nio", "sun.nio.ch", "java.lang.reflect", "java.text", "java.time",
    "java.util", "java.util.concurrent", "java.util.concurrent.atomic", "java.util.concurrent.locks",
)  # fmt: skip
_MAIN = {
    "jobmanager": "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint",
    "taskmanager": "org.apache.flink.runtime.taskexecutor.TaskManagerRunner",
}
_SECONDS = 300  # within which the cluster is up, on a machine with much else to do


@dataclass
class Cluster:
    """A running cluster.

    Attributes:
      master: HOST:PORT of its REST interface, for `--flink_master`.
      jar: what is submitted with a pipeline in it, for `--flink_job_server_jar`.
      job_manager: its process.
      task_managers: theirs, those that were killed too.

    """

    folder: Path
    master: str
    jar: Path
    classpath: str
    job_manager: subprocess.Popen[bytes] = field(init=False)
    task_managers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def beam_args(self, *others: str) -> list[str]:
        """Beam's options for a pipeline that runs here."""
        return [
            "--runner=FlinkRunner",
            f"--flink_master={self.master}",
            "--flink_submit_uber_jar",
            f"--flink_job_server_jar={self.jar}",
            f"--parallelism={SLOTS}",
            "--sdk_container_image=unused",
            "--pickle_library=cloudpickle",
            *others,
        ]

    def add_task_manager(self) -> None:
        """Starts one more."""
        self.task_managers.append(self._start("taskmanager"))

    def kill(self, number: int) -> None:
        """Kills a task manager, which has no chance to say good-bye."""
        self.task_managers[number].send_signal(signal.SIGKILL)
        self.task_managers[number].wait()

    def get(self, path: str) -> Any:
        """What the REST interface says."""
        with urllib.request.urlopen(f"http://{self.master}{path}", timeout=10) as answer:
            return json.load(answer)

    def restarts(self) -> int:
        """How many times parts of the last job were started again."""
        (job, *_) = sorted(self.get("/jobs/overview")["jobs"], key=lambda each: -each["start-time"])
        vertices = self.get(f"/jobs/{job['jid']}")["vertices"]
        tasks = (self.get(f"/jobs/{job['jid']}/vertices/{vertex['id']}")["subtasks"] for vertex in vertices)
        return max(task["attempt"] for subtasks in tasks for task in subtasks)

    def wait_for(self, task_managers: int) -> None:
        """Waits until the cluster has so many task managers."""
        until = time.monotonic() + _SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                if self.get("/overview")["taskmanagers"] == task_managers:
                    return
            time.sleep(0.2)
        raise TimeoutError(f"Flink has not {task_managers} task managers after {_SECONDS} seconds: see {self.folder}")

    def _start(self, what: str) -> subprocess.Popen[bytes]:
        number = len(self.task_managers)
        opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED]
        command = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", *opened, "-cp", self.classpath]
        command += ["--add-exports=java.base/sun.net.util=ALL-UNNAMED", "-Dorg.slf4j.simpleLogger.showDateTime=true"]
        log = (self.folder / f"{what}-{number}.log").open("wb")
        with log:
            return subprocess.Popen(
                [*command, _MAIN[what], "--configDir", str(self.folder)], stdout=log, stderr=subprocess.STDOUT
            )


@contextlib.contextmanager
def flink_cluster(folder: Path, jars: Jars, task_managers: int = 2) -> Iterator[Cluster]:
    """A cluster whose files are in `folder`; it is stopped behind the block."""
    rpc, rest = free_ports(2)
    for name in ("tmp", "upload"):
        (folder / name).mkdir(parents=True)
    settings = _settings(folder, rpc, rest)
    (folder / "flink-conf.yaml").write_text("".join(f"{key}: {value}\n" for key, value in settings.items()))
    cluster = Cluster(folder, f"127.0.0.1:{rest}", jars.submitted, jars.classpath)
    cluster.job_manager = cluster._start("jobmanager")
    try:
        for _ in range(task_managers):
            cluster.add_task_manager()
        cluster.wait_for(task_managers)
        yield cluster
    finally:
        for process in (*cluster.task_managers, cluster.job_manager):
            process.kill()
            process.wait()
        shutil.rmtree(folder / "tmp")


def process_workers(folder: Path) -> list[str]:
    """Beam's options for workers that are processes of this environment; their command is written into `folder`."""
    worker = folder / "worker"
    command = [sys.executable, "-m", "pipelines.runners.beam_worker"]
    root = shlex.quote(str(Path(__file__).parents[3]))
    worker.write_text(f'#!/bin/sh\nPYTHONPATH={root} exec {shlex.join(command)} "$@"\n')
    worker.chmod(0o755)
    return ["--environment_type=PROCESS", f"--environment_config={json.dumps({'command': str(worker)})}"]


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _settings(folder: Path, rpc: int, rest: int) -> dict[str, Any]:
    """Of `flink-conf.yaml`. What Flink's scripts work out of the whole memory has to be said by us."""
    return {
        "jobmanager.rpc.address": "127.0.0.1",
        "jobmanager.bind-host": "127.0.0.1",
        "jobmanager.rpc.port": rpc,
        "rest.address": "127.0.0.1",
        "rest.bind-address": "127.0.0.1",
        "rest.port": rest,
        "taskmanager.host": "127.0.0.1",
        "taskmanager.bind-host": "127.0.0.1",
        "taskmanager.numberOfTaskSlots": SLOTS,
        "taskmanager.cpu.cores": 1,
        "taskmanager.memory.framework.heap.size": "128m",
        "taskmanager.memory.framework.off-heap.size": "128m",
        "taskmanager.memory.task.heap.size": "256m",
        "taskmanager.memory.task.off-heap.size": "0",
        "taskmanager.memory.managed.size": "128m",
        # With less, jobs of some thirty steps stop for want of network buffers.
        "taskmanager.memory.network.min": "256m",
        "taskmanager.memory.network.max": "256m",
        "taskmanager.network.sort-shuffle.min-buffers": 64,
        "taskmanager.memory.jvm-metaspace.size": "256m",
        "taskmanager.memory.jvm-overhead.min": "128m",
        "taskmanager.memory.jvm-overhead.max": "128m",
        "cluster.evenly-spread-out-slots": "true",
        # Each part of a job that was on a killed task manager is an attempt.
        "restart-strategy": "fixed-delay",
        "restart-strategy.fixed-delay.attempts": 10,
        "restart-strategy.fixed-delay.delay": "1 s",
        "akka.ask.timeout": "60 s",  # of a machine with much else to do; when it is over, a job is begun again
        "heartbeat.interval": 1000,
        "heartbeat.timeout": 60000,
        "io.tmp.dirs": folder / "tmp",
        "web.tmpdir": folder / "tmp",
        "web.upload.dir": folder / "upload",
    }
