"""What `model-monitor proxy` adds to the time of a request: the same load on the bare server and on the proxy by turns.

    python -m benchmarks.live.proxy_overhead

Requests are sent at a fixed rate, whatever the answers before take, over eight connections; a request's time is from
its first byte to the answer's last. Load, server, proxy and the process that logs share this machine. Bare and proxied
rounds alternate; the table has the median over rounds of each round's median and 99th percentile, and of the difference
between a proxied round and the bare one before it. `CPU ms` is the processor time that the proxy's process, without the
one that logs, took for a request: it repeats also where the machine has other work. `logged` is the proportion of the
requests that came to a log; the others are counted as lost, most of them because logging is slower than the traffic.
"""

import argparse
import asyncio
import base64
import io
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
import uvloop
from PIL import Image
from tensorflow_serving.apis import predict_pb2

from benchmarks.processor_time import cpu_seconds

CONNECTIONS = 8
PREDICT = "/tensorflow.serving.PredictionService/Predict"
Ask = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Case:
    """What is sent: over which protocol, how many images a request, which of them are logged, requests a second."""

    protocol: str
    images: int
    sampling: float
    rate: float = 200.0


CASES = (
    Case("gRPC", 1, 1.0),
    Case("gRPC", 100, 1.0),
    Case("gRPC", 100, 0.1),
    Case("REST, b64", 100, 1.0),
    Case("REST, b64", 100, 0.1),
    Case("REST, numbers", 1, 1.0),
    Case("REST, numbers", 100, 0.1, 25.0),
)


COLUMNS = ("bare p50", "proxy p50", "added p50", "bare p99", "proxy p99", "added p99", "CPU ms")


@dataclass(frozen=True)
class Addresses:
    """The ports of a server or a proxy."""

    rest: int
    grpc: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.5, help="of a round; default: %(default)g")
    parser.add_argument("--rounds", type=int, default=9, help="of each kind; default: %(default)s")
    parser.add_argument("--protocol", default="", help="only the cases of this one, e.g. gRPC; default: all")
    options = parser.parse_args()
    uvloop.install()
    print("| protocol | requests/s | images | KB | sampling |", " | ".join(COLUMNS), "| logged |")
    print("|" + "---|" * (len(COLUMNS) + 6))
    with _server() as server:
        for case in (each for each in CASES if each.protocol.startswith(options.protocol)):
            print(_row(case, server, options), flush=True)


def _row(case: Case, server: Addresses, options: argparse.Namespace) -> str:
    body = body_of(case)
    with _proxy(server, case.sampling) as (proxy, process):
        rounds, cpu = asyncio.run(_rounds(case, body, server, proxy, options, process.pid))
        logged = _ended(process)
    times = np.array(rounds) * 1e3  # [rounds, bare or proxied, p50 or p99]
    added = np.median(times[:, 1] - times[:, 0], axis=0)
    middle = np.median(times, axis=0)
    numbers = (middle[0, 0], middle[1, 0], added[0], middle[0, 1], middle[1, 1], added[1], cpu * 1e3)
    shown = " | ".join(f"{number:.2f}" for number in numbers)
    sent = f"{case.protocol} | {case.rate:g} | {case.images} | {len(body) / 1e3:.0f} | {case.sampling:g}"
    return f"| {sent} | {shown} | {logged:.0%} |"


def body_of(case: Case) -> bytes:
    """A request with so many images of noise."""
    images = np.random.default_rng(0).integers(0, 256, (case.images, 32, 32, 3), np.uint8)
    if case.protocol == "gRPC":
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "m"
        request.inputs["image"].CopyFrom(tf.make_tensor_proto(images))
        return request.SerializeToString()
    if case.protocol == "REST, numbers":
        return json.dumps({"instances": images.tolist()}).encode()
    return json.dumps({"instances": [{"b64": base64.b64encode(_png(image)).decode()} for image in images]}).encode()


def _png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


async def _rounds(  # noqa: PLR0913, PLR0917
    case: Case, body: bytes, server: Addresses, proxy: Addresses, options: argparse.Namespace, process: int
) -> tuple[list[list[Sequence[float]]], float]:
    """Times of each round, [rounds, bare or proxied, p50 or p99], and the proxy's seconds of CPU for a request."""
    if case.protocol == "gRPC":
        bare, proxied = _grpc_asks(server, body), _grpc_asks(proxy, body)
    else:
        name = "s" if "b64" in case.protocol else "m"
        bare, proxied = await _rest_asks(server, body, name), await _rest_asks(proxy, body, name)
    for asks in (bare, proxied):
        await _load(asks, case.rate, 1.0)  # connections are made, and code is warm
    found, before = [], cpu_seconds(process)
    for _ in range(options.rounds):
        times = [await _load(asks, case.rate, options.seconds) for asks in (bare, proxied)]
        found.append([np.percentile(each, (50, 99)) for each in times])
    requests = options.rounds * int(case.rate * options.seconds)
    return found, (cpu_seconds(process) - before) / requests


async def _load(asks: Sequence[Ask], rate: float, seconds: float) -> list[float]:
    """Asks at a rate over connections that are free; gives the seconds of each answer."""
    free: asyncio.Queue[Ask] = asyncio.Queue()
    for ask in asks:
        free.put_nowait(ask)
    times: list[float] = []
    running = set()

    async def one(ask: Ask) -> None:
        began = time.perf_counter()
        await ask()
        times.append(time.perf_counter() - began)
        free.put_nowait(ask)

    start = time.perf_counter()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, start + number / rate - time.perf_counter()))
        running.add(asyncio.ensure_future(one(await free.get())))
    await asyncio.gather(*running)
    return times


async def _rest_asks(where: Addresses, body: bytes, name: str) -> list[Ask]:
    head = f"POST /v1/models/{name}:predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode()

    async def connected() -> Ask:
        reader, writer = await asyncio.open_connection("127.0.0.1", where.rest, limit=1 << 22)

        async def ask() -> None:
            writer.write(head + body)
            lines = (await reader.readuntil(b"\r\n\r\n")).lower()
            if not lines.startswith(b"http/1.1 200"):
                raise ConnectionError(lines.decode())
            await reader.readexactly(int(re.search(rb"content-length: (\d+)", lines)[1]))

        return ask

    return [await connected() for _ in range(CONNECTIONS)]


def _grpc_asks(where: Addresses, body: bytes) -> list[Ask]:
    def connected(number: int) -> Ask:
        # each with a connection of its own: channels with the same options would share one
        options = (("grpc.max_receive_message_length", -1), ("grpc.channel_id", number))
        call = grpc.aio.insecure_channel(f"127.0.0.1:{where.grpc}", options=options).unary_unary(PREDICT)

        async def ask() -> None:
            await call(body)

        return ask

    return [connected(number) for number in range(CONNECTIONS)]


@contextmanager
def _server() -> Iterator[Addresses]:
    """A server that gives fixed answers, see `fixed_server`."""
    response = predict_pb2.PredictResponse()
    response.model_spec.name, response.model_spec.version.value = "m", 7
    response.outputs["probabilities"].CopyFrom(tf.make_tensor_proto(np.full((100, 10), 0.1, np.float32)))
    answer = base64.b64encode(response.SerializeToString()).decode()
    with _process([sys.executable, "-m", "benchmarks.live.fixed_server", answer]) as process:
        yield Addresses(*map(int, process.stdout.readline().split()))


@contextmanager
def _proxy(server: Addresses, sampling: float) -> Iterator[tuple[Addresses, subprocess.Popen]]:
    """A proxy of a server."""
    with ExitStack() as stack:
        logs = stack.enter_context(tempfile.TemporaryDirectory())
        command = [
            sys.executable,
            "-m",
            "model_monitor.cli",
            "proxy",
            "--logs",
            logs,
            "--port",
            "0",
            "--grpc-port",
            "0",
        ]
        command += ["--upstream", f"http://127.0.0.1:{server.rest}", "--grpc-upstream", f"127.0.0.1:{server.grpc}"]
        command += ["--metrics-port", "0", "--sampling-rate", str(sampling)]
        process = stack.enter_context(_process(command))
        yield _addresses(process), process


def _ended(proxy: subprocess.Popen) -> float:
    """Ends a proxy, and gives the proportion of requests that were logged."""
    proxy.send_signal(signal.SIGTERM)
    told = proxy.communicate()[0]
    return int(re.search(r"(\d+) logged", told)[1]) / int(re.search(r"(\d+) to log", told)[1])


@contextmanager
def _process(command: Sequence[str]) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parents[2])
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _addresses(process: subprocess.Popen) -> Addresses:
    """The two ports that a proxy says it has, a line each."""
    lines = [process.stdout.readline() for _ in range(2)]
    return Addresses(*(int(re.search(r"//127\.0\.0\.1:(\d+)", line)[1]) for line in lines))


if __name__ == "__main__":
    main()
