"""The gRPC service of ML Metadata on this machine, in front of ML Metadata's own store: what a cluster has of it."""

import contextlib
import threading
from collections.abc import Iterator
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from ml_metadata.metadata_store.pywrap.metadata_store_extension import metadata_store as cc_store
from ml_metadata.proto import metadata_store_pb2 as mlmd
from ml_metadata.proto import metadata_store_service_pb2 as service

_SERVICE = service.DESCRIPTOR.services_by_name["MetadataStoreService"]
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_LARGEST = 1 << 27  # bytes of a message


@dataclass
class Server:
    """A server and what it was asked.

    Attributes:
      port: of 127.0.0.1.
      asked: the names of the methods that were called, in their order.

    """

    port: int = 0
    asked: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


@contextlib.contextmanager
def serving(path: Path | None = None) -> Iterator[Server]:
    """Serves the store in a SQLite file, made where it is not there, or else one in memory, on a port that is free."""
    config = mlmd.ConnectionConfig()
    config.fake_database.SetInParent()
    if path is not None:
        config.sqlite.filename_uri = str(path)
        config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    store = cc_store.CreateMetadataStore(config.SerializeToString(), mlmd.MigrationOptions().SerializeToString())
    lock, server = threading.Lock(), Server()

    def answering(name: str) -> grpc.RpcMethodHandler:
        ask = getattr(cc_store, name)

        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            with lock:
                server.asked.append(name)
                response, message, code = ask(store, request)
            if code:
                context.abort(_CODES[code], message.decode())
            return response

        return grpc.unary_unary_rpc_method_handler(answer)

    methods = {method.name: answering(method.name) for method in _SERVICE.methods if hasattr(cc_store, method.name)}
    running = grpc.server(
        futures.ThreadPoolExecutor(4),
        handlers=[grpc.method_handlers_generic_handler(_SERVICE.full_name, methods)],
        options=[("grpc.max_receive_message_length", _LARGEST), ("grpc.so_reuseport", 0)],
    )
    server.port = running.add_insecure_port("127.0.0.1:0")
    running.start()
    try:
        yield server
    finally:
        running.stop(grace=None).wait()
