"""A model server that always gives the same answer, as fast as Python does: what a proxy costs shows best beside it.

    python -m benchmarks.live.fixed_server ANSWER  # over gRPC, in base64

Prints the ports of REST and of gRPC, and answers until it is ended.
"""

import asyncio
import base64
import json
import sys

import grpc
import uvloop

from model_monitor.serving.proxy.heads import response_head
from tests.support.scripted_server import metadata

CLASSES = 10
IMAGES = 100
_SCORES = [[0.1] * CLASSES] * IMAGES


class _Rest(asyncio.Protocol):
    """Takes requests with a length, one after the other."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._wanted, self._head = transport, 0, b""

    def data_received(self, data: bytes) -> None:
        if self._wanted:
            self._wanted -= len(data)
        else:
            head, found, body = (self._head + data).partition(b"\r\n\r\n")
            if not found:
                self._head = head
                return
            self._head = b""
            self._answer = _METADATA[head[len(b"GET /v1/models/") :][:1]] if head.startswith(b"GET ") else _ANSWER
            lower = head.lower()
            at = lower.find(b"content-length: ")
            length = int(lower[at + 16 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            self._wanted = length - len(body)
        if self._wanted == 0:
            self._transport.write(self._answer)


def _answer(body: bytes) -> bytes:
    headers = [(b"Content-Type", b"application/json"), (b"Content-Length", str(len(body)).encode())]
    return response_head(200, b"OK", headers) + body


_ANSWER = _answer(json.dumps({"predictions": _SCORES}).encode())
# By the name of the model: `m` takes numbers, `s` files.
_METADATA = {
    name: _answer(metadata(7, inputs={"image": kind}, outputs={"probabilities": "DT_FLOAT"}))
    for name, kind in ((b"m", "DT_UINT8"), (b"s", "DT_STRING"))
}


class _Grpc(grpc.GenericRpcHandler):
    def service(self, details):
        async def answer(request, context):
            return GRPC_ANSWER

        return grpc.unary_unary_rpc_method_handler(answer)


GRPC_ANSWER = base64.b64decode(sys.argv[1])


async def main() -> None:
    loop = asyncio.get_running_loop()
    rest = await loop.create_server(_Rest, "127.0.0.1", 0)
    server = grpc.aio.server(handlers=(_Grpc(),), options=(("grpc.max_receive_message_length", -1),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(rest.sockets[0].getsockname()[1], port, flush=True)
    await rest.serve_forever()


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(main())
