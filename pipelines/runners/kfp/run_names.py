"""Which pipeline and which run a container belongs to: nothing tells it, but the places of its outputs do."""

import re
from dataclasses import dataclass

from .executor_input import ExecutorInput

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# What kfp.local and Vertex AI make of a pipeline's name for a run: its time, to the microsecond or to the second.
_TIME = re.compile(r"-(\d{14}|\d{4}(-\d{2}){5}-\d{6})")


@dataclass(frozen=True)
class RunNames:
    """The name of the pipeline and of the run, "" where they are not known."""

    pipeline: str = ""
    run: str = ""


def run_names(given: ExecutorInput, pipeline: str = "") -> RunNames:
    """What the URI of an output says: `.../PIPELINE/RUN/TASK/KEY`, with one more folder before KEY since KFP 2.4.

    On `kfp.local` and on Vertex AI, RUN is the name of the pipeline and a time, and what is before it something else.

    Args:
      given: as it came, with Kubeflow's own outputs, which every step has.
      pipeline: its name, where it is known; a run is then known by it, whatever the run is called.

    """
    uri = next((artifact.uri for several in given.outputs.values() for artifact in several), "")
    *above, _key = uri.split("/")
    if above and _UUID.fullmatch(above[-1]):
        above.pop()
    owner, run = above[-3:-1] if len(above) > 2 else ("", "")
    timed = _TIME.search(run)
    if owner == pipeline or _UUID.fullmatch(run):
        return RunNames(pipeline or owner, run)
    if timed and timed.end() == len(run):
        return RunNames(pipeline or run[: timed.start()], run)
    return RunNames(pipeline)
