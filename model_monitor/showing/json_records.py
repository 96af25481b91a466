"""Runs, artifacts, explanations and comparisons as records for JSON, the same from one version to the next.

Keys are added and never change their meaning; `format_version` changes when one has to go.
"""

from dataclasses import asdict
from typing import Any

from components.common.artifacts.files import Artifact
from components.common.records.drift_report import Measurement
from components.common.verdict import Check
from components.common.verdict_words import Outcome, State

from ..comparing.comparison import Accuracies, Comparison, Moved, Output
from ..reading.artifact_tables.table import Opened
from ..reading.explanation import Explanation
from ..reading.findings import RunFinding
from ..reading.history import History
from ..reading.lineage import Source
from ..reading.origins import count_nodes
from ..reading.run_store import Node, Run
from ..reading.verdicts import RunVerdict

FORMAT_VERSION = 2


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
        "fine_again_after": list(found.history.not_fine)
        if found.state is State.FINE and found.history.incident
        else [],
        "seen_before": None if found.history.seen is None else asdict(found.history.seen),
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
        "baseline": {
            "uri": found.baseline,
            "pushed_by": found.baseline_run.id if found.baseline_run else None,
            "reference": found.reference,
        },
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


def comparison_record(history: History, found: Comparison) -> dict[str, Any]:
    """Two runs; every list of two has the first run's value first, and null where one has none."""
    return {
        "format_version": FORMAT_VERSION,
        "sentences": found.sentences,
        "runs": [{**run_record(history, side.run), "baseline": side.baseline} for side in found.sides],
        "problems": [list(side.problems) for side in found.sides],
        "common_nodes": found.common_nodes,
        "only": list(found.only),
        "parameters": [
            {"node": node, "name": name, "values": list(pair.both)} for (node, name), pair in found.parameters.items()
        ],
        "counts": [{"of": of, "name": name, "values": list(pair.both)} for (of, name), pair in found.counts.items()],
        "same_input": found.same_input,
        "checks": [
            {"name": name, "decided": [_check(each) for each in pair.both]} for name, pair in found.checks.items()
        ],
        "findings": [[_finding(each) for each in pair.both] for pair in found.findings],
        "accuracy": [_accuracy(each) for each in found.accuracies],
        "metrics": [{"name": name, "values": list(pair.both)} for name, pair in found.metrics.items()],
        "p_values": [{"name": name, "values": list(pair.both)} for name, pair in found.p_values.items()],
        "features": [_moved(each) for each in found.moved],
        "nodes": [
            {
                "name": name,
                "states": [node.state if node else None for node in pair.both],
                "seconds": [node.seconds if node else None for node in pair.both],
                "outputs": [_output(each) for each in found.outputs.get(name, ())],
            }
            for name, pair in found.nodes.items()
        ],
    }


def _check(check: Check | None) -> dict[str, str] | None:
    return None if check is None else {"outcome": check.outcome.value, "reason": check.reason}


def _finding(found: RunFinding | None) -> dict[str, Any] | None:
    if found is None:
        return None
    names = ("check", "what", "where", "message", "measured", "allowed", "file")
    return {name: getattr(found, name) for name in names}


def _accuracy(found: Accuracies) -> dict[str, Any]:
    less = found.difference
    values = [None if each is None else asdict(each) for each in found.values.both]
    known = {"known": found.known, "slice": found.slice, "values": values}
    return {**known, "difference": None if less is None else {**asdict(less), "beyond_chance": less.beyond_chance}}


def _moved(found: Moved) -> dict[str, Any]:
    measured = [_measured(each) for each in found.measured.both]
    return {"feature": found.feature, "against": found.comparison, "test": found.test, "measured": measured}


def _measured(found: Measurement | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "measured": found.measured,
        "threshold": found.threshold,
        "p_value": found.p_value,
        "adjusted_p_value": found.adjusted_p_value,
        "exceeded": found.exceeded,
        "reference_mean": found.reference_mean,
        "window_mean": found.window_mean,
    }


def _output(found: Output) -> dict[str, Any]:
    return {"key": found.key, "artifacts": [[each.id for each in side] for side in found.artifacts], "same": found.same}
