"""Stores that tests start on this machine, and their buckets."""

import contextlib
import http.client
import itertools
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

_KEYS = {"AWS_ACCESS_KEY_ID": "tester", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}
# What a machine may have set already, and a test must not see.
_OTHERS = ("AWS_", "MINIO_", "GOOGLE_", "STORAGE_EMULATOR_HOST")
_SIGNED = "AWS4-HMAC-SHA256 Credential=tester/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
_SECONDS = 60
# A server of S3 that people run, in front of folders: `make build/versitygw` makes it, where there is Go.
GATEWAY = Path(__file__).parents[3] / "build" / "versitygw"


@dataclass
class RunningStore:
    """A store that listens on a port of this machine.

    Attributes:
      port: where.
      make: makes a bucket of a name.
      scheme: of the addresses in it.

    """

    port: int
    make: Callable[[str], object] = field(repr=False)
    scheme: str = "s3"
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1), repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which it is found."""
        return environment(self.port)

    def make_bucket(self, name: str = "") -> str:
        """Makes a bucket, and gives its name: the one that is given, or a new one."""
        name = name or f"bucket-{next(self._numbers)}"
        self.make(name)
        return name


def environment(port: int) -> dict[str, str]:
    """The variables of a process by which it finds the store behind a port of this machine, and no other."""
    here = f"http://127.0.0.1:{port}"
    return {**_KEYS, "AWS_ENDPOINT_URL": here, "STORAGE_EMULATOR_HOST": here, "HOME": "/nonexistent"}


def without_stores() -> dict[str, str]:
    """The variables of this process, but those that say where stores are and who asks."""
    return {key: value for key, value in os.environ.items() if not key.startswith(_OTHERS)}


def running_store() -> AbstractContextManager[RunningStore]:
    """A store in memory that is asked as S3 is, from when it listens until it is not needed any more."""
    return _running("server", "s3")


def running_google() -> AbstractContextManager[RunningStore]:
    """The same of one that is asked as Google Cloud Storage is."""
    return _running("google_server", "gs")


@contextlib.contextmanager
def _running(module: str, scheme: str) -> Iterator[RunningStore]:
    command = [sys.executable, "-m", f"tests.support.stores.{module}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        yield RunningStore(port, lambda name: _put_bucket(port, name), scheme)
        process.communicate()  # closes its input, with which it ends


@contextlib.contextmanager
def running_gateway() -> Iterator[RunningStore]:
    """The same of `GATEWAY`, in front of a folder that is gone afterwards. It checks who asks."""
    with tempfile.TemporaryDirectory(prefix="store-") as folder:
        port = _free_port()
        who = ["--access", _KEYS["AWS_ACCESS_KEY_ID"], "--secret", _KEYS["AWS_SECRET_ACCESS_KEY"]]
        command = [str(GATEWAY), *who, "--port", f"127.0.0.1:{port}", "--quiet", "posix", folder]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            try:
                _wait_for(port)
                yield RunningStore(port, lambda name: Path(folder, name).mkdir())
            finally:
                process.kill()


def _put_bucket(port: int, name: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    connection.request("PUT", f"/{name}", headers={"Authorization": _SIGNED})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    connection.close()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_for(port: int) -> None:
    end = time.monotonic() + _SECONDS
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert time.monotonic() < end, "the store does not listen"
            time.sleep(0.01)
