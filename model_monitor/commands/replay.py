"""`model-monitor replay`: logs of the pushed model to watch, as they are or with a shift."""

import argparse
import os
from pathlib import Path

from ..terminal import quiet
from ..traffic import replay

DESCRIPTION = "Scores images with the pushed model and writes its serving logs, as they are or with a shift."

add_arguments = replay.add_arguments


def run(options: argparse.Namespace) -> int:
    # What TensorFlow writes as it loads is about missing GPUs; what fails is raised.
    with quiet(Path(os.devnull)) as console:
        return replay.run(options, console)
