"""The proxy for everything over gRPC: bytes go through, and Predict, Classify and KServe's ModelInfer are logged.

A message is whole before it is handed on, as gRPC has it. Metadata, deadlines, cancellation, status and trailing
metadata are the other side's; only the user agent is the proxy's own, for gRPC lets nobody set it by call.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any

import grpc

from components.common.errors import require

from ..listening import add_grpc_port
from ..protocols.v2_grpc import METHOD as INFER
from .counters import QUEUE_FULL, SAMPLED_OUT, TOO_LARGE
from .heads import REQUEST_ID, new_id, usable_id
from .taken import Log, Record

_SERVICE = "/tensorflow.serving.PredictionService/"
_LOGGED = {f"{_SERVICE}Predict": "grpc_predict", f"{_SERVICE}Classify": "grpc_classify", INFER: "grpc_infer"}
# Methods with one message each way, which costs less than a stream of one; any other method is handed on as streams.
_UNARY = {
    "tensorflow.serving.PredictionService": ("Predict", "Classify", "Regress", "MultiInference", "GetModelMetadata"),
    "tensorflow.serving.ModelService": ("GetModelStatus", "HandleReloadConfigRequest"),
    "inference.GRPCInferenceService": (
        "ModelInfer",
        "ServerLive",
        "ServerReady",
        "ModelReady",
        "ServerMetadata",
        "ModelMetadata",
    ),
    "grpc.health.v1.Health": ("Check",),
}
_UNARY_METHODS = frozenset(f"/{service}/{name}" for service, names in _UNARY.items() for name in names)
_ID = REQUEST_ID.decode()
_BYTES_BOTH_WAYS = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1))
_OF_THE_CALL = (*_BYTES_BOTH_WAYS, ("grpc.enable_retries", 0), ("grpc.max_reconnect_backoff_ms", 1000),
                ("grpc.initial_reconnect_backoff_ms", 100), ("grpc.min_reconnect_backoff_ms", 100),
                ("grpc.max_metadata_size", 1 << 16))  # fmt: skip
_OF_THE_SERVER = (*_BYTES_BOTH_WAYS, ("grpc.so_reuseport", 0), ("grpc.max_metadata_size", 1 << 16))
_MOST_STREAMS = 64  # messages of so many streams are waited for at a time
_READY = grpc.ChannelConnectivity.READY


class GrpcProxy:
    """Accepts calls and forwards them to one model server.

    Attributes:
      port: where it listens.

    """

    def __init__(self, target: str, log: Log, put: Callable[[Record], None]) -> None:
        require(re.fullmatch(r"[^/\s]+:[0-9]+", target) is not None, "--grpc-upstream", "be HOST:PORT", target)
        self.port = 0
        self._target, self._log, self._put = target, log, put
        self._client_key = log.client_header.lower()
        self._channel = grpc.aio.insecure_channel(target, options=_OF_THE_CALL)
        self._unary = {method: self._channel.unary_unary(method) for method in _UNARY_METHODS}
        # grpc.aio may say INTERNAL of a stream that the server refuses while its first message is being sent
        # (measured with 1.85 under uvloop); streams, which no method of TensorFlow Serving is, go by the other channel
        self._streams = grpc.insecure_channel(target, options=_OF_THE_CALL)
        self._threads = ThreadPoolExecutor(_MOST_STREAMS, "proxy-streams")
        self._server = grpc.aio.server(handlers=(_Handlers(self),), options=_OF_THE_SERVER)

    async def start(self, host: str, port: int) -> None:
        """Listens. Raises `MonitorError` when it cannot have the address."""
        self.port = add_grpc_port(self._server, host, port)
        await self._server.start()

    async def drain(self, seconds: float) -> None:
        """Takes no more calls and waits for those under way; what is not answered within the time is given up."""
        await self._server.stop(seconds)
        await self._channel.close()
        self._streams.close()
        self._threads.shutdown(wait=False)

    async def unary(self, method: str, request: bytes, context: Any) -> bytes:
        """One message each way."""
        began, started, status = time.time(), time.perf_counter(), "OK"
        metadata, request_id = _handed_on(context.invocation_metadata())
        call = self._unary[method](request, metadata=metadata, timeout=_left(context))
        try:
            response: bytes = await call
        except grpc.aio.AioRpcError as error:
            status = error.code().name
            await self._begin(context, error.initial_metadata())
            await self._fail(context, error, request_id)
            raise
        except BaseException:  # the client does not wait any more, or its time is over
            call.cancel()
            status = "CANCELLED"
            self._log.counters.client_gone += 1
            raise
        else:
            await self._begin(context, await call.initial_metadata())
            context.set_trailing_metadata(_with_id(await call.trailing_metadata(), request_id))
        finally:
            self._log.counters.answered("grpc", status, time.perf_counter() - started)
        if method in _LOGGED:
            self._take(_LOGGED[method], request, response, request_id, began, context)
        return response

    async def stream(self, method: str, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        """Any number of messages each way, of a method that is not known here."""
        started, status, loop = time.perf_counter(), "CANCELLED", asyncio.get_running_loop()
        metadata, request_id = _handed_on(context.invocation_metadata())
        pulled = _Pulled(requests, loop)
        call = self._streams.stream_stream(method)(pulled, metadata=metadata, timeout=_left(context))
        try:
            await self._begin(context, await loop.run_in_executor(self._threads, call.initial_metadata))
            while (response := await loop.run_in_executor(self._threads, next, call, None)) is not None:
                yield response
            status = call.code().name
            context.set_trailing_metadata(_with_id(call.trailing_metadata(), request_id))
        except grpc.RpcError as error:
            status = error.code().name
            await self._fail(context, error, request_id)
        finally:
            call.cancel()
            pulled.end()
            self._log.counters.answered("grpc", status, time.perf_counter() - started)

    async def _begin(self, context: Any, initial: Any) -> None:
        """The server's first metadata, where it has any: without, gRPC's own go with the answer, which is faster."""
        if initial:
            await context.send_initial_metadata(tuple(initial))

    async def _fail(self, context: Any, error: Any, request_id: bytes) -> None:
        """The server's status, or a sentence of why there is none."""
        details = error.details() or ""
        if error.code() is grpc.StatusCode.UNAVAILABLE and self._channel.get_state() is not _READY:
            self._log.counters.upstream_failures += 1
            details = f"The model server at {self._target} cannot be reached: {details}"
        await context.abort(error.code(), details, _with_id(error.trailing_metadata(), request_id))

    def _take(  # noqa: PLR0913, PLR0917 - all that is known of a call
        self, api: str, request: bytes, response: bytes, request_id: bytes, began: float, context: Any
    ) -> None:
        log, size = self._log, len(request) + len(response)
        counters, largest = log.counters, max(len(request), len(response))
        counters.to_log += 1
        if not log.sampler.takes():
            counters.lost[SAMPLED_OUT] += 1
        elif largest > log.limits.body_bytes:
            counters.lost[TOO_LARGE] += 1
        elif not log.budget.take(size):
            counters.lost[QUEUE_FULL] += 1
        else:
            client = log.client(_value(context.invocation_metadata(), self._client_key))
            words = {"api": api, "model": "", "id": request_id.decode(), "client": client, "time": began}
            self._put(Record(words, [request], [response], size))


class _Pulled:
    """The messages of a client, for a thread that takes one after the other."""

    def __init__(self, requests: AsyncIterator[bytes], loop: asyncio.AbstractEventLoop) -> None:
        self._requests, self._loop = requests, loop
        self._next: Future[bytes | None] | None = None

    def __iter__(self) -> "_Pulled":
        return self

    def __next__(self) -> bytes:
        self._next = asyncio.run_coroutine_threadsafe(self._take(), self._loop)
        try:
            request = self._next.result()
        except CancelledError:
            request = None
        if request is None:
            raise StopIteration
        return request

    def end(self) -> None:
        """Nobody wants any more."""
        if self._next is not None:
            self._next.cancel()

    async def _take(self) -> bytes | None:
        return await anext(self._requests, None)


class _Handlers(grpc.GenericRpcHandler):
    """Every method there is, as bytes."""

    def __init__(self, proxy: GrpcProxy) -> None:
        self._proxy = proxy

    def service(self, handler_call_details: Any) -> Any:
        method, proxy = handler_call_details.method, self._proxy
        if method in _UNARY_METHODS:

            async def unary(request: bytes, context: Any) -> bytes:
                return await proxy.unary(method, request, context)

            return grpc.unary_unary_rpc_method_handler(unary)

        async def stream(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
            async for response in proxy.stream(method, requests, context):
                yield response

        return grpc.stream_stream_rpc_method_handler(stream)


def _handed_on(metadata: Any) -> tuple[tuple[tuple[str, Any], ...], bytes]:
    """The client's metadata with a request id, and the id that the log gets."""
    sent = tuple((key, value) for key, value in metadata if key != "user-agent" and not _is_reserved(key))
    given = _value(sent, _ID)
    request_id = given if given is not None and usable_id(given) else new_id()
    return (sent if given is not None else (*sent, (_ID, request_id.decode()))), request_id


def _with_id(trailing: Any, request_id: bytes) -> tuple[tuple[str, Any], ...]:
    """The server's last metadata, and the id where it says none."""
    sent = tuple(trailing or ())
    return sent if any(key == _ID for key, _ in sent) else (*sent, (_ID, request_id.decode("latin-1")))


def _is_reserved(key: str) -> bool:
    """Whether gRPC itself sets it, by the call's own deadline, coding and so on."""
    return key.startswith((":", "grpc-")) and not key.endswith("-bin")


def _value(metadata: Any, wanted: str) -> bytes | None:
    value = next((value for key, value in metadata if key == wanted), None) if wanted else None
    return value.encode() if isinstance(value, str) else value


def _left(context: Any) -> float | None:
    """Seconds until the client's deadline; None where it has none."""
    left = context.time_remaining()
    return None if left is None or left > 1e8 else left
