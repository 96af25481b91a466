"""The command of a container that runs one step of a TFX pipeline on Kubeflow Pipelines, on kfp.local or on Vertex AI.

    python -m pipelines.runners.kfp_entrypoint [--compiled_by=VERSION] [--pipeline_name=NAME] ARGUMENTS_OF_TFX

TFX's compiler appends its arguments to the command; docs/kubeflow_entrypoint.md says how a pipeline gets this one, and
what it mends. Ends with exit code 0 and a message ExecutorOutput, or with another and one sentence, last on stderr.
"""

import argparse
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from components.common.errors import MonitorError
from components.common.object_store.files import store_files
from components.common.processor import tell_openblas
from components.common.step import MOST_READ

from .kfp.executor_input import (
    INPUT_ARGUMENT,
    SPEC_ARGUMENT,
    Declared,
    ExecutorInput,
    Json,
    plain_parameters,
    read_declared,
    read_input,
)
from .kfp.executor_output import driver_output, make_room, write_output
from .kfp.light_steps import LightStep, light_step
from .kfp.mends import mend, on_vertex
from .kfp.places import FOLDERS, PREFIX_VARIABLE, Places
from .kfp.run_names import run_names
from .project_version import project_version

# Runners of Beam's whose work is done in this container; the workers of others do not have its folders.
_RUNNERS_HERE = ("DirectRunner", "FnApiRunner", "PrismRunner", "ProcessRunner")


@dataclass(frozen=True)
class Arguments:
    """What the container was told.

    Attributes:
      executor_class: the path of the executor's class.
      given: the message ExecutorInput.
      spec: what the compiler wrote down of the inputs, as it came; "" for nothing.
      declared: the same, read.
      pipeline_name: "" where it was not told.
      beam_args: all other arguments, which are Beam's.

    """

    executor_class: str
    given: ExecutorInput
    spec: str
    declared: Declared
    pipeline_name: str
    beam_args: tuple[str, ...]


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, without a list of arguments that nobody types."""

    def error(self, message: str) -> NoReturn:
        raise MonitorError(f"The command of the container must be that of a compiled pipeline. Received: {message}")


def main(argv: Sequence[str]) -> int:
    """Runs one step and returns the exit code."""
    tell_openblas()  # as `model-monitor` does: what is computed here and there is the same to the last digit
    try:
        run(read_arguments(argv))
    except MonitorError as error:
        print(error, file=sys.stderr)  # noqa: T201 - what people read of a container
    except Exception as error:
        traceback.print_exc()
        print(f"The step failed. {type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
    else:
        return 0
    return 1


def read_arguments(argv: Sequence[str]) -> Arguments:
    """What the command line says. Raises `MonitorError` saying what is wrong with it, before anything is done."""
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--compiled_by", default="")
    parser.add_argument("--pipeline_name", default="")
    parser.add_argument("--executor_class_path", required=True)
    parser.add_argument(f"--{INPUT_ARGUMENT}", required=True)
    parser.add_argument(f"--{SPEC_ARGUMENT}", default="")
    told, others = parser.parse_known_args(argv)
    _check_version(told.compiled_by)
    for before, each in zip(["", *others], others, strict=False):
        if not each.startswith("--") and (not before.startswith("--") or "=" in before):
            parser.error(f"the argument {each!r}, which belongs to none")
    spec = getattr(told, SPEC_ARGUMENT)
    return Arguments(
        executor_class=told.executor_class_path,
        given=read_input(getattr(told, INPUT_ARGUMENT)),
        spec=spec,
        declared=read_declared(spec),
        pipeline_name=told.pipeline_name,
        beam_args=tuple(others),
    )


def run(told: Arguments) -> None:
    """Runs the step. Raises whatever it raises, and then has written no output file."""
    given = mend(told.given, told.declared)
    prefix = os.environ.get(PREFIX_VARIABLE, "")
    elsewhere = _beam_elsewhere(told.beam_args)
    step = light_step(told.executor_class, plain_parameters(given, told.declared) if elsewhere else None)
    driven = driver_output(given.output_file)
    make_room(given.output_file)
    places = Places(prefix) if step else Places(prefix, _schemes(elsewhere=elsewhere or on_vertex(told.given)))
    if step:
        light = LightStep(step, places, store_files(MOST_READ), run_names(told.given, told.pipeline_name))
        made, more = light.make(given, told.declared), Json()
    else:
        from .kfp.tfx_steps import TfxStep  # noqa: PLC0415 - what it imports is nothing to other steps

        heavy = TfxStep(told.executor_class, told.spec, told.beam_args, places)
        made, more = heavy.make(given, told.declared, driven)
    write_output(made, more, given, places)


def _beam_elsewhere(beam_args: Sequence[str]) -> bool:
    """Whether Beam's work is done elsewhere than in this process."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--runner", default="")
    runner = parser.parse_known_args(beam_args)[0].runner
    return bool(runner) and not any(name in runner for name in _RUNNERS_HERE)


def _schemes(*, elsewhere: bool) -> tuple[str, ...]:
    """The schemes whose copies TFX is to use. Google's own store it reads by itself, also from other machines."""
    return tuple(scheme for scheme in FOLDERS if not (elsewhere and scheme == "gs"))


def _check_version(compiled_by: str) -> None:
    if compiled_by and compiled_by != (here := project_version()):
        raise MonitorError(
            f"The pipeline was compiled by {compiled_by}, the image holds {here}: both must be of one version."
        )


def end(code: int) -> NoReturn:
    """Ends the process now: TensorFlow may die in its destructors after all is done."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    end(main(sys.argv[1:]))
