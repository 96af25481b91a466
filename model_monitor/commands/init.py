"""`model-monitor init`: the spec of a served model, guessed from its signatures and from Examples."""

import argparse
import os
import shlex
from pathlib import Path

from rich.markup import escape

from components.common.errors import require
from pipelines.progress import spinner

from ..onboarding.described import read_examples
from ..onboarding.settings import given
from ..showing.guesses import ask, show_draft
from ..terminal import quiet
from . import EXIT_ERROR, EXIT_FINE

DESCRIPTION = """Guesses the spec of a served model (docs/model_spec.md) from the signatures of its SavedModel and from
Examples, tries it on them, says what it guessed and why, and writes it. What it cannot know it asks for, and writes
nothing. Exit code: 0 written, 1 error or something has to be asked."""

_LEAST = 20
_HEADER = (
    "# What the served model takes and answers, guessed by `model-monitor init` (docs/model_spec.md has every key).\n"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--saved-model", type=Path, required=True, metavar="DIR", help="the model, as servers load it")
    add(
        "--examples",
        required=True,
        metavar="PATTERN",
        help="TFRecord files of tf.Examples of the kind the model was evaluated on, e.g. 'held_out/*.tfrecord*'",
    )
    add("-o", "--out", type=Path, required=True, metavar="FILE", help="the spec to write, e.g. monitor.yaml")
    add("--count", type=int, default=500, metavar="N", help="look at N Examples: %(default)s")
    add("--force", action="store_true", help="write over a file that is there")
    add(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="say a key of the spec, e.g. image.range=[0,1], outputs.scores=dense_1, classes=names.txt, label=null",
    )


def run(options: argparse.Namespace) -> int:
    require(options.count >= _LEAST, "--count", f"be {_LEAST} or more", options.count)
    require(options.force or not options.out.exists(), "--out", "be a new file, or come with --force", str(options.out))
    require(options.out.absolute().parent.is_dir(), "--out", "be in a folder that is there", str(options.out))
    said = given(options.set)
    examples = read_examples(options.examples, options.count)
    # What TensorFlow writes as it loads is about missing GPUs; what fails is raised.
    with quiet(Path(os.devnull)) as console:
        with spinner(console, "Loading the model ..."):
            from ..launching.served_model import ServedModel  # noqa: PLC0415 - takes seconds

            served = ServedModel(options.saved_model)
        with spinner(console, "Trying it on Examples ..."):
            from ..onboarding.guessing import guess  # noqa: PLC0415 - only once the model is there

            draft = guess(served, examples, said)
        show_draft(draft, len(examples.rows), console)
        if draft.questions:
            ask(draft.questions, console)
            return EXIT_ERROR
        options.out.write_text(f"{_HEADER}{draft.spec().to_yaml()}", encoding="utf-8")
        console.print("\n[bold green]The spec is written:[/]")
        console.print(f"  {escape(str(options.out))}", soft_wrap=True)
        console.print("Look it over, then:")
        parts = ("adopt", "--spec", options.out, "--examples", options.examples, "--saved-model", options.saved_model)
        console.print(f"  {escape(shlex.join(map(str, ('model-monitor', *parts))))}", soft_wrap=True)
    return EXIT_FINE
