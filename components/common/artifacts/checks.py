"""What the checks of a run say, read from the artifacts they left. What cannot be read is undecided, never a pass."""

from collections.abc import Callable, Iterable, Sequence

from tensorflow_metadata.proto.v0 import anomalies_pb2

from ..errors import MonitorError
from ..records.decision import REASONS_JSON, Decision
from ..records.drift_report import DRIFT_REPORT_JSON, DriftReport
from ..records.performance import PERFORMANCE_JSON, Performance
from ..verdict import Check, Effect, Finding, Outcome, Push, Verdict, verdict_of_push, verdict_of_span
from .files import Files, Given, Sources

COUNTS_JSON = "counts.json"  # ServingLogExampleGen's
ANOMALIES_FILE = "SchemaDiff.pb"  # ExampleValidator's
BLESSED, NOT_BLESSED = "BLESSED", "NOT_BLESSED"  # Evaluator's
# What a record that is not what it should be makes Python say; of a MonitorError (a ValueError), the message is enough.
DAMAGE = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)


def said(error: Exception) -> str:
    """An error's message, with its type where the message alone says nothing."""
    return str(error) if isinstance(error, MonitorError) else f"{type(error).__name__}: {error}"


def checks_of(sources: Sources, files: Files) -> tuple[Check, ...]:
    """The checks of a run: those that the push was decided by, or those of a window."""
    if sources.blessing is not None:
        return _guarded("blessing", lambda: _decision(sources.blessing, files, sources.objections))
    checks: list[Check] = []
    for given in sources.anomalies:
        name = given.producer or given.uri
        checks += _guarded(name, lambda given=given, name=name: [_check(given, name, files)])  # type: ignore[misc]
    return tuple(checks)


def verdict_of(sources: Sources, checks: tuple[Check, ...], p_value: float | None = None) -> Verdict:
    """The verdict on a run. One in which nothing was checked, or in which something is missing, is undecided."""
    if sources.blessing is not None:
        return verdict_of_push(checks, _push(sources.pushed_model))
    return verdict_of_span(checks, span=_span(sources), p_value=p_value, missing=sources.missing)


def read_anomalies(given: Given, files: Files) -> dict[str, anomalies_pb2.Anomalies]:
    """The anomalies of every split of an artifact. Raises `MonitorError` where one cannot be read."""
    present = files.listing(given.uri)
    found = {}
    for split, folder in _split_folders(given, files, present).items():
        path = given.path(folder, ANOMALIES_FILE)
        found[split] = parse_message(anomalies_pb2.Anomalies(), files.content(path), path)
    if not found:
        raise MonitorError(f"{given.uri} must hold the anomalies of a split. Received: none")
    return found


def _split_folders(given: Given, files: Files, present: list[str]) -> dict[str, str]:
    """The folder of each split: Transform has its anomalies in none, DistributionValidator in one for two splits."""
    splits = files.splits(given)
    if not splits and ANOMALIES_FILE in present:
        return {"all": ""}
    return {split: f"SplitPair-{split}" if f"SplitPair-{split}" in present else f"Split-{split}" for split in splits}


def parse_message(message: anomalies_pb2.Anomalies, content: bytes, path: str) -> anomalies_pb2.Anomalies:
    """Fills a message of any type from a file's content, which must not be empty."""
    if not content:
        raise MonitorError(f"{path} must hold a {type(message).__name__}. Received: an empty file")
    try:
        taken = message.MergeFromString(content)
    except Exception as error:  # DecodeError, and SystemError where protobuf's own warnings are errors
        raise MonitorError(f"{path} must hold a {type(message).__name__}. Received: {error}") from error
    if taken is not None and taken != len(content):
        raise MonitorError(f"{path} must hold a {type(message).__name__}. Received: only {taken} bytes of one")
    return message


def _guarded(name: str, read: Callable[[], Iterable[Check]]) -> tuple[Check, ...]:
    """What is read, or a check that is undecided because it could not be."""
    try:
        return tuple(read())
    except DAMAGE as error:
        return (Check(name, "", Outcome.UNDECIDED, f"what it decided cannot be read: {said(error)}"),)


def _decision(blessing: Given | None, files: Files, objections: tuple[str, ...]) -> Sequence[Check]:
    """PushGate's checks; of a blessing without reasons, the Evaluator's own."""
    if blessing is None:
        return []
    present = files.listing(blessing.uri)
    if REASONS_JSON not in present:
        return [_marker(blessing, present, objections)]
    return Decision.from_json(files.content(blessing.path(REASONS_JSON)).decode()).checks


def _marker(blessing: Given, present: list[str], objections: tuple[str, ...]) -> Check:
    name = blessing.producer or "blessing"
    if BLESSED in present and NOT_BLESSED not in present:
        return Check(name, "", Outcome.PASSED, f"the model is blessed by {name}")
    if NOT_BLESSED in present:
        return Check(name, "", Outcome.FAILED, "; ".join(objections) or f"the model is not blessed by {name}")
    return Check(name, "", Outcome.UNDECIDED, f"there is no blessing in {blessing.uri}")


def _check(given: Given, name: str, files: Files) -> Check:
    """The check behind an anomalies artifact: by the report beside the anomalies, or by the anomalies alone."""
    present = files.listing(given.uri)
    if DRIFT_REPORT_JSON in present:
        report = DriftReport.from_json(files.content(given.path(DRIFT_REPORT_JSON)).decode())
        problems = tuple(Finding("problem", "", Effect.WARN, each) for each in report.problems)
        return Check(f"Data ({name})", "", report.outcome, report.sentence, problems)
    if PERFORMANCE_JSON in present:
        judged = Performance.from_json(files.content(given.path(PERFORMANCE_JSON)).decode()).check
        return Check(f"Accuracy ({name})", "", judged.outcome, judged.reason, judged.findings)
    title = f"Serving logs ({name})" if COUNTS_JSON in present else name
    return _anomalies_check(title, read_anomalies(given, files))


def _anomalies_check(title: str, splits: dict[str, anomalies_pb2.Anomalies]) -> Check:
    """Every anomaly but a warning fails it, and so does one of a severity that is not known."""
    findings = [_finding(feature, info) for anomalies in splits.values() for feature, info in infos(anomalies)]
    missing = [Finding("data_missing", split, Effect.UNDECIDED, "there was no data to validate")
               for split, anomalies in splits.items() if anomalies.data_missing]  # fmt: skip
    passed = "nothing worse than a warning" if findings else "no anomaly"
    return Check.of(title, [*findings, *missing], passed=passed)


def _finding(feature: str, info: anomalies_pb2.AnomalyInfo) -> Finding:
    effect = Effect.WARN if info.severity == anomalies_pb2.AnomalyInfo.WARNING else Effect.FAIL
    message = f"{feature}: {info.short_description}" if feature else info.short_description
    return Finding("anomaly", feature, effect, message)


def infos(anomalies: anomalies_pb2.Anomalies) -> list[tuple[str, anomalies_pb2.AnomalyInfo]]:
    """Every anomaly with the feature it is about, "" for the whole data set."""
    found = [(".".join(info.path.step) or key, info) for key, info in sorted(anomalies.anomaly_info.items())]
    if anomalies.HasField("dataset_anomaly_info"):
        found.append(("", anomalies.dataset_anomaly_info))
    return found


def _push(pushed: Given | None) -> Push | None:
    if pushed is None:
        return None
    return Push(pushed.properties.get("pushed") == 1, str(pushed.properties.get("pushed_version", "")))


def _span(sources: Sources) -> int | None:
    given = (each for each in (sources.statistics, sources.examples) if each is not None)
    spans = [each.properties["span"] for each in given if "span" in each.properties]
    return int(spans[0]) if spans else None


def beside(files: Files, anomalies: Sequence[Given], name: str) -> Given | None:
    """The last of the anomalies artifacts that has a file of this name; folders that cannot be listed have none."""
    for given in reversed(anomalies):
        try:
            present = files.listing(given.uri)
        except MonitorError:  # said where the artifact's own anomalies are read
            continue
        if name in present:
            return given
    return None
