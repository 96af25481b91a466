"""The gate on the data: TFDV's anomalies held against the policy."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..common.verdict import Check, Effect, Finding
from .policy import AnomaliesPolicy

GATE = "anomalies"


@dataclass(frozen=True)
class Anomaly:
    """One reason of one of TFDV's anomalies. `feature` is empty when it is about the whole dataset."""

    feature: str
    type: str
    severity: str
    description: str


def anomalies_in(proto: Any) -> Iterator[Anomaly]:
    """Every reason in a `tensorflow_metadata` `Anomalies` message, ordered by feature."""
    if proto.HasField("dataset_anomaly_info"):
        yield from _reasons("", proto.dataset_anomaly_info)
    for key in sorted(proto.anomaly_info):
        info = proto.anomaly_info[key]
        yield from _reasons(".".join(info.path.step) or key, info)


def judge(anomalies: Iterator[Anomaly], policy: AnomaliesPolicy, subject: str) -> Check:
    """The verdict on one split."""
    findings = [_finding(anomaly, policy) for anomaly in anomalies]
    passed = "no anomaly that blocks" if findings else "no anomaly"
    return Check.of(GATE, findings, passed=passed, subject=subject)


def unreadable(reason: str, subject: str = "") -> Check:
    """The verdict on a split, or on the data as a whole, that cannot be judged."""
    return Check.of(GATE, [Finding("input", "", Effect.UNDECIDED, reason)], passed="", subject=subject)


def _reasons(feature: str, info: Any) -> Iterator[Anomaly]:
    severity = _name(info, "severity")
    for reason in info.reason:
        yield Anomaly(feature, _name(reason, "type"), severity, reason.description or reason.short_description)
    if not info.reason:
        # Unknown is not harmless: without a type, only the severity can decide.
        yield Anomaly(feature, "UNKNOWN_TYPE", severity, info.description or info.short_description)


def _name(message: Any, field: str) -> str:
    """The name of an enum's value; the enum's zero for a number that this version does not know."""
    values = message.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number
    return str(values.get(getattr(message, field), values[0]).name)


def _finding(anomaly: Anomaly, policy: AnomaliesPolicy) -> Finding:
    effect, note = _effect(anomaly, policy)
    about = f"feature {anomaly.feature}" if anomaly.feature else "the dataset"
    told = anomaly.description.strip().rstrip(".") or "no description"
    message = f"{about}: {told} ({anomaly.type}, {anomaly.severity}{note})"
    return Finding(anomaly.type, anomaly.feature, effect, message)


def _effect(anomaly: Anomaly, policy: AnomaliesPolicy) -> tuple[Effect, str]:
    few = policy.too_few_examples
    if anomaly.type in few.types:
        return (Effect.UNDECIDED if few.action == "block" else Effect.WARN), "; too few examples to judge"
    exemption = policy.exemption(anomaly.feature)
    if exemption:
        return Effect.EXEMPT, f"; exempt: {exemption.because}"
    blocks = policy.action(anomaly.type, anomaly.severity) == "block"
    return (Effect.FAIL if blocks else Effect.WARN), ""
