"""What each gate said, and the whole in one sentence."""

from collections.abc import Callable, Iterable

from tensorflow_metadata.proto.v0 import anomalies_pb2

from ..common.artifacts.files import Files, Given, Sources
from ..common.errors import MonitorError
from ..common.pages.parts import Gate, Outcome
from . import records
from .page import Verdict

ANOMALIES_FILE = "SchemaDiff.pb"  # ExampleValidator's
BLESSED, NOT_BLESSED = "BLESSED", "NOT_BLESSED"  # Evaluator's
# What a record that is not what it should be makes Python say; of a MonitorError (a ValueError), the message is enough.
DAMAGE = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)
_PERFORMANCE = {"fine": Outcome.PASSED, "hurts": Outcome.FAILED, "undecided": Outcome.UNDECIDED}


def said(error: Exception) -> str:
    """An error's message, with its type where the message alone says nothing."""
    return str(error) if isinstance(error, MonitorError) else f"{type(error).__name__}: {error}"


def gates_of(sources: Sources, files: Files) -> tuple[Gate, ...]:
    """The gates of a run: those that the push was decided by, or the checks of a window."""
    if sources.blessing is not None:
        return _guarded("blessing", lambda: _decision(sources.blessing, files, sources.objections))
    gates: list[Gate] = []
    for given in sources.anomalies:
        name = given.producer or given.uri
        gates += _guarded(name, lambda given=given, name=name: [_check(given, name, files)])  # type: ignore[misc]
    return tuple(gates)


def verdict_of(sources: Sources, gates: tuple[Gate, ...]) -> Verdict:
    """One sentence. A run in which nothing was judged, or in which something is missing, is undecided."""
    outcome = worst(gate.outcome for gate in gates)
    if sources.blessing is not None:
        return _push_verdict(sources.pushed_model, gates, outcome)
    if not gates:
        return Verdict(Outcome.UNDECIDED, "Nothing was judged: this run has neither a gate nor a check.")
    window = _window(sources)
    if outcome is Outcome.PASSED:
        if sources.missing:
            return Verdict(Outcome.UNDECIDED, f"{window} cannot be judged: {lowered(sources.missing[0])}.")
        return Verdict(outcome, f"{window} is fine: no check found anything wrong.")
    reasons = [gate.reason for gate in gates if gate.outcome is outcome]
    state = "is not fine" if outcome is Outcome.FAILED else "cannot be judged"
    return Verdict(outcome, f"{window} {state}: {lowered('. '.join(reasons))}.")


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """Failed before undecided before passed; of none at all, undecided."""
    found = set(outcomes)
    order = (Outcome.FAILED, Outcome.UNDECIDED, Outcome.PASSED)
    return next((outcome for outcome in order if outcome in found), Outcome.UNDECIDED)


def lowered(sentence: str) -> str:
    """To go on with after a colon; a name that begins it stays as it is.

    >>> lowered("The window differs"), lowered("SkewDriftValidator failed")
    ('the window differs', 'SkewDriftValidator failed')
    """
    word = sentence.partition(" ")[0]
    return sentence if word[1:] != word[1:].lower() else sentence[:1].lower() + sentence[1:]


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


def _guarded(name: str, read: Callable[[], Iterable[Gate]]) -> tuple[Gate, ...]:
    """What is read, or a gate that is undecided because it could not be."""
    try:
        return tuple(read())
    except DAMAGE as error:
        return (Gate(name, Outcome.UNDECIDED, f"what it decided cannot be read: {said(error)}"),)


def _decision(blessing: Given | None, files: Files, objections: tuple[str, ...]) -> list[Gate]:
    """PushGate's verdicts; of a blessing without reasons, the Evaluator's own."""
    if blessing is None:
        return []
    present = files.listing(blessing.uri)
    if records.REASONS_JSON not in present:
        return [_marker(blessing, present, objections)]
    record = records.read_json(files, blessing.path(records.REASONS_JSON))
    gates = [_verdict(each) for each in record["verdicts"]]
    if record["blessed"] is not (worst(gate.outcome for gate in gates) is Outcome.PASSED):
        raise MonitorError(f"{blessing.path(records.REASONS_JSON)} says of itself what its verdicts do not")
    return gates


def _marker(blessing: Given, present: list[str], objections: tuple[str, ...]) -> Gate:
    name = blessing.producer or "blessing"
    if BLESSED in present and NOT_BLESSED not in present:
        return Gate(name, Outcome.PASSED, "the model is blessed")
    if NOT_BLESSED in present:
        return Gate(name, Outcome.FAILED, "; ".join(objections) or "the model is not blessed")
    return Gate(name, Outcome.UNDECIDED, f"there is no blessing in {blessing.uri}")


def _verdict(record: records.Record) -> Gate:
    subject = f" of {record['subject']}" if record["subject"] else ""
    details = tuple(str(each["message"]) for each in record["findings"] if each["message"] not in record["reason"])
    return Gate(f"{record['gate']}{subject}", Outcome(record["outcome"]), str(record["reason"]), details)


def _check(given: Given, name: str, files: Files) -> Gate:
    """The check behind an anomalies artifact: by the report beside the anomalies, or by the anomalies alone."""
    present = files.listing(given.uri)
    if records.DRIFT_REPORT_JSON in present:
        report = records.read_json(files, given.path(records.DRIFT_REPORT_JSON))
        problems = tuple(str(each) for each in report["problems"])
        return Gate(f"Data ({name})", Outcome(report["outcome"]), str(report["sentence"]), problems)
    if records.PERFORMANCE_JSON in present:
        judgement = records.read_json(files, given.path(records.PERFORMANCE_JSON))["judgement"]
        return Gate(f"Accuracy ({name})", _PERFORMANCE[judgement["state"]], str(judgement["reason"]))
    title = f"Serving logs ({name})" if records.COUNTS_JSON in present else name
    return _anomalies_gate(title, read_anomalies(given, files))


def _anomalies_gate(title: str, splits: dict[str, anomalies_pb2.Anomalies]) -> Gate:
    found = [(info, feature) for anomalies in splits.values() for feature, info in infos(anomalies)]
    told = [f"{feature}: {info.short_description}" if feature else info.short_description for info, feature in found]
    errors = [t for t, (info, _) in zip(told, found, strict=True) if info.severity == anomalies_pb2.AnomalyInfo.ERROR]
    if any(anomalies.data_missing for anomalies in splits.values()):
        return Gate(title, Outcome.UNDECIDED, "there was no data to validate", tuple(told))
    if errors:
        return Gate(title, Outcome.FAILED, "; ".join(errors[:3]), tuple(t for t in told if t not in errors[:3]))
    return Gate(title, Outcome.PASSED, "no anomaly" if not told else "nothing worse than a warning", tuple(told))


def infos(anomalies: anomalies_pb2.Anomalies) -> list[tuple[str, anomalies_pb2.AnomalyInfo]]:
    """Every anomaly with the feature it is about, "" for the whole data set."""
    found = [(".".join(info.path.step) or key, info) for key, info in sorted(anomalies.anomaly_info.items())]
    if anomalies.HasField("dataset_anomaly_info"):
        found.append(("", anomalies.dataset_anomaly_info))
    return found


def _push_verdict(pushed: Given | None, gates: tuple[Gate, ...], outcome: Outcome) -> Verdict:
    blocking = [gate for gate in gates if gate.outcome is not Outcome.PASSED]
    if blocking or not gates:
        first = next((gate for gate in blocking if gate.outcome is outcome), None)
        more = f" ({len(blocking) - 1} more below)" if len(blocking) > 1 else ""
        why = f"{first.name}: {first.reason}" if first else "no gate gave a verdict"
        state = "Pushed although a gate objects" if _is_pushed(pushed) else "Not pushed"
        return Verdict(outcome, f"{state}: {why}{more}.")
    if pushed is None:
        return Verdict(outcome, "Blessed: every gate let the model pass.")
    if _is_pushed(pushed):
        version = pushed.properties.get("pushed_version")
        return Verdict(outcome, f"Pushed{f' as version {version}' if version else ''}: every gate let the model pass.")
    return Verdict(Outcome.UNDECIDED, "Every gate let the model pass, and yet it was not pushed.")


def _is_pushed(pushed: Given | None) -> bool:
    return pushed is not None and pushed.properties.get("pushed") == 1


def _window(sources: Sources) -> str:
    span = next((g.properties["span"] for g in (sources.statistics, sources.examples) if g and "span" in g.properties),
                None)  # fmt: skip
    return "The window" if span is None else f"Span {span}"
