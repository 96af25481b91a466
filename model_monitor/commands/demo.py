"""`model-monitor demo --live`: a server, a proxy, a watcher and their traffic on this machine, and what comes of it."""

import argparse
import signal
import sys
from pathlib import Path

from rich.markup import escape

from components.common import baseline_bundle
from components.common.errors import MonitorError, require

from ..extras import imported
from ..live import playing
from ..live.clients import Client
from ..live.playing import Settings
from ..live.story import length
from ..live.telling import Teller
from ..showing.lines import say
from ..terminal import make_console
from ..worked_example import any_config, dataset, images_of
from . import EXIT_BLOCKED, EXIT_ERROR, EXIT_FINE

DESCRIPTION = """Serves the pushed model of the worked example, sends it test images as clients would, and watches it:
clean traffic, a shift that hurts, one that does not, a slow drift, a bad push that is rolled back. Tells the story as
it happens, in two to five minutes, and ends with the timeline. Exit code: 0 it came as told, 2 otherwise, 1 error."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--live", action="store_true", required=True, help="this is the one demonstration there is")
    parser.add_argument("--window", type=int, default=300, metavar="N", help="images a window; default: %(default)s")
    parser.add_argument(
        "--dataset", default="sample", metavar="NAME", help="sample, full, or a folder; default: sample"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings in YAML, for the root")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting, e.g. root=runs")


def run(options: argparse.Namespace) -> int:
    for library in ("httptools", "uvicorn", "watchdog"):
        imported(library, "model-monitor demo --live")
    config, console = any_config(options.config, options.set), make_console()
    versions = baseline_bundle.versions(str(config.serving_path))
    if not versions:
        raise MonitorError(f"{config.serving_path} must hold a pushed version: `model-monitor train` pushes one")
    settings = Settings(config.root_path / "live", Path(versions[-1]), options.window)
    spec = playing.prepare(settings).manifest.spec
    folder = dataset.resolve(options.dataset)
    images, labels = images_of.read(folder, images_of.unseen_split(folder))
    require(images.shape[1:] == spec.image_shape, "--dataset", f"have images of {spec.image_shape}", images.shape[1:])

    def client_of(address: str) -> Client:
        return Client(address, playing.MODEL, spec.input, images, labels)

    console.print(f"[bold]{length()} windows of {options.window} images, in two to five minutes[/]")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_ERROR))  # so that the processes are ended too
    played = playing.play(settings, client_of, Teller(console))
    root = f"--set root={settings.root}"
    asides = [f"In a browser: [bold]model-monitor ui {escape(root)}[/]",
              f"What was wrong, since when: [bold]model-monitor incidents {escape(root)}[/]"]  # fmt: skip
    Teller(console).ends(played.records, asides)
    for sentence in played.untrue:
        say(console, f"[yellow]?[/] {escape(sentence)}")
    return EXIT_FINE if playing.is_true(played) else EXIT_BLOCKED
