"""How a process lets others of its machine come first, and still goes on where they leave no processor idle."""

import contextlib
import ctypes
import os
import platform
import struct

_NICE = 10  # a tenth of what the others get of a processor that all of them want
_SLICE = 100_000  # nanoseconds, the least that Linux takes; of three milliseconds, a request would wait for the rest
_NUMBERS = {"x86_64": 314, "aarch64": 274}  # of the system call sched_setattr, which libc does not have
# size, policy (the ordinary one), flags, nice, priority, runtime, deadline, period, two bounds of utilisation: sched(7)
_ATTRIBUTES = struct.Struct("=IIQiIQQQII")


def give_way() -> None:
    """Lowers the calling process's weight, and shortens how long it runs at a time once others have work.

    Nice alone says nothing where Linux shares processors out by sessions, and the process has one of its own; and even
    then one that has begun its slice of time keeps others waiting until that is over. Slices can be set from Linux 6.12
    on; what the system does not have or allow is left as it is.
    """
    nice = os.nice(_NICE)
    with contextlib.suppress(OSError), open("/proc/self/autogroup", "w", encoding="ascii") as group:
        group.write(str(_NICE))
    number = _NUMBERS.get(platform.machine())
    if number is not None and platform.system() == "Linux":
        attributes = _ATTRIBUTES.pack(_ATTRIBUTES.size, os.SCHED_OTHER, 0, nice, 0, _SLICE, 0, 0, 0, 0)
        ctypes.CDLL(None).syscall(number, 0, ctypes.c_char_p(attributes), 0)
