"""TFDV's anomalies, one by one, out of an `ExampleAnomalies` artifact."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2

from ..errors import MonitorError
from ..strict_text import TextError, parse_json
from ..verdict import Effect
from .files import Artifact, Files
from .names import ANOMALIES_FILE, LEGACY_ANOMALIES_FILE, PAIR_PREFIX, SPLIT_PREFIX
from .splits import WHOLE, named_splits, split_folders

WARNING = "WARNING"
# TFDV always sets this field, and it comes after the anomalies of features: where it is missing, some of these may be.
_WRITTEN_LAST = "anomaly_name_format"
_SAYS = {0: "some", 1: "none", 2: "none, there being nothing to compare with"}  # the values of TFX's `blessed`
# Types of anomalies that say "too little data to judge", whatever their severity, ...
TOO_FEW_TYPES = ("DATASET_LOW_NUM_EXAMPLES", "COMPARATOR_LOW_NUM_EXAMPLES", "NO_DATA_IN_SPAN")
# ... and "there was nothing to compare with", unless they are warnings.
NOT_COMPARED_TYPES = ("COMPARATOR_CONTROL_DATA_MISSING", "COMPARATOR_TREATMENT_DATA_MISSING")


@dataclass(frozen=True)
class Anomaly:
    """One reason of one of TFDV's anomalies.

    Attributes:
      feature: which it is about; "" for the whole data set.
      type: the name of its kind, such as `SCHEMA_NEW_COLUMN`.
      severity: "ERROR", "WARNING" or "UNKNOWN".
      description: what is wrong.
      short: the same in a few words; "" where it has none.

    """

    feature: str
    type: str
    severity: str
    description: str
    short: str = ""

    @property
    def harmless(self) -> bool:
        """Whether it is a warning. An anomaly of unknown severity is not harmless."""
        return self.severity == WARNING

    @property
    def effect(self) -> Effect:
        """What it does to the outcome of a check of the data."""
        if self.type in TOO_FEW_TYPES:
            return Effect.UNDECIDED
        if self.harmless:
            return Effect.WARN
        return Effect.UNDECIDED if self.type in NOT_COMPARED_TYPES else Effect.FAIL

    @property
    def line(self) -> str:
        """The feature and what is wrong with it, in a few words."""
        told = self.short or self.description
        return f"{self.feature}: {told}" if self.feature else told


def anomaly_types() -> list[str]:
    """Every name that the installed `tensorflow_metadata` has for an anomaly."""
    return list(anomalies_pb2.AnomalyInfo.Type.keys())


def anomalies_in(proto: Any) -> Iterator[Anomaly]:
    """Every reason in a `tensorflow_metadata` `Anomalies` message, ordered by feature."""
    if proto.HasField("dataset_anomaly_info"):
        yield from _reasons("", proto.dataset_anomaly_info)
    for key in sorted(proto.anomaly_info):
        info = proto.anomaly_info[key]
        yield from _reasons(".".join(info.path.step) or key, info)


def read_anomalies(artifact: Artifact, folder: str, files: Files) -> list[Anomaly]:
    """The anomalies of the split in a folder.

    Raises:
      MonitorError: they cannot be read, or are not whole, or not what the artifact's property `blessed` says; or there
        was nothing to compare the data with, or there were no data.

    """
    if folder == artifact.uri and "blessed" in artifact.properties:  # DistributionValidator writes no file then
        raise MonitorError("there was no baseline to compare with")
    present = files.listing(folder)
    legacy = LEGACY_ANOMALIES_FILE in present and ANOMALIES_FILE not in present
    path = f"{folder}/{LEGACY_ANOMALIES_FILE if legacy else ANOMALIES_FILE}"
    if folder == artifact.uri and not legacy and ANOMALIES_FILE not in present:
        raise MonitorError(
            f"{artifact.known_as} must hold the anomalies of a split. Received: none, and no split is named"
        )
    proto = files.message(path, anomalies_pb2.Anomalies(), strict=True)
    if proto.data_missing:
        raise MonitorError(f"{path} says that there was no data to validate")
    if not proto.HasField(_WRITTEN_LAST):
        raise MonitorError(f"{path} must hold whole anomalies. Received: some without {_WRITTEN_LAST}, as if cut short")
    found = list(anomalies_in(proto))
    noted = _noted(artifact).get(folder.rsplit("/", 1)[-1].removeprefix(SPLIT_PREFIX).removeprefix(PAIR_PREFIX))
    if noted is not None and (noted == 1) is not (not found):
        told = f"{path} has {len(found)} anomalies"
        raise MonitorError(
            f"{told}, and its artifact's property `blessed` says that there are {_SAYS.get(noted, noted)}"
        )
    return found


def _noted(artifact: Artifact) -> dict[str, Any]:
    """What ExampleValidator and DistributionValidator note of each split in a property: 1 where it has no anomaly."""
    try:
        noted = parse_json(str(artifact.properties.get("blessed", "{}")))
    except TextError as error:
        raise MonitorError(f"the property `blessed` of {artifact.known_as} {error}") from error
    return noted if isinstance(noted, dict) else {}


def anomalies_by_split(artifact: Artifact, files: Files) -> dict[str, list[Anomaly]]:
    """The anomalies of every split. Raises `MonitorError` as `read_anomalies` does."""
    return {split: read_anomalies(artifact, each, files) for split, each in split_folders(artifact, files).items()}


def unnamed_splits(artifact: Artifact, files: Files) -> str:
    """What is wrong where an artifact has splits and names none, so that nobody would miss one; "" elsewhere.

    Raises `MonitorError` as `split_folders` does.
    """
    folders = split_folders(artifact, files)
    if named_splits(artifact) or WHOLE in folders:
        return ""
    rule = "must name its splits, of which one may be missing"
    return f"{artifact.known_as} {rule}. Received: the folders of {', '.join(folders)}"


def _reasons(feature: str, info: Any) -> Iterator[Anomaly]:
    severity = _name(info, "severity")
    for reason in info.reason:
        told = reason.description or reason.short_description
        yield Anomaly(feature, _name(reason, "type"), severity, told, reason.short_description)
    if not info.reason:
        # Unknown is not harmless: without a type, only the severity can decide.
        told = info.description or info.short_description
        yield Anomaly(feature, "UNKNOWN_TYPE", severity, told, info.short_description)


def _name(message: Any, field: str) -> str:
    """The name of an enum's value; the enum's zero for a number that this version does not know."""
    values = message.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number
    return str(values.get(getattr(message, field), values[0]).name)
