"""`model-monitor new`: a project that trains, pushes and monitors a classifier of one's own images."""

import argparse
from pathlib import Path

from rich.markup import escape

from components.common.errors import require
from components.common.statistics.monitored_features import MIN_BASELINE_EXAMPLES

from ..launching.adopting import split_pattern
from ..onboarding import project, starting
from ..onboarding.described import read_examples
from ..onboarding.settings import given
from ..showing.guesses import ask, show_draft
from ..terminal import make_console
from . import EXIT_ERROR, EXIT_FINE

DESCRIPTION = """Writes a small project that trains, judges, pushes and monitors a classifier of the images in labelled
Examples: spec, pipeline, trainer, thresholds, a test, a Dockerfile. It runs as it is, and is yours to change. What
cannot be told from the Examples it asks for, and writes nothing. Exit code: 0 written, 1 error or a question."""

_LEAST = 20
# A fifth is held out by a hash of each Example: of so many it has the baseline's least number but for one hash in 900.
_LEAST_EXAMPLES = 650


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="the project's folder, new or empty")
    parser.add_argument(
        "--examples",
        required=True,
        metavar="PATTERN",
        help="TFRecord files of labelled tf.Examples, e.g. 'data/*.tfrecord.gz'; a fifth is held out from training",
    )
    parser.add_argument("--count", type=int, default=2000, metavar="N", help="look at N Examples: %(default)s")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="say a key of the spec, e.g. label=class, classes=names.txt, image.size=[28,28]",
    )


def run(options: argparse.Namespace) -> int:
    require(options.count >= _LEAST, "--count", f"be {_LEAST} or more", options.count)
    console = make_console()
    examples = read_examples(options.examples, options.count)
    _require_enough(len(examples.rows), options)
    draft = starting.guess_data(examples, given(options.set))
    show_draft(draft, len(examples.rows), console)
    if draft.questions:
        ask(draft.questions, console)
        return EXIT_ERROR
    spec = draft.spec()
    label = examples.features[spec.label or ""]
    written = project.write(options.folder, spec, label, *split_pattern(options.examples))
    console.print("\n[bold green]The project is written:[/]")
    for file in written:
        console.print(f"  {escape(str(file))}", soft_wrap=True)
    console.print("Run it there:")
    console.print(f"  cd {escape(str(options.folder))} && python pipeline.py && model-monitor why", soft_wrap=True)
    return EXIT_FINE


def _require_enough(read: int, options: argparse.Namespace) -> None:
    """Raises `MonitorError` where the baseline would be too small, which calibration would say after the training."""
    rule = (
        f"name {_LEAST_EXAMPLES} Examples or more, for a fifth of them becomes the baseline, which needs "
        f"{MIN_BASELINE_EXAMPLES}"
    )
    more = read >= options.count  # nobody has looked how many there are
    require(more or read >= _LEAST_EXAMPLES, "--examples", rule, f"{options.examples}, which has {read:,}")
