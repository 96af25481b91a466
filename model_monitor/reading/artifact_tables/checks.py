"""Tables of what judged a model: blessings, the gate's reasons, evaluations, and a tuner's choice."""

import json
from collections.abc import Iterator

from components.common.artifacts import evaluation
from components.common.artifacts.files import Artifact, Files
from components.common.artifacts.validation import validation_findings
from components.common.records.decision import REASONS_JSON, Decision
from components.common.strict_text import parse_json

from .table import Cell, Table

_METRICS_SIDE_BY_SIDE = 5  # more do not fit a line
_ALL = "(all)"


def blessing(artifact: Artifact, files: Files) -> Iterator[Table]:
    """What the blessing says, and what of."""
    markers = [name for name in ("BLESSED", "NOT_BLESSED", "INFRA_BLESSED", "INFRA_NOT_BLESSED")
               if files.holds(artifact.uri, name)]  # fmt: skip
    known = ("blessed", "reason", "current_model", "baseline_model")
    rows = [(key, artifact.properties[key]) for key in known if key in artifact.properties]
    yield Table("Blessing", ("", "says"), (*rows, ("file", ", ".join(markers) or "none")))


def reasons(artifact: Artifact, files: Files) -> Iterator[Table]:
    """Every check of the gate, then every finding."""
    decision = files.record(artifact.path(REASONS_JSON), Decision.from_json)
    checks = tuple((check.name, check.subject, check.outcome.value, check.reason) for check in decision.checks)
    yield Table("Checks", ("check", "of", "outcome", "reason"), checks)
    findings = tuple(
        (check.name, found.what, found.where, found.effect.value, found.measured, found.allowed)
        for check in decision.checks
        for found in check.findings
    )
    if findings:
        yield Table("Findings", ("check", "what", "of", "effect", "measured", "allowed"), findings)


def thresholds(artifact: Artifact, files: Files) -> Iterator[Table]:
    """The violations in TFMA's validation of the model."""
    result = evaluation.validation_result(artifact.uri, files)
    if result is None:
        return
    found = list(validation_findings(result))
    rows = tuple((each.what, each.where, each.measured, each.allowed, each.message) for each in found)
    columns = ("metric", "slice", "measured", "allowed", "what is wrong")
    yield Table("Thresholds: " + ("not met" if found else "all met"), columns, rows)


def metrics(artifact: Artifact, files: Files) -> Iterator[Table]:
    """The metrics of each slice; a table for each model and each difference of two."""
    found = evaluation.metrics(artifact.uri, files)
    for of in dict.fromkeys(each.of for each in found):
        mine = [each for each in found if each.of == of]
        names = list(dict.fromkeys(name for each in mine for name in each.metrics))
        title = f"Metrics of {of}" if of else "Metrics"
        rows: list[tuple[Cell, ...]]
        if len(names) > _METRICS_SIDE_BY_SIDE:
            rows = [(each.slice or _ALL, *pair) for each in mine for pair in each.metrics.items()]
            yield Table(title, ("slice", "metric", "value"), tuple(rows))
        else:
            rows = [(each.slice or _ALL, *(each.metrics.get(name) for name in names)) for each in mine]
            yield Table(title, ("slice", *names), tuple(rows))


def hyperparameters(artifact: Artifact, files: Files) -> Iterator[Table]:
    """What the tuner chose."""
    record = files.record(artifact.path("best_hyperparameters.txt"), parse_json)
    values = record.get("values", record) if isinstance(record, dict) else {}
    yield Table("Hyperparameters", ("name", "value"), tuple((name, _cell(value)) for name, value in values.items()))


def _cell(value: object) -> Cell:
    return value if isinstance(value, str | int | float | bool | None) else json.dumps(value)
