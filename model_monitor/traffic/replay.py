"""`model-monitor replay`: scores a data set with the pushed model and writes the logs that a server would write."""

import argparse
import csv
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.markup import escape

from components.common import baseline_bundle
from components.common.errors import MonitorError, require
from components.serving_log_writer.writer import ServedModel, ServingLogWriter

from ..worked_example import NAME, any_config, dataset, images_of
from . import shifts
from .image_filters import Images

MODEL_NAME = "model"  # what the logs call it
SIGNATURE = "serving_default"
DEFAULT_SEVERITY = 3
FIRST_SPAN = 1
_PLAIN = "the data set as it is"
Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class Scorer:
    """A loaded model with one input, `input_name`, of NumPy's type `dtype`."""

    model: ServedModel
    input_name: str
    dtype: npt.DTypeLike
    call: Callable[[Array], Mapping[str, Array]]


@dataclass(frozen=True)
class Batch:
    """One request: `images` as the client sends them, their `labels`, and the request's id."""

    request_id: str
    images: Array
    labels: npt.NDArray[np.int64]

    def ids(self) -> list[str]:
        """The id of each image, as ServingLogExampleGen writes it."""
        return [f"{self.request_id}/{row}" for row in range(len(self.labels))]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options, as `run` reads them."""
    add = parser.add_argument
    add("--logs", type=Path, required=True, metavar="DIR", help="where to write; each span is a folder in it")
    add("--serving", type=Path, metavar="DIR", help="pushed models, newest is used; default: `serving` under the root")
    add("--dataset", default="sample", help=f"sample (default), full, or a folder of {NAME} binary files")
    add(
        "--split",
        choices=sorted(images_of.SPLITS),
        help="default: serving where the data set has it, else eval, the baseline's own",
    )
    add("--span", type=int, metavar="N", help="default: one more than the highest there is")
    add("--count", type=int, metavar="N", help="how many images, drawn by the seed; default: all")
    add("--batch-size", type=int, default=100, metavar="N", help="images a request: %(default)s")
    add("--shift", metavar="NAME", help=f"one of {', '.join(shifts.SHIFTS)}")
    add("--severity", type=int, metavar="N", help=f"of the shift, 1 to 5; default: {DEFAULT_SEVERITY}")
    add("--fraction", type=float, metavar="F", help="of the images that is shifted, 0 to 1; default: 1")
    add("--seed", type=int, default=0, help="default: %(default)s")
    add("--labels", type=Path, metavar="FILE", help="write the true labels to this CSV file: id,label")
    add("--config", type=Path, metavar="FILE", help="settings in YAML, for the root (docs/configuration.md)")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting, e.g. root=runs")


def run(options: argparse.Namespace, console: Console) -> int:
    """Replays as told and prints what was logged. Returns 0.

    Raises:
      MonitorError: an option breaks a rule, there is no data or no model, or logs could not be written.

    """
    _check(options)
    serving = options.serving or any_config(options.config, options.set).serving_path
    folder = dataset.resolve(options.dataset)
    split = options.split or images_of.unseen_split(folder)
    images, labels = images_of.read(folder, split)
    window, described = _window(options, images, labels)
    span = next_span(options.logs) if options.span is None else options.span
    with console.status("Loading the model ..."):
        scorer = load(serving)
    batches = list(requests(window, labels, options.batch_size, f"replay-{time.time_ns():x}"))
    with console.status("Scoring ..."):
        right = _log(scorer, batches, str(options.logs), span)
    if options.labels:
        write_labels(options.labels, batches)
    total, plural = len(window.indices), "s"[: len(batches) != 1]
    console.print(
        f"Span {span}: {total:,} images of split {split} in {len(batches):,} request{plural}, {described}. "
        f"Version {scorer.model.version} got {right / total:.1%} right."
    )
    console.print(f"Logs: {escape(str(options.logs / str(span)))}", soft_wrap=True)
    return 0


def _check(options: argparse.Namespace) -> None:
    require(options.span is None or options.span >= 0, "--span", "be 0 or more", options.span)
    require(options.batch_size >= 1, "--batch-size", "be 1 or more", options.batch_size)
    if options.labels:
        require(options.labels.parent.is_dir(), "--labels", "be in a folder that is there", str(options.labels))
    for name in ("severity", "fraction"):
        value = getattr(options, name)
        require(value is None or options.shift is not None, f"--{name}", "come with --shift", value)


def _window(options: argparse.Namespace, images: Images, labels: npt.NDArray[np.int64]) -> tuple[shifts.Shifted, str]:
    """What to send, and what to call it."""
    if options.shift is None:
        indices = shifts.draw(len(images), options.count, options.seed)
        return shifts.Shifted(images[indices], indices, np.zeros(len(indices), np.bool_)), _PLAIN
    severity = DEFAULT_SEVERITY if options.severity is None else options.severity
    fraction = 1.0 if options.fraction is None else options.fraction
    settings = {"severity": severity, "fraction": fraction, "seed": options.seed, "count": options.count}
    window = shifts.apply(options.shift, images, labels, **settings)
    strength = f" at severity {severity}" if shifts.SHIFTS[options.shift].parameters else ""
    return window, f"{int(window.shifted.sum()):,} of them with {options.shift}{strength}"


def next_span(logs: Path) -> int:
    """One more than the highest span there is a folder of."""
    names = os.listdir(logs) if logs.is_dir() else []
    return max((int(name) + 1 for name in names if baseline_bundle.is_version(name)), default=FIRST_SPAN)


def load(serving_dir: Path) -> Scorer:
    """The newest version in a serving folder.

    Raises:
      MonitorError: there is none, or it cannot be called with images alone.

    """
    versions = baseline_bundle.versions(str(serving_dir))
    require(
        bool(versions), "--serving", "be a folder with a pushed model (`model-monitor train` pushes one)", serving_dir
    )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf  # noqa: PLC0415 - takes seconds

    try:
        loaded = tf.saved_model.load(versions[-1])
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise MonitorError(f"The model {versions[-1]} cannot be loaded: {error}") from error
    signature = loaded.signatures.get(SIGNATURE)
    require(signature is not None, versions[-1], f"have a signature {SIGNATURE}", sorted(loaded.signatures))
    inputs = signature.structured_input_signature[1]
    require(len(inputs) == 1, f"signature {SIGNATURE} of {versions[-1]}", "take one input, images", sorted(inputs))
    [(name, spec)] = inputs.items()

    def call(batch: Array) -> dict[str, Array]:
        # the signature keeps its model alive only as long as this function keeps `loaded`
        return {key: value.numpy() for key, value in loaded.signatures[SIGNATURE](**{name: tf.constant(batch)}).items()}

    model = ServedModel(MODEL_NAME, int(os.path.basename(versions[-1])), SIGNATURE)
    return Scorer(model, name, spec.dtype.as_numpy_dtype, call)


def requests(window: shifts.Shifted, labels: npt.NDArray[np.int64], batch_size: int, prefix: str) -> Iterator[Batch]:
    """The window cut into requests of at most `batch_size` images.

    Where the shift changes the type, shifted images and the others come in requests of their own, for a client sends
    one type or the other.

    Args:
      window: what is sent.
      labels: int64 [N], of the source of the window.
      batch_size: 1 or more.
      prefix: of the requests' ids.

    """
    rows = [np.arange(len(window.indices))]
    if window.images.dtype != np.uint8:
        rows = [np.flatnonzero(window.shifted), np.flatnonzero(~window.shifted)]
    parts = [part[start : start + batch_size] for part in rows for start in range(0, len(part), batch_size)]
    for number, part in enumerate(parts):
        images = window.images[part] if window.shifted[part[0]] else window.images[part].astype(np.uint8)
        yield Batch(f"{prefix}-{number}", images, labels[window.indices[part]])


def _log(scorer: Scorer, batches: list[Batch], logs: str, span: int) -> int:
    """Scores and logs the requests; returns how many images the model got right.

    The model gets what its signature takes: images of 0..1 become zeros and ones for one that takes bytes, as in a
    server that casts. The log has what was sent.
    """
    right = 0
    with ServingLogWriter(logs, scorer.model, span=span, when_full="block") as writer:
        for batch in batches:
            outputs = scorer.call(batch.images.astype(scorer.dtype))
            writer.log({scorer.input_name: batch.images}, outputs, request_id=batch.request_id)
            right += int((_classes(outputs) == batch.labels).sum())
    counts = writer.counts
    if counts.written != len(batches):
        raise MonitorError(f"Of {len(batches)} requests {counts.written} could be written to {logs}: {counts}")
    return right


def _classes(outputs: Mapping[str, Array]) -> npt.NDArray[np.int64]:
    if "class_id" in outputs:
        return outputs["class_id"].reshape(-1)
    require("probabilities" in outputs, "the model", "answer with class_id or probabilities", sorted(outputs))
    return outputs["probabilities"].argmax(axis=1)


def write_labels(path: Path, batches: list[Batch]) -> None:
    """The true labels as CSV with the header `id,label`: labels that arrive later, to be joined by id."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("id", "label"))
        for batch in batches:
            writer.writerows(zip(batch.ids(), batch.labels.tolist(), strict=True))
