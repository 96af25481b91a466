"""Builds `Anomalies` out of several sources, as TFDV itself would word a feature with several reasons."""

from collections.abc import Iterable, Sequence

from tensorflow_metadata.proto.v0 import anomalies_pb2

from ..common.records.drift_report import DriftReport, Measurement
from ..common.two_sample.comparison import KOLMOGOROV_SMIRNOV
from .problems import ERROR, REFERENCES, Problem

_MULTIPLE = "Multiple errors"  # TFDV's words
_NEW_COLUMN = "SCHEMA_NEW_COLUMN"
_FEATURES_NAMED = 3


def merge(into: anomalies_pb2.Anomalies, other: anomalies_pb2.Anomalies) -> None:
    """Adds the reasons of `other`, about features and about the data set, and what it measured."""
    for name, info in other.anomaly_info.items():
        _add(into.anomaly_info[name], info)
    if other.HasField("dataset_anomaly_info"):
        _add(into.dataset_anomaly_info, other.dataset_anomaly_info)
    for measured in other.drift_skew_info:
        _measurements_of(into, measured.path).MergeFrom(
            anomalies_pb2.DriftSkewInfo(
                drift_measurements=measured.drift_measurements, skew_measurements=measured.skew_measurements
            )
        )


def add_problem(into: anomalies_pb2.Anomalies, problem: Problem) -> None:
    """Adds what is wrong besides a difference."""
    reason = _reason(problem.type, problem.title, _as_sentence(problem.sentence))
    _add_reason(into, problem.feature, reason, problem.severity)


def add_exceeded(into: anomalies_pb2.Anomalies, report: DriftReport, measured_by_tfdv: Iterable[str]) -> None:
    """Adds every test that raises the alarm and is not one of TFDV's own; the joint tests as one."""
    theirs = set(measured_by_tfdv)
    exceeded = [found for found in report.measurements if found.exceeded]
    for comparison in REFERENCES:
        joint = [found for found in exceeded if found.comparison == comparison and not found.feature]
        if joint:
            features = [found.feature for found in exceeded if found.comparison == comparison and found.feature]
            _add_reason(into, "", _joint_reason(joint, list(dict.fromkeys(features)), report), ERROR)
    for found in exceeded:
        if found.feature and found.test not in theirs:
            _add_reason(into, found.feature, _feature_reason(found, report), ERROR)


def soften_new_columns(anomalies: anomalies_pb2.Anomalies) -> None:
    """Makes a column that the schema does not know a warning: logs may hold more than a model is fed."""
    for info in anomalies.anomaly_info.values():
        if all(anomalies_pb2.AnomalyInfo.Type.Name(reason.type) == _NEW_COLUMN for reason in info.reason):
            info.severity = anomalies_pb2.AnomalyInfo.WARNING


def _joint_reason(
    joint: Sequence[Measurement], features: Sequence[str], report: DriftReport
) -> anomalies_pb2.AnomalyInfo.Reason:
    """One sentence for the joint tests that raise the alarm, the most unusual first, and what moved most."""
    title = f"The window as a whole differs from the {REFERENCES[joint[0].comparison]}"
    most = f"most in {', '.join(features[:_FEATURES_NAMED])}" if features else "no feature by itself"
    tests = ", ".join(found.test for found in joint)
    return _reason("CUSTOM_VALIDATION", title, f"{title}, {most}: {_chance(joint[0], report)} ({tests}).")


def _feature_reason(found: Measurement, report: DriftReport) -> anomalies_pb2.AnomalyInfo.Reason:
    """A test of ours of one feature that raises the alarm."""
    name = "Kolmogorov-Smirnov distance" if found.test == KOLMOGOROV_SMIRNOV else found.test
    between = f"{name} between {REFERENCES[found.comparison]} and window"
    limits = f"is {found.measured:.6g}, above the threshold {found.threshold:.6g}"
    return _reason("CUSTOM_VALIDATION", f"High {between}", f"The {between} {limits}: {_chance(found, report)}.")


def _chance(found: Measurement, report: DriftReport) -> str:
    _, limit = report.comparisons[f"against the {found.reference}"]
    return f"p = {found.adjusted_p_value:.4g}, alarm at {limit:.2g}"


def _add_reason(
    into: anomalies_pb2.Anomalies, feature: str, reason: anomalies_pb2.AnomalyInfo.Reason, severity: str
) -> None:
    info = anomalies_pb2.AnomalyInfo(severity=severity, reason=[reason])
    if feature:
        info.path.step.append(feature)
    _add(into.anomaly_info[feature] if feature else into.dataset_anomaly_info, info)


def _add(info: anomalies_pb2.AnomalyInfo, other: anomalies_pb2.AnomalyInfo) -> None:
    """Adds reasons. All have the one severity of their anomaly, so a warning beside an error would become an error.

    It is told in the description then, and no reason.
    """
    told = " ".join(reason.description for reason in other.reason)
    info.description = f"{info.description} {told}".strip()
    if other.severity > info.severity:
        del info.reason[:]
    if other.severity >= info.severity:
        info.reason.extend(other.reason)
        info.severity = other.severity
    if other.HasField("path"):
        info.path.CopyFrom(other.path)
    info.short_description = _MULTIPLE if len(info.reason) > 1 else info.reason[0].short_description


def _reason(kind: str, title: str, sentence: str) -> anomalies_pb2.AnomalyInfo.Reason:
    return anomalies_pb2.AnomalyInfo.Reason(type=kind, short_description=title, description=sentence)


def _as_sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _measurements_of(into: anomalies_pb2.Anomalies, path: object) -> anomalies_pb2.DriftSkewInfo:
    for info in into.drift_skew_info:
        if info.path == path:
            return info
    return into.drift_skew_info.add(path=path)
