"""Where the artifacts of runs are from, and how the nodes of a run ended."""

from collections.abc import Iterable

from components.common.artifacts.files import Artifact

from .run_store import Node, Run

# Where an artifact is from: its run, its node, the key of the output.
Origin = tuple[Run, Node, str, Artifact]


def origins(runs: Iterable[Run], node: str = "", type_name: str = "") -> list[Origin]:
    """What the nodes of runs gave, by node and by type where these are named."""
    return [
        (run, each, key, artifact)
        for run in runs
        for each in run.nodes.values()
        for key, artifacts in each.outputs.items()
        for artifact in artifacts
        if node in ("", each.name) and type_name in ("", artifact.type)
    ]


def count_nodes(run: Run) -> dict[str, int]:
    """How many nodes were run to their end, taken from the cache, failed, or did not end yet."""
    states = [node.state for node in run.nodes.values()]
    known = {"complete": ("COMPLETE",), "cached": ("CACHED",), "failed": ("FAILED", "CANCELED")}
    counts = {name: sum(state in of for state in states) for name, of in known.items()}
    return {**counts, "unfinished": len(states) - sum(counts.values())}
