"""`model-monitor proxy`: forwards the traffic of a model server and writes its serving logs."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

from components.common import baseline_bundle
from components.common.errors import MonitorError, require

from ..extras import imported
from ..terminal import make_console
from . import EXIT_FINE
from .listening import PORTS, add_addresses, add_grace, require_positive

if TYPE_CHECKING:
    from ..serving.proxy.running import Settings

DESCRIPTION = """Stands in front of a model server, forwards REST and gRPC as they are, and writes the serving logs that
`monitor` reads. What cannot be logged is counted and keeps no request from its answer. Listens on this machine alone
unless `--host` says otherwise. SIGTERM ends it, within `--grace` seconds and without loss."""

_MIB = 1 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--upstream", default="", metavar="URL", help="the server's REST, e.g. http://127.0.0.1:8501")
    parser.add_argument("--grpc-upstream", default="", metavar="HOST:PORT", help="its gRPC, e.g. 127.0.0.1:8500")
    parser.add_argument(
        "--logs", required=True, metavar="DIR", help="folder of serving logs, made where it is not there"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--serving", metavar="DIR", help="folder of pushed versions: the newest one's bundle has the spec"
    )
    which.add_argument("--bundle", metavar="DIR", help="folder of the served version, adopted or pushed: likewise")
    parser.add_argument("--model", default="", help="name of the model to log; default: the first one that answers")
    add_addresses(parser, port=8601, grpc_port=8600)
    parser.add_argument(
        "--metrics-port", type=int, default=8602, metavar="PORT", help=f"of /metrics, for this machine alone; {PORTS}"
    )
    _add_logging(parser)
    add_grace(parser)


def _add_logging(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sampling-rate", type=float, default=1.0, metavar="RATE", help="proportion of requests to log; default: all"
    )
    parser.add_argument(
        "--client-header",
        default="",
        metavar="NAME",
        help="header, or metadata of gRPC, that tells clients apart for `one_example_per: client`; its hash is logged",
    )
    parser.add_argument("--span", type=int, metavar="N", help="span to log to; default: the day, since 1970-01-01")
    parser.add_argument(
        "--file-seconds",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="a file is finished after; default: %(default)g",
    )
    parser.add_argument(
        "--queue-mib",
        type=int,
        default=64,
        metavar="MIB",
        help="bodies that may wait to be logged; default: %(default)s",
    )
    parser.add_argument(
        "--body-mib", type=int, default=16, metavar="MIB", help="a larger body is not logged; default: %(default)s"
    )


def run(options: argparse.Namespace) -> int:
    for library in ("httptools", "hpack", "uvloop", "prometheus_client"):
        imported(library, "model-monitor proxy")
    from ..serving.proxy import running  # noqa: PLC0415 - what it needs may be missing until now

    settings = _settings(options)
    console = make_console()

    def started(addresses: running.Addresses) -> None:
        for port, scheme, upstream in (
            (addresses.rest, "http", options.upstream),
            (addresses.grpc, "grpc", options.grpc_upstream),
        ):
            if port is not None:
                console.print(f"{scheme}://{options.host}:{port} -> {escape(upstream)}", soft_wrap=True)
        console.print(f"[dim]Metrics: http://127.0.0.1:{addresses.metrics}/metrics[/]", soft_wrap=True)
        console.print(f"[dim]Logs: {escape(options.logs)}[/]", soft_wrap=True)
        console.file.flush()

    counters = running.run(settings, started)
    console.print(counters.described)
    return EXIT_FINE


def _settings(options: argparse.Namespace) -> "Settings":
    from ..serving.proxy.outbox import LogSettings  # noqa: PLC0415 - as above
    from ..serving.proxy.running import Settings  # noqa: PLC0415
    from ..serving.proxy.taken import Limits  # noqa: PLC0415

    require(0 < options.sampling_rate <= 1, "--sampling-rate", "be in (0, 1]", options.sampling_rate)
    require_positive(options, "queue_mib", "body_mib", "file_seconds", "grace")
    require(options.span is None or options.span >= 0, "--span", "be 0 or more", options.span)
    bundle = _bundle(options)
    log = LogSettings(
        logs=str(Path(options.logs).absolute()),
        model=options.model,
        spec=bundle.manifest.spec.to_json() if bundle else "",
        sampling_rate=options.sampling_rate,
        span=options.span,
        file_seconds=options.file_seconds,
    )
    return Settings(
        log,
        upstream=options.upstream,
        grpc_upstream=options.grpc_upstream,
        host=options.host,
        port=options.port,
        grpc_port=options.grpc_port,
        metrics_port=options.metrics_port,
        limits=Limits(options.queue_mib * _MIB, options.body_mib * _MIB, options.sampling_rate),
        client_header=options.client_header,
        grace_seconds=options.grace,
    )


def _bundle(options: argparse.Namespace) -> baseline_bundle.Bundle | None:
    """What is known of the model that is served, where it is said where that lies."""
    if options.bundle:
        return baseline_bundle.read(options.bundle)
    if not options.serving:
        return None
    newest = baseline_bundle.newest(options.serving)
    if newest is None:
        raise MonitorError(f"`--serving` must hold a pushed version. Received: {options.serving!r}")
    return newest
