"""A comparison as a record for JSON, by the rules of `run_records`: keys are added and never change their meaning."""

from dataclasses import asdict
from typing import Any

from components.common.records.drift_report import Measurement
from components.common.verdict import Check

from ..comparing.comparison import Accuracies, Comparison, Moved, Output
from ..reading.findings import RunFinding
from ..reading.history import History
from .json_records import FORMAT_VERSION, run_record


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
