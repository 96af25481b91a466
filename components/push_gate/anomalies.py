"""The gate on the data: TFDV's anomalies held against the policy."""

from collections.abc import Iterable

from ..common.artifacts.anomalies import NOT_COMPARED_TYPES, Anomaly
from ..common.verdict import Check, Effect, Finding
from .policy import AnomaliesPolicy

GATE = "anomalies"


def judge(anomalies: Iterable[Anomaly], policy: AnomaliesPolicy, subject: str) -> Check:
    """The check of one split."""
    findings = [_finding(anomaly, policy) for anomaly in anomalies]
    passed = "no anomaly that blocks" if findings else "no anomaly"
    return Check.of(GATE, findings, passed=passed, subject=subject)


def unreadable(reason: str, subject: str = "") -> Check:
    """The check of a split, or of the data as a whole, that cannot be judged."""
    return Check.of(GATE, [Finding("input", "", Effect.UNDECIDED, reason)], passed="", subject=subject)


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
    if not blocks:
        return Effect.WARN, ""
    return (Effect.UNDECIDED if anomaly.type in NOT_COMPARED_TYPES else Effect.FAIL), ""
