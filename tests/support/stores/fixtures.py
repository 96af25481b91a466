"""A store on this machine, and a bucket in it: for conftests to import."""

import os
from collections.abc import Iterator

import pytest

from .running import RunningStore, running_store, without_stores


@pytest.fixture(scope="session")
def store() -> Iterator[RunningStore]:
    with running_store() as found:
        yield found


@pytest.fixture
def bucket(store: RunningStore, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a new bucket, which this process can reach."""
    for key in set(os.environ) - set(without_stores()):
        monkeypatch.delenv(key)
    for key, value in store.environment.items():
        monkeypatch.setenv(key, value)
    return f"s3://{store.make_bucket()}"
