"""What a pushed version carries besides the model, and which version a new run is judged against.

A pushed version is `<serving folder>/<number>/`: a SavedModel whose `assets.extra/baseline/` is the *baseline bundle*.
Loaders of SavedModels ignore `assets.extra`, so model and bundle are one folder and are published in one rename.

    assets.extra/baseline/
      manifest.json            what was pushed, when, by which run, judged against what, and the model's spec
      baseline_statistics/Split-*/  ExampleStatistics of held-out examples and of what the model predicted for them,
                               which is what serving is compared with
      reference_statistics/Split-*/  the same of windows of serving that were fine, where `model-monitor rebaseline` has
                               put them in the place of the baseline's; the accuracy is still estimated from those
      schema/schema.pbtxt      the schema that the data was held against, with the calibrated comparators
      statistics/Split-*/      ExampleStatistics of the data the model was trained on, where that is known
      evaluation/              metrics, plots and validations, as TFMA wrote them, where the model was evaluated
      gate/reasons.json        PushGate's decision, where it was PushGate that blessed the model
"""

import json
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

from .artifacts.names import SCHEMA_FILE as SCHEMA_NAME
from .artifacts.names import SPLIT_PREFIX
from .errors import MonitorError, require
from .model_spec import ModelSpec
from .object_store import places
from .object_store.address import is_address
from .records.decision import REASONS_JSON
from .strict_text import TextError, parse_json

FORMAT_VERSION = 5
_READ = (3, 4, FORMAT_VERSION)  # of which the later ones only say more
_SPECLESS = (1, 2)  # formats that do not say what the model takes and answers
BUNDLE = os.path.join("assets.extra", "baseline")
MANIFEST_FILE = "manifest.json"
STATISTICS_DIR = "statistics"
BASELINE_STATISTICS_DIR = "baseline_statistics"
REFERENCE_STATISTICS_DIR = "reference_statistics"
SCHEMA_FILE = os.path.join("schema", SCHEMA_NAME)
EVALUATION_DIR = "evaluation"
REASONS_FILE = os.path.join("gate", REASONS_JSON)
# an adopted model was neither trained nor evaluated here, and few are given another reference
OPTIONAL_PARTS = (STATISTICS_DIR, EVALUATION_DIR, REFERENCE_STATISTICS_DIR)
MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt")
LAST_VERSION = (1 << 63) - 1  # that TensorFlow Serving can read
EVAL_SPLIT = "eval"  # of held-out examples, unless they have but one, of another name
NO_VERSION = 0  # of a model whose folder is no numbered version: its logs are those of any version


@dataclass(frozen=True)
class Reference:
    """The windows of serving that serving is compared with, in the place of the held-out examples.

    Attributes:
      windows: their numbers, such as "20-40".
      since: when they became the reference, as ISO 8601 in UTC.
      examples: how many they have.
      examples_uri: the `Examples` that `reference_statistics` describes.

    """

    windows: str
    since: str
    examples: int
    examples_uri: str

    @property
    def words(self) -> str:
        return f"windows {self.windows}, the reference since {self.since}"

    @staticmethod
    def from_record(record: Any, path: str) -> "Reference":
        """Reads what `asdict` gives. Raises `MonitorError` naming the file for anything else."""
        names = [field.name for field in fields(Reference)]
        whole = isinstance(record, dict) and sorted(record) == sorted(names)
        require(whole, f"reference in {path}", f"be an object of {', '.join(names)}", record)
        _require_types(record, ("windows", "since", "examples_uri"), str, path)
        _require_types(record, ("examples",), int, path)
        return Reference(**record)


@dataclass(frozen=True)
class Manifest:
    """Who pushed a version, and on what grounds.

    Attributes:
      model_version: the number of the version; `NO_VERSION` where its folder's name is no number.
      spec: what the model takes and answers.
      pushed_at: when, as ISO 8601 in UTC.
      model_uri: the `Model` artifact it was copied from.
      baseline_examples_uri: the `Examples` that the baseline's statistics describe; None when the pipeline did not say.
      run_key: what tells one run's settings and data from another's; empty when the run gave none.
      judged_against: the pushed version that was this model's baseline; None when it had none.
      pipeline_name, pipeline_run_id: the run, where the orchestrator says.
      copied_from: the folder of the version whose content this one has, for it was rolled back to or given another
        reference; None for a version that was pushed.
      reference: what serving is compared with in the place of the held-out examples; None where it is with these.
      parts: what is in the bundle besides the baseline's statistics and the schema, of `OPTIONAL_PARTS`.
      tensorflow_version, tfx_version: what wrote it.
      format_version: of the bundle.

    """

    model_version: int
    spec: ModelSpec
    pushed_at: str
    model_uri: str
    baseline_examples_uri: str | None
    run_key: str
    judged_against: str | None
    pipeline_name: str | None
    pipeline_run_id: str | None
    tensorflow_version: str
    tfx_version: str
    parts: tuple[str, ...] = ()
    copied_from: str | None = None
    reference: Reference | None = None
    format_version: int = FORMAT_VERSION

    def to_json(self) -> str:
        record = {field.name: getattr(self, field.name) for field in fields(self)}
        reference = asdict(self.reference) if self.reference else None
        record |= {"spec": self.spec.to_record(), "reference": reference}
        return json.dumps(record, indent=2, ensure_ascii=False) + "\n"

    @staticmethod
    def from_json(text: str, path: str) -> "Manifest":
        """Reads what `to_json` wrote.

        Args:
          text: the file's content.
          path: the file, for messages.

        Raises:
          MonitorError: naming the file and the first thing wrong with it.

        """
        try:
            record = parse_json(text)
        except TextError as error:
            raise MonitorError(f"{path} is damaged: {error}. It begins {text[:60]!r}") from error
        require(isinstance(record, dict), path, "hold a JSON object", record)
        _check_format(record, path)
        # format 3 knows no copies, format 4 no other reference
        record = {"copied_from": None, "reference": None, **record, "format_version": FORMAT_VERSION}
        _check_types(record, path)
        spec = ModelSpec.from_record(record["spec"], f"spec in {path}")
        reference = Reference.from_record(record["reference"], path) if record["reference"] is not None else None
        both = (reference is not None) == (REFERENCE_STATISTICS_DIR in record["parts"])
        rule = f"say the reference where `parts` has {REFERENCE_STATISTICS_DIR}, and nowhere else"
        require(both, path, rule, record["reference"])
        return Manifest(**{**record, "spec": spec, "reference": reference, "parts": tuple(record["parts"])})


@dataclass(frozen=True)
class Bundle:
    """The bundle of one version, whose folder is `version_dir`; in `folder` while it is being put together."""

    version_dir: str
    manifest: Manifest
    folder: str = ""

    def path(self, part: str) -> str:
        """Where a part of the bundle is, such as `STATISTICS_DIR`."""
        return os.path.join(self.folder or os.path.join(self.version_dir, BUNDLE), part)

    def has(self, part: str) -> bool:
        """Whether the bundle has a part: that of a model that was not trained here has no `STATISTICS_DIR`."""
        return part not in OPTIONAL_PARTS or part in self.manifest.parts

    @property
    def compared_part(self) -> str:
        """The part with the statistics that serving is compared with: the reference's, else the baseline's."""
        return REFERENCE_STATISTICS_DIR if self.has(REFERENCE_STATISTICS_DIR) else BASELINE_STATISTICS_DIR

    @property
    def held_out_split(self) -> str:
        """The split of the baseline: the only one, or `eval` where others were scored as well."""
        splits = self.splits(BASELINE_STATISTICS_DIR)
        return splits[0] if len(splits) == 1 else EVAL_SPLIT

    def splits(self, part: str = BASELINE_STATISTICS_DIR) -> list[str]:
        """The splits that there are statistics of in a part of the bundle, sorted; none where there is no such part."""
        names = places.names(self.path(part)) if self.has(part) else []
        return sorted(name[len(SPLIT_PREFIX) :] for name in names if name.startswith(SPLIT_PREFIX))


def versions(serving_dir: str) -> list[str]:
    """The folders that a model server takes for versions, oldest first. None where there is no serving folder yet.

    In an object store, where versions are uploaded file by file, those are the ones that have their SavedModel's file.

    Raises:
      MonitorError: the store cannot be reached, has no such bucket, or refuses.

    """
    return [folder for folder in _numbered(serving_dir) if _is_served(folder)]


def _numbered(serving_dir: str) -> list[str]:
    """What is in a serving folder under the name of a version, the lowest number first."""
    try:
        names = [name for name in places.names(serving_dir) if is_version(name)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [os.path.join(serving_dir, name) for name in sorted(names, key=int)]


def _is_served(version_dir: str) -> bool:
    if not is_address(version_dir):
        return os.path.isdir(version_dir)
    return any(places.is_file(os.path.join(version_dir, name)) for name in MODEL_FILES)


def is_version(name: str) -> bool:
    """Whether a model server takes a folder of this name for a version: digits and nothing else, below 2^63.

    >>> is_version("1795483923"), is_version("99999999999999999999"), is_version("7a")
    (True, False, False)
    """
    return re.fullmatch(r"[0-9]+", name) is not None and int(name) <= LAST_VERSION


def version_of(version_dir: str) -> int:
    """The number of a version by the name of its folder; `NO_VERSION` where that is no number."""
    name = os.path.basename(os.path.abspath(version_dir))
    return int(name) if is_version(name) else NO_VERSION


def read(version_dir: str) -> Bundle:
    """The bundle of a pushed version.

    Raises:
      MonitorError: if the folder is not there, was not pushed with a bundle, or lacks a part of it.

    """
    return read_bundle(version_dir, "")


def read_bundle(version_dir: str, folder: str) -> Bundle:
    """As `read`, of a bundle that is being put together in `folder`, which is the version's own where it is empty."""
    require(places.is_folder(version_dir), "the pushed version", "be a folder", version_dir)
    path = os.path.join(folder or os.path.join(version_dir, BUNDLE), MANIFEST_FILE)
    try:
        manifest = Manifest.from_json(places.read(path).decode(), path)
    except FileNotFoundError as error:
        raise MonitorError(
            f"{version_dir} has no baseline bundle ({path} is missing), so AtomicPusher did not push it. "
            "Push into a folder of its own, name the version to compare with, or give this one a bundle with "
            "`model-monitor adopt`"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise MonitorError(f"{path} cannot be read: {error}") from error
    bundle = Bundle(version_dir, manifest, folder)
    _check_parts(bundle)
    return bundle


def newest(serving_dir: str) -> Bundle | None:
    """The bundle of the version with the highest number, or None when nothing was pushed yet.

    That version is the one being served. When its bundle is damaged or missing that is an error, and an older one is
    not taken in its place: the comparison would be with a model that nobody is served.

    Raises:
      MonitorError: as `read`.

    """
    found = next(filter(_is_served, reversed(_numbered(serving_dir))), None)
    return read(found) if found else None


def find(folder: str) -> Bundle:
    """The bundle of a version or, in a folder of versions, that of the newest. Raises `MonitorError` as `read`."""
    found = None if places.is_folder(os.path.join(folder, BUNDLE)) else newest(folder)
    return found or read(folder)


def choose_baseline(serving_dir: str, run_key: str) -> str:
    """The pushed version that a run is to be judged against: its folder, or '' when there is none.

    This is the newest push. But a run that repeats the one which made that push, as `run_key` tells, gets the baseline
    that the push itself was judged against: it has the same inputs then, and everything comes from the cache.
    (Where that one has been deleted since, it is the newest push after all.)

    Raises:
      MonitorError: as `newest`.

    """
    bundle = newest(serving_dir)
    if bundle is None:
        return ""
    if run_key and bundle.manifest.run_key == run_key:
        before = bundle.manifest.judged_against
        if before is None or places.is_folder(before):
            return before or ""
    return bundle.version_dir


def _check_format(record: dict[str, Any], path: str) -> None:
    found = record.get("format_version")
    if found in _SPECLESS:
        raise MonitorError(
            f"{path} is of format {found}, which does not say what the model takes and answers; wanted is format "
            f"{FORMAT_VERSION}. Push the model again, or give this version a new bundle with `model-monitor adopt`"
        )
    known = found in _READ and not isinstance(found, bool)
    require(known, f"format_version in {path}", f"be one of {', '.join(map(str, _READ))}", found)


def _check_types(record: dict[str, Any], path: str) -> None:
    names = [field.name for field in fields(Manifest)]
    missing = sorted(set(names) - set(record))
    require(not missing, path, f"hold {', '.join(missing)}", sorted(record))
    unknown = sorted(set(record) - set(names))
    require(not unknown, path, f"hold nothing but {', '.join(names)}", unknown)
    _require_types(record, ("model_version",), int, path)
    _require_types(record, ("spec",), dict, path)
    known = isinstance(record["parts"], list) and set(record["parts"]) <= set(OPTIONAL_PARTS)
    require(known, f"parts in {path}", f"be a list of some of {', '.join(OPTIONAL_PARTS)}", record["parts"])
    _require_types(record, ("pushed_at", "model_uri", "run_key", "tensorflow_version", "tfx_version"), str, path)
    optional = ("baseline_examples_uri", "judged_against", "pipeline_name", "pipeline_run_id", "copied_from")
    _require_types({key: record[key] or "" for key in optional}, optional, str, path)


def _require_types(record: dict[str, Any], keys: Iterable[str], kind: type, path: str) -> None:
    for key in keys:
        right = isinstance(record[key], kind) and not isinstance(record[key], bool)
        require(right, f"{key} in {path}", f"be of type {kind.__name__}", record[key])


def _check_parts(bundle: Bundle) -> None:
    present = any(places.is_file(os.path.join(bundle.version_dir, name)) for name in MODEL_FILES)
    require(
        present, bundle.version_dir, f"hold a SavedModel ({' or '.join(MODEL_FILES)})", places.names(bundle.version_dir)
    )
    for part in (BASELINE_STATISTICS_DIR, *bundle.manifest.parts):
        require(
            places.is_folder(bundle.path(part)), f"the bundle of {bundle.version_dir}", f"have a folder {part}", None
        )
    found = places.is_file(bundle.path(SCHEMA_FILE))
    require(found, f"the bundle of {bundle.version_dir}", f"have a file {SCHEMA_FILE}", None)
    for part in (STATISTICS_DIR, BASELINE_STATISTICS_DIR, REFERENCE_STATISTICS_DIR):
        whole = bool(bundle.splits(part)) or not bundle.has(part)
        require(whole, bundle.path(part), f"have a folder {SPLIT_PREFIX}*", bundle.splits(part))
