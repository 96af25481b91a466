"""What decides the last digits of sums and products: steps have it as this process does."""

import os

from components.common.processor import VARIABLE

_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", VARIABLE)


def same_arithmetic() -> dict[str, str]:
    """The variables of a step's environment for as many threads, and the instructions that OpenBLAS uses."""
    return {name: os.environ[name] for name in _VARIABLES if name in os.environ}
