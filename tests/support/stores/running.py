"""A store that tests start, and its buckets."""

import contextlib
import http.client
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

_KEYS = {"AWS_ACCESS_KEY_ID": "tester", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}
# What a machine may have set already, and a test must not see.
_OTHERS = ("AWS_", "MINIO_", "GOOGLE_", "STORAGE_EMULATOR_HOST")
_SIGNED = "AWS4-HMAC-SHA256 Credential=tester/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"


@dataclass
class RunningStore:
    """A store that listens on a port of this machine."""

    port: int
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which it is found."""
        return environment(self.port)

    def make_bucket(self, name: str = "") -> str:
        """The name of a new bucket."""
        name = name or f"bucket-{next(self._numbers)}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("PUT", f"/{name}", headers={"Authorization": _SIGNED})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        connection.close()
        return name


def environment(port: int) -> dict[str, str]:
    """The variables of a process by which it finds the store behind a port of this machine, and no other."""
    return {**_KEYS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "HOME": "/nonexistent"}


def without_stores() -> dict[str, str]:
    """The variables of this process, but those that say where stores are and who asks."""
    return {key: value for key, value in os.environ.items() if not key.startswith(_OTHERS)}


@contextlib.contextmanager
def running_store() -> Iterator[RunningStore]:
    """A store, from when it listens until it is not needed any more."""
    command = [sys.executable, "-m", "tests.support.stores.server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield RunningStore(int(process.stdout.readline()))
        process.communicate()  # closes its input, with which it ends
