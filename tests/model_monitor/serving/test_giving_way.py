"""What a process that gives way is to the system, which is asked in a process of its own: it cannot be taken back."""

import platform
import subprocess
import sys
from pathlib import Path

ASK = """
import os, struct, ctypes, platform
from model_monitor.serving.proxy.giving_way import _ATTRIBUTES, give_way
give_way()
print(os.getpriority(os.PRIO_PROCESS, 0))
found = ctypes.create_string_buffer(_ATTRIBUTES.size)
number = {"x86_64": 315, "aarch64": 275}[platform.machine()]
ctypes.CDLL(None).syscall(number, 0, found, _ATTRIBUTES.size, 0)
print(_ATTRIBUTES.unpack(found.raw)[5])
print(open("/proc/self/autogroup").read() if os.path.exists("/proc/self/autogroup") else "nice 10")
"""


def test_a_process_that_gives_way_has_less_weight_and_short_slices():
    command = [sys.executable, "-c", ASK]
    done = subprocess.run(command, capture_output=True, text=True, check=True, start_new_session=True)
    nice, runs, group = done.stdout.split("\n", 2)
    assert nice == "10"
    assert group.strip().endswith("nice 10") or not Path("/proc/self/autogroup").exists()
    version = tuple(int(each) for each in platform.release().split(".")[:2])
    assert int(runs) == 100_000 or version < (6, 12)
