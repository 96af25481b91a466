"""`model-monitor serve`: a small server of the pushed model, to try everything without TensorFlow Serving."""

import argparse
import os
from pathlib import Path

from rich.markup import escape

from components.common.errors import require

from ..extras import imported
from ..terminal import make_console, quiet
from . import EXIT_FINE
from .listening import add_addresses, add_grace, require_positive

DESCRIPTION = """Answers for the newest version in a serving folder, over TensorFlow Serving's REST and gRPC and
KServe's V2, and takes up new versions as they are pushed. Small, and for this machine alone unless `--host` says
otherwise: in production TensorFlow Serving does the same faster. SIGTERM ends it, within `--grace` seconds."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--serving", required=True, metavar="DIR", help="folder of versions, the newest is served")
    parser.add_argument("--model", default="", help="name of the model; default: that of the serving folder")
    add_addresses(parser, port=8501, grpc_port=8500)
    parser.add_argument(
        "--poll",
        type=float,
        default=1.0,
        metavar="SECONDS",
        help="between two looks for versions; default: %(default)g",
    )
    add_grace(parser)


def run(options: argparse.Namespace) -> int:
    for library in ("httptools", "starlette", "uvicorn"):
        imported(library, "model-monitor serve")
    folder = os.path.abspath(options.serving)
    require(Path(folder).is_dir(), "--serving", "be a folder", options.serving)
    require_positive(options, "poll", "grace")
    with quiet(Path(os.devnull)):  # what TensorFlow says of itself
        from ..serving.server import running  # noqa: PLC0415 - after what can be said without it

        running.look_for_gpus()

    console, model = make_console(), options.model or os.path.basename(folder)

    def started(addresses: running.Addresses) -> None:
        console.print(f"http://{options.host}:{addresses.rest}/v1/models/{escape(model)}", soft_wrap=True)
        console.print(f"grpc://{options.host}:{addresses.grpc}", soft_wrap=True)
        console.file.flush()

    settings = running.Settings(
        folder, model, options.host, options.port, options.grpc_port, options.poll, options.grace
    )
    running.run(settings, started)
    return EXIT_FINE
