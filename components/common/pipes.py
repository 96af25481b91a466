"""The output of a process that was started with a pipe for it."""

import subprocess
from typing import IO, AnyStr


def output_of(process: "subprocess.Popen[AnyStr]") -> IO[AnyStr]:
    """What the process prints. Raises `ValueError` where it was started without a pipe."""
    if process.stdout is None:
        raise ValueError(f"{process.args!r} must be started with stdout=subprocess.PIPE")
    return process.stdout
