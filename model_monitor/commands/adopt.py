"""`model-monitor adopt`: a baseline for a model that is served already."""

import argparse
import os
import shlex
from pathlib import Path

from rich.markup import escape

from components.common.model_spec import ModelSpec
from pipelines.config import AdoptionConfig, load

from ..launching import adopting
from ..showing.lines import say
from ..terminal import quiet
from . import EXIT_ERROR, EXIT_FINE
from .running import add_settings, add_wait, holding, log_path, told

DESCRIPTION = """Makes a baseline for a model that is served already: lets it score held-out Examples, describes them,
computes thresholds, and publishes all of it beside the model, in assets.extra/baseline, where servers do not look.
`monitor` finds it by a note under the root. Exit code: 0 published, 1 error."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--spec", type=Path, required=True, metavar="FILE", help="what the model takes and answers, as `init` writes it"
    )
    add(
        "--saved-model", type=Path, required=True, metavar="DIR", help="the model, as servers load it, e.g. /models/m/3"
    )
    add(
        "--examples",
        required=True,
        metavar="PATTERN",
        help="TFRecord files of tf.Examples that the model was not trained on, e.g. 'held_out/*.tfrecord*'",
    )
    add("--force", action="store_true", help="put the new baseline in the place of one that is there")
    add_settings(parser, "monitor.window_size=500")
    add_wait(parser)


def run(options: argparse.Namespace) -> int:
    config = load(AdoptionConfig, options.config, options.set)
    spec = ModelSpec.load(options.spec)
    adopting.check(options.saved_model, options.examples, replace=options.force)
    with holding(config, "adopt", options.wait):
        return _adopt(config, spec, options)


def _adopt(config: AdoptionConfig, spec: ModelSpec, options: argparse.Namespace) -> int:
    """One run of the pipeline, shown, and what to do next."""
    log_file = log_path(config, "adopt")
    with quiet(log_file) as console:
        say(console, f"[bold]A baseline for[/] {escape(os.path.abspath(options.saved_model))}")
        say(console, f"[dim]Log: {escape(str(log_file))}[/]\n")
        found = told(
            lambda progress: adopting.adopt(
                config, spec, options.saved_model, options.examples, replace=options.force, progress=progress
            ),
            log_file,
            console,
        )
        if found is None:
            return EXIT_ERROR
        from ..showing import adoption  # noqa: PLC0415 - protocol buffers, for this alone

        adoption.show(found.run, found.bundle, config, console)
        console.print("\n[bold green]The model has a baseline.[/] For each span of its serving logs:")
        root = ("--set", f"root={config.root}") if config.root != AdoptionConfig().root else ()
        command = shlex.join(("model-monitor", "monitor", "--logs", "LOGS", *root))
        console.print(f"  {escape(command)}", soft_wrap=True)
    return EXIT_FINE
