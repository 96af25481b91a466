"""Runs a step in TFX's own entry point, whether it needs TFX or not: what every step was before some became light."""

import os
import sys

from pipelines.runners.kfp.executor_output import driver_output
from pipelines.runners.kfp.mends import mend
from pipelines.runners.kfp.places import FOLDERS, PREFIX_VARIABLE, Places
from pipelines.runners.kfp.tfx_steps import TfxStep
from pipelines.runners.kfp_entrypoint import end, read_arguments


def main(argv: list[str]) -> int:
    told = read_arguments(argv)
    places = Places(os.environ.get(PREFIX_VARIABLE, ""), tuple(FOLDERS))
    step = TfxStep(told.executor_class, told.spec, told.beam_args, places)
    step.make(mend(told.given, told.declared), told.declared, driver_output(told.given.output_file))
    return 0


if __name__ == "__main__":
    end(main(sys.argv[1:]))
