"""Runs, artifacts and explanations as records for JSON, the same from one version to the next.

Keys are added and never change their meaning; `format_version` changes when one has to go.
"""

from typing import Any

from components.common.artifacts.files import Artifact
from components.common.verdict import Outcome

from ..reading.artifact_tables.table import Opened
from ..reading.explanation import Explanation
from ..reading.findings import RunFinding
from ..reading.history import History
from ..reading.lineage import Source
from ..reading.run_store import Node, Run
from ..reading.verdicts import RunVerdict

FORMAT_VERSION = 1


def run_record(history: History, run: Run) -> dict[str, Any]:
    """A run, its verdict, and how many of its nodes came to what."""
    return {
        "id": run.id,
        "run_id": run.run_id,
        "pipeline": run.pipeline,
        "started": run.started.isoformat(),
        "seconds": round(run.seconds, 3),
        "node_counts": count_nodes(run),
        "verdict": verdict_record(history.verdict(run)),
    }


def count_nodes(run: Run) -> dict[str, int]:
    """How many nodes were run to their end, taken from the cache, failed, or did not end yet."""
    states = [node.state for node in run.nodes.values()]
    known = {"complete": ("COMPLETE",), "cached": ("CACHED",), "failed": ("FAILED", "CANCELED")}
    counts = {name: sum(state in of for state in states) for name, of in known.items()}
    return {**counts, "unfinished": len(states) - sum(counts.values())}


def verdict_record(found: RunVerdict) -> dict[str, Any]:
    return {
        "state": found.state.value,
        "outcome": found.outcome.value,
        "good": found.outcome is Outcome.PASSED,
        "sentence": found.sentence,
        "reason": found.reason,
        "version": found.version,
        "destination": found.destination,
        "span": found.span,
        "p_value": found.p_value,
        "accuracy": found.accuracy,
    }


def node_record(node: Node) -> dict[str, Any]:
    return {
        "name": node.name,
        "component": node.type,
        "state": node.state,
        "cached": node.cached,
        "seconds": node.seconds,
        "parameters": node.parameters,
        "inputs": {key: [each.id for each in found] for key, found in node.inputs.items()},
        "outputs": {key: [artifact_record(each) for each in found] for key, found in node.outputs.items()},
        "chosen": {key: [each.id for each in found] for key, found in node.chosen.items()},
    }


def artifact_record(artifact: Artifact) -> dict[str, Any]:
    return {"id": artifact.id, "type": artifact.type, "uri": artifact.uri, "properties": artifact.properties}


def opened_record(opened: Opened) -> dict[str, Any]:
    return {
        "artifact": artifact_record(opened.artifact),
        "tables": [table.to_record() for table in opened.tables],
        "problems": list(opened.problems),
    }


def explanation_record(history: History, found: Explanation) -> dict[str, Any]:
    since = found.since
    return {
        "format_version": FORMAT_VERSION,
        "sentence": found.sentence,
        "run": run_record(history, found.run),
        "findings": [_finding_record(each) for each in found.findings],
        "since": None
        if since is None
        else {
            "first": since.first.id,
            "in_a_row": since.in_a_row,
            "before": since.before.id if since.before else None,
        },
        "lineage": [{"node": each.node.name, "artifact": each.artifact.id} for each in found.steps],
        "sources": [_source_record(each) for each in found.sources],
        "artifact": artifact_record(found.artifact) if found.artifact else None,
        "open": found.open,
        "baseline": {"uri": found.baseline, "pushed_by": found.baseline_run.id if found.baseline_run else None},
        "watched": [run_record(history, run) for run in found.watched],
    }


def _finding_record(found: RunFinding) -> dict[str, Any]:
    return {
        "check": found.check,
        "what": found.what,
        "where": found.where,
        "message": found.message,
        "measured": found.measured,
        "allowed": found.allowed,
        "decided": found.decided,
        "blocking": found.blocking,
        "node": found.node,
        "artifact": found.artifact.id,
        "file": found.file,
    }


def _source_record(found: Source) -> dict[str, Any]:
    return {
        "node": found.node.name,
        "run": found.node.run,
        "artifact": artifact_record(found.artifact),
        "place": found.place,
        "span": found.span,
        "fingerprint": found.fingerprint,
        "path": list(found.path),
    }
