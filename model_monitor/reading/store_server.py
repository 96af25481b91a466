"""ML Metadata over gRPC, to be read: the service `metadata-grpc-service` of Kubeflow Pipelines, or any other."""

import os
import re
import threading
from typing import Any

from ml_metadata import errors, metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.common.errors import MonitorError, require

SCHEME = "kfp"
DEFAULT_PORT = 8080  # of `metadata-grpc-service`
_ADDRESS = re.compile(r"kfp://(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?/?", re.ASCII)
_LAST_PORT = 65535
_FIRST_SECONDS, _SECONDS = 10.0, 60.0  # how long the first answer may take, and each of the others
_LARGEST = 128 << 20  # bytes of an answer; a run of Kubeflow's has a few hundred thousand
_MOST_PAGES = 10_000  # of one answer, a hundred executions each
_READS = "Get"  # how the names of methods begin that change nothing
_HOW = "`kubectl port-forward -n kubeflow svc/metadata-grpc-service 8080:8080` brings that of a cluster here"


def is_server(store: object) -> bool:
    """Whether a store is named by an address, and is no file.

    >>> is_server("kfp://localhost:8080"), is_server("/runs/metadata.sqlite")
    (True, False)
    """
    return "://" in str(store)


def open_server(address: str) -> metadata_store.MetadataStore:
    """The store behind an address such as `kfp://localhost:8080`, once it has answered. It refuses to write.

    Raises:
      MonitorError: that is no such address, nobody answers there soon, or it is no ML Metadata.

    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        rule = "be a SQLite file, or kfp://HOST:PORT of ML Metadata's gRPC service"
        raise MonitorError(f"`--store` must {rule}. Received: {address!r}")
    port = int(found["port"] or DEFAULT_PORT)
    require(0 < port <= _LAST_PORT, "--store", "have a port in 1 .. 65535", address)
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # it tells of connections that end, on the terminal
    store = ServedStore(found["host"], port)
    try:
        store.get_context_types()
    except errors.UnimplementedError as error:
        raise MonitorError(f"{address} must be ML Metadata's gRPC service. Received: {said(error)}") from error
    except errors.StatusError as error:
        raise MonitorError(f"{address} cannot be reached: {said(error)}; {_HOW}") from error
    store.wait = _SECONDS
    return store


class ServedStore(metadata_store.MetadataStore):
    """A client that only asks, and never for ever."""

    def __init__(self, host: str, port: int) -> None:
        self._asking = threading.local()
        config = mlmd.MetadataStoreClientConfig(host=host, port=port, client_timeout_sec=_FIRST_SECONDS)
        config.channel_arguments.max_receive_message_length = _LARGEST
        super().__init__(config)

    @property
    def wait(self) -> float:
        """Seconds that an answer may take."""
        return float(self._grpc_timeout_sec)

    @wait.setter
    def wait(self, seconds: float) -> None:
        self._grpc_timeout_sec = seconds

    def _call_method(self, method_name: str, request: Any, response: Any) -> None:
        """Called for every question. Raises `MonitorError` for what would write, or an answer without an end."""
        if not method_name.startswith(_READS):
            raise MonitorError(f"The store of a server is only read. Received: {method_name}")
        options = getattr(request, "options", None)
        follows = bool(getattr(options, "next_page_token", ""))
        self._asking.pages = getattr(self._asking, "pages", 0) + 1 if follows else 0
        if self._asking.pages > _MOST_PAGES:
            raise MonitorError(f"{method_name} must be answered in {_MOST_PAGES:,} pages. Received: more")
        super()._call_method(method_name, request, response)


def said(error: Exception) -> str:
    """The first line of an error of ML Metadata."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
