"""What other processes have had of processors."""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(process: int) -> float:
    """The processor seconds of a process, of all its threads."""
    return times(process)[0]


def times(process: int) -> tuple[float, float]:
    """Processor seconds of a process, and of the children that it has waited for."""
    # proc(5): the 14th to 17th field; what may hold blanks, the name, ends with the last bracket
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    user, system, waited_user, waited_system = (int(each) / _TICKS for each in fields[11:15])
    return user + system, waited_user + waited_system
