"""Stands for the container's `python`: runs the step as it is, then as TFX alone would run it, and measures both.

What TFX makes anew goes beside what the step made, so that no other step sees it. Imports nothing but the standard
library, for it is there while the step runs.
"""

import json
import os
import sys
import time

INPUT = "--json_serialized_invocation_args"
FILE = "STEP_MEASURES"  # variable of the environment: where a line is added for each process
BESIDE = "-by-tfx"
DESTINATION = "push_destination"


def measured(arguments):
    """Runs Python; its exit code, processor time in seconds, peak of memory in MiB, and time in seconds."""
    began = time.monotonic()
    process = os.posix_spawn(sys.executable, [sys.executable, *arguments], os.environ)
    _, status, usage = os.wait4(process, 0)
    seconds = time.monotonic() - began
    return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, seconds


def beside(text):
    """The message ExecutorInput whose outputs, and where a pusher pushes to, are beside what they were."""
    given = json.loads(text)
    for several in given["outputs"]["artifacts"].values():
        for artifact in several["artifacts"]:
            artifact["uri"] += BESIDE
    given["outputs"]["outputFile"] += BESIDE
    values = given["inputs"].get("parameterValues", {})
    if DESTINATION in values:
        values[DESTINATION] = values[DESTINATION] + BESIDE
    return json.dumps(given)


def main(arguments):
    at = arguments.index(INPUT) + 1
    again = [*arguments[:at], beside(arguments[at]), *arguments[at + 1 :]]
    again[arguments.index("-m") + 1] = "benchmarks.kubeflow.by_tfx"
    code, *ours = measured(arguments)
    tfx_code, *theirs = measured(again) if code == 0 else (code, 0, 0, 0)
    with open(os.environ[FILE], "a", encoding="utf-8") as file:
        file.write(json.dumps({"ours": ours, "tfx": theirs, "codes": [code, tfx_code]}) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
