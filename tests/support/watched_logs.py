"""Serving logs of a tiny model, and what a watcher has put into its windows."""

import collections
import gzip
from pathlib import Path
from typing import Any

import numpy as np

from components.common.artifacts.tfrecord import Record, frame, read_records
from components.serving_log_writer.prediction_log_encoding import ServedModel, metadata, predict_log
from model_monitor.watch.settings import WatchConfig
from tests.support.bundles import write_bundle
from tests.support.model_specs import digits_spec

SPEC = digits_spec(image={"size": [2, 2], "format": "raw"})
NOON = 1_795_700_000


def record(request: str, *, images: int = 1, version: int | None = 1, at: int = NOON) -> bytes:
    """One request, known by its id."""
    model = ServedModel("digits", version)
    inputs = {"input_image": np.zeros((images, 2, 2, 1), np.uint8)}
    outputs = {"dense_1": np.full((images, 10), 0.1, np.float32)}
    return metadata(model, at) + predict_log(model, inputs, outputs, request)


def requests(name: str, count: int, **facts: Any) -> list[bytes]:
    return [record(f"{name}/{number}", **facts) for number in range(count)]


def write(logs: Path, place: str, records: list[bytes], *, cut: int = 0, zipped: bool = True) -> Path:
    """Writes a file of logs without its last `cut` bytes; under its name by a rename, as our writer does."""
    path = logs / place
    path.parent.mkdir(parents=True, exist_ok=True)
    data = b"".join(map(frame, records))
    data = gzip.compress(data, 1, mtime=0) if zipped else data
    hidden = logs / f".writing-{path.parent.name}.{path.name}"
    hidden.write_bytes(data[: len(data) - cut])
    hidden.rename(path)
    return path


def config(folder: Path, **settings: Any) -> WatchConfig:
    """The configuration of a watcher under a folder, whose model is version 1; the logs are in `logs`."""
    for name in ("logs", "serving"):
        (folder / name).mkdir(exist_ok=True)
    if not (folder / "serving" / "1").is_dir():
        write_bundle(folder / "serving" / "1", SPEC)
    own = {"window_examples": 5, "window_minutes": None, **settings}
    places = {"root": folder / "runs", "serving_dir": folder / "serving", "serving_logs": folder / "logs"}
    named = {name: str(place) for name, place in places.items()}
    return WatchConfig.model_validate({**named, "watch": own, "monitor": {"min_examples": 2}})


def windows_on_disk(config: WatchConfig) -> dict[int, list[Record]]:
    """What stands in the folders of windows, damaged stretches included, by window."""
    found: dict[int, list[Record]] = collections.defaultdict(list)
    for path in sorted(config.windows_path.glob("*/*")):
        with path.open("rb") as file:
            found[int(path.parent.name)] += read_records(file)
    return dict(found)


def taken(config: WatchConfig) -> list[bytes]:
    """All whole records in all windows, in the order of the windows."""
    found = windows_on_disk(config)
    return [each.data for number in sorted(found) for each in found[number] if each.damage is None]
