"""`model-monitor replay`: logs of a served model to watch, as they are or with a shift."""

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape

from components.common import baseline_bundle
from components.common.errors import require, require_known
from components.common.model_spec import ModelSpec
from components.common.plain_paths import require_plain
from components.serving_log_writer.writer import ServedModel
from pipelines.progress import spinner

from ..launching import monitoring
from ..showing.lines import say
from ..terminal import quiet
from ..traffic import replay, shifts
from ..worked_example import NAME, any_config, dataset, images_of
from . import EXIT_FINE

DESCRIPTION = """Sends images to a served model as a client would, and writes the logs that its server would write:
traffic to try monitoring on, as it is or with a shift. The images are those of Examples, or of the worked example."""

_SEVERITY = 3
_PLAIN = "as they are"


@dataclass(frozen=True)
class _Version:
    """The served model: its folder, its spec, and its number."""

    folder: str
    spec: ModelSpec
    number: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--logs", type=Path, required=True, metavar="DIR", help="where to write; each span is a folder in it")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--serving", type=Path, metavar="DIR", help="folder of pushed versions, the newest is used")
    which.add_argument("--bundle", type=Path, metavar="DIR", help="folder of the served version, adopted or pushed")
    add("--spec", type=Path, metavar="FILE", help="what the model takes and answers; default: what its bundle says")
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--examples", metavar="PATTERN", help="TFRecord files of tf.Examples, as the spec describes them"
    )
    source.add_argument(
        "--dataset", default="sample", help=f"sample (default), full, or a folder of {NAME} binary files"
    )
    add(
        "--split",
        choices=sorted(images_of.SPLITS),
        help="of the data set; default: serving where it has that, else eval, the baseline's own",
    )
    add("--span", type=int, metavar="N", help="default: one more than the highest there is")
    add("--count", type=int, metavar="N", help="how many images, drawn by the seed; default: all")
    add("--batch-size", type=int, default=100, metavar="N", help="images a request: %(default)s")
    add("--shift", metavar="NAME", help=f"one of {', '.join(shifts.SHIFTS)}")
    add("--severity", type=int, metavar="N", help=f"of the shift, 1 to 5; default: {_SEVERITY}")
    add("--fraction", type=float, metavar="F", help="of the images that is shifted, 0 to 1; default: 1")
    add("--seed", type=int, default=0, help="default: %(default)s")
    add("--labels", type=Path, metavar="FILE", help="write the true labels to this CSV file: id,label")
    add("--config", type=Path, metavar="FILE", help="settings in YAML, for the root (docs/configuration.md)")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting, e.g. root=runs")


def run(options: argparse.Namespace) -> int:
    # What TensorFlow writes as it loads is about missing GPUs; what fails is raised.
    with quiet(Path(os.devnull)) as console:
        return run_on(options, console)


def run_on(options: argparse.Namespace, console: Console) -> int:
    """Replays as told and prints what was logged. Returns 0.

    Raises:
      MonitorError: an option breaks a rule, there is no data or no model, they do not fit, or the logs cannot be
        written.

    """
    _check(options)
    require_plain(options.logs, "--logs")
    version = _served(options)
    source, what = _source(options, version.spec)
    window, described = _window(options, source)
    labels = source.labels[window.indices]
    known = bool((labels != replay.NO_LABEL).any())
    require(not options.labels or known, "--labels", "come with images that have labels", str(options.labels))
    span = replay.next_span(options.logs) if options.span is None else options.span
    with spinner(console, "Loading the model ..."):
        model = replay.load(version.folder)  # kept: its signatures work as long as it is there
        signature = model.signature(version.spec.signatures.serve)
    with spinner(console, "Scoring ..."):
        sent = list(replay.send(signature, version.spec, source, window, options.batch_size))
    prefix = f"replay-{time.time_ns():x}"
    replay.log(sent, ServedModel(replay.MODEL_NAME, version.number, signature.name), options.logs, span, prefix)
    if options.labels:
        replay.write_labels(options.labels, sent, labels, prefix)
    requests = f"{len(sent):,} request{'s'[: len(sent) != 1]}"
    left_out = f", {source.left_out:,} that cannot be decoded left out" if source.left_out else ""
    say(console, f"Span {span}: {len(labels):,} {escape(what)} in {requests}, {described}{left_out}.")
    right, of = replay.right(sent, labels, version.spec)
    if of:
        console.print(f"Version {version.number} got {right / of:.1%} right.")
    console.print(f"Logs: {escape(str(options.logs / str(span)))}", soft_wrap=True)
    return EXIT_FINE


def _check(options: argparse.Namespace) -> None:
    require(options.span is None or options.span >= 0, "--span", "be 0 or more", options.span)
    require(options.batch_size >= 1, "--batch-size", "be 1 or more", options.batch_size)
    if options.labels:
        require(options.labels.parent.is_dir(), "--labels", "be in a folder that is there", str(options.labels))
    if options.shift:
        require_known(options.shift, shifts.SHIFTS, "shift")
    for name in ("severity", "fraction"):
        value = getattr(options, name)
        require(value is None or options.shift is not None, f"--{name}", "come with --shift", value)
    require(not (options.split and options.examples), "--split", "come without --examples", options.split)


def _served(options: argparse.Namespace) -> _Version:
    """The version that is named, else the adopted one, else the newest that was pushed."""
    folder = str(options.bundle) if options.bundle else ""
    if not folder and not options.serving:
        config = any_config(options.config, options.set)
        noted = monitoring.remembered(config.root_path) if options.config is None else None
        folder = noted or _newest(config.serving_path)
    folder = folder or _newest(options.serving)
    spec = ModelSpec.load(options.spec) if options.spec else baseline_bundle.read(folder).manifest.spec
    return _Version(folder, spec, baseline_bundle.version_of(folder))


def _newest(serving: Path) -> str:
    versions = baseline_bundle.versions(str(serving))
    rule = "be a folder with a pushed model (`model-monitor train` pushes one; `adopt` makes a baseline for yours)"
    require(bool(versions), "--serving", rule, str(serving))
    return versions[-1]


def _source(options: argparse.Namespace, spec: ModelSpec) -> tuple[replay.Source, str]:
    """The images, and what to call them."""
    if options.examples:
        return replay.from_examples(options.examples, spec), f"images of {options.examples}"
    folder = dataset.resolve(options.dataset)
    split = options.split or images_of.unseen_split(folder)
    images, labels = images_of.read(folder, split)
    return replay.from_arrays(images, labels, spec, "--dataset"), f"images of split {split}"


def _window(options: argparse.Namespace, source: replay.Source) -> tuple[shifts.ShiftedImages, str]:
    """What to send, and how it differs from the source."""
    if options.shift is None:
        return replay.plain(source, options.count, options.seed), _PLAIN
    severity = _SEVERITY if options.severity is None else options.severity
    fraction = 1.0 if options.fraction is None else options.fraction
    settings = {"severity": severity, "fraction": fraction, "seed": options.seed, "count": options.count}
    if shifts.SHIFTS[options.shift].change_classes is not None:
        known = bool(np.all(source.labels != replay.NO_LABEL))
        require(known, "--shift", "be one of pixels where not every image has a label", options.shift)
    window = shifts.apply_to_each(options.shift, source.images, source.labels, **settings)
    strength = f" at severity {severity}" if shifts.SHIFTS[options.shift].parameters else ""
    return window, f"{int(window.shifted.sum()):,} of them with {options.shift}{strength}"
