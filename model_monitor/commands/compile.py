"""`model-monitor compile`: a pipeline for Kubeflow Pipelines or Vertex AI, as a YAML file."""

import argparse
import os
from pathlib import Path

from rich.markup import escape

from components.common.errors import require

from ..launching import compiling
from ..showing.lines import say
from ..submitting import specification
from ..terminal import make_console, quiet
from . import EXIT_FINE
from .running import add_settings

DESCRIPTION = """Writes a pipeline as a file for Kubeflow Pipelines or Vertex AI, which `submit` sends there. What a run
can say anew is a parameter, whose default is what the configuration says. What would not run there is refused, each
node and rule by name. Exit code: 0 written, 1 error; nothing is written then."""
_SUFFIXES = (".yaml", ".yml")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    known = ", ".join(compiling.PIPELINES)
    told = f"{known}, or MODULE:FUNCTION of your own, which gives a pipeline of TFX's without being told anything"
    parser.add_argument("--pipeline", required=True, metavar="NAME", help=told)
    parser.add_argument(
        "--image", default="", metavar="IMAGE", help="the container image of every step; default: `kubeflow.image`"
    )
    parser.add_argument("--target", choices=compiling.TARGETS, default="kfp", help="default: %(default)s")
    add_settings(parser, "serving_dir=s3://models/digits")
    parser.add_argument("-o", "--out", required=True, type=Path, metavar="FILE", help="where to write it, a *.yaml")


def run(options: argparse.Namespace) -> int:
    out: Path = options.out
    require(out.suffix in _SUFFIXES, "--out", "be a file named *.yaml, as Kubeflow takes it", str(out))
    found = compiling.source(options.pipeline, options.config, options.set)
    with quiet(Path(os.devnull)):  # what TensorFlow and TFX say of themselves when they are imported
        text = compiling.compiled(found, options.image, options.target)
    compiling.write(text, out)
    made = specification.read(out)
    console = make_console()
    say(console, f"[bold green]The pipeline {escape(made.name)} is written:[/] {escape(str(out))}")
    needed = [name for name, parameter in made.parameters.items() if parameter.required]
    for title, names in (("with a default", set(made.parameters) - set(needed)), ("to be given by each run", needed)):
        if names:
            console.print(f"Parameters {title}: {', '.join(sorted(names))}")
    return EXIT_FINE
