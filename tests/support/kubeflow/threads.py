"""How many threads add numbers up, which decides the last digits of sums: steps have as many as this process."""

import os

_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")


def as_many_threads() -> dict[str, str]:
    """The variables of a step's environment that say so; none, where this process has none."""
    return {name: os.environ[name] for name in _VARIABLES if name in os.environ}
