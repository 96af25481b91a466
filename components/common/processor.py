"""Tells OpenBLAS, which NumPy and SciPy multiply matrices with, what the processor can do, and when to rest.

It goes by a list of the processors it knows, and takes one that is newer than itself for one of 2004: products then
take three to four times as long. What it can do is in the kernel's list of flags. And after each product its threads
ask for the next one, without a pause, for a tenth of a second (docs/traps.md).
"""

import os
import platform
from collections.abc import Collection
from pathlib import Path

VARIABLE = "OPENBLAS_CORETYPE"
TIMEOUT = "OPENBLAS_THREAD_TIMEOUT"
_TICKS = "16"  # of the processor's clock that a thread waits awake, as a power of two: 30 microseconds or so
_KINDS = {
    "SkylakeX": {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"},
    "Haswell": {"avx2", "fma"},
}


def core_type(flags: Collection[str]) -> str:
    """The best of OpenBLAS's kinds of processors that these flags of one allow; "" where its own choice is as good.

    >>> core_type({"sse2", "avx", "avx2", "fma"})
    'Haswell'
    """
    return next((kind for kind, needed in _KINDS.items() if needed <= set(flags)), "")


def tell_openblas(cpuinfo: Path = Path("/proc/cpuinfo")) -> None:
    """Sets its variables for this process and those that it starts, unless they are set. Comes before NumPy."""
    os.environ.setdefault(TIMEOUT, _TICKS)
    if VARIABLE in os.environ or platform.machine() != "x86_64":
        return
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux
        return
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    if kind := core_type(flags):
        os.environ[VARIABLE] = kind
