"""The one typed configuration of the pipelines: read from a YAML file and `key=value` settings, checked as a whole.

Imports neither TFX nor TensorFlow, so that a mistake in a file is said at once.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator, model_validator

from components.common.bounded_files import read_bounded
from components.common.errors import MonitorError
from components.common.model_spec import ModelSpec
from components.common.object_store.address import absolute, refuse_remote
from components.common.plain_paths import broken_rule_of_path
from components.common.settings import Section, explain, read_setting, read_yaml
from components.common.span_patterns import DEFAULT_PATTERN, Found, SpanPattern, pattern_of
from components.common.two_sample.false_alarms import least_permutations
from components.serving_log_example_gen.read_options import DEFAULT_MAX_ROWS

from .beam_runners import LOCAL_BEAM_ARGS as LOCAL_BEAM_ARGS  # noqa: PLC0414 - users import it from here
from .beam_runners import BeamRunner, beam_options
from .kubeflow_settings import KubeflowConfig

MODEL_SPEC_FILE = "model_spec.yaml"
PIPELINE_NAME = r"^[a-z0-9][a-z0-9-]{0,127}$"  # what Kubeflow takes as well


def _plain(path: str) -> str:
    if path and (rule := broken_rule_of_path(path)):
        raise ValueError(f"must {rule}")
    return path


# A path that is joined with a pattern of files; empty where it is not given.
PlainPath = Annotated[str, AfterValidator(_plain), Field(validate_default=True)]


class MonitorConfig(Section):
    """How serving is compared with the baseline (docs/skew_and_drift.md, docs/performance_estimation.md)."""

    # the chance that a window drawn from the baseline's own distribution raises any alarm, all features together
    false_alarm_rate: Annotated[float, Field(gt=0, le=0.5)] = 0.01
    window_size: Annotated[int, Field(ge=2)] = 1000  # the planned one, which the schema's own thresholds are for
    min_examples: Annotated[int, Field(ge=2)] = 30  # fewer are "too few examples"
    max_accuracy_drop: Annotated[float, Field(gt=0, lt=1)] = 0.05  # before accuracy counts as degraded
    # "example", "image", "request", "client" or "<number>s": what to take one example of where traffic is correlated
    one_example_per: str = "example"
    max_rows: Annotated[int, Field(ge=1, lt=1 << 63)] = DEFAULT_MAX_ROWS  # of a span; those beyond it are left out
    # patterns of the features that are compared, such as image_*; empty: all that have thresholds
    features: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    permutations: Annotated[int, Field(ge=199)] = 1999
    seed: Annotated[int, Field(ge=0)] = 0
    # what drift is measured against: the last span that was fine with the same version, or the one before in any case
    drift_against: Literal["last_fine", "previous"] = "last_fine"
    # the verdicts that commands end with exit code 2 for, and VerdictGuard with a failure
    fail_on: tuple[Literal["changed", "degraded", "invalid", "undecided"], ...] = (
        "degraded", "invalid", "changed", "undecided",
    )  # fmt: skip

    @model_validator(mode="after")
    def _enough_permutations(self) -> "MonitorConfig":
        least = least_permutations(self.false_alarm_rate)
        if self.permutations < least:
            raise ValueError(f"must have `permutations` of {least} or more for this `false_alarm_rate`")
        return self


class PipelineConfig(Section):
    """What every pipeline can be told. Paths are absolute, or relative to the working directory."""

    name: Annotated[str, Field(pattern=PIPELINE_NAME)]
    root: PlainPath = "runs"  # artifacts, ML Metadata, logs and, unless told otherwise, the serving folder
    # where models are pushed to, a folder or s3://, gs:// or minio://; empty: `serving` under the root
    serving_dir: PlainPath = ""
    # folder of serving logs, one folder a span; training without it looks at no serving logs, monitoring needs it
    serving_logs: PlainPath = ""
    # how spans are named below it, as TFX's ExampleGens have it: {SPAN:2}/*, {YYYY}-{MM}-{DD}/*, {SPAN}/{VERSION}/* ...
    serving_logs_pattern: str = DEFAULT_PATTERN
    cache: bool = True
    # where Beam runs, and further options for it (docs/scale.md)
    beam_runner: BeamRunner = "local"
    beam_args: Annotated[tuple[str, ...], Field(validate_default=True)] = ()
    monitor: MonitorConfig = MonitorConfig()
    kubeflow: KubeflowConfig = KubeflowConfig()  # of a compiled pipeline

    @field_validator("beam_args")
    @classmethod
    def _say_what_the_runner_needs(cls, given: tuple[str, ...], read: ValidationInfo) -> tuple[str, ...]:
        if "beam_runner" in read.data:
            beam_options(read.data["beam_runner"], given)
        return given

    @property
    def beam_options(self) -> tuple[str, ...]:
        """Beam's options of every node."""
        return beam_options(self.beam_runner, self.beam_args)

    @property
    def root_path(self) -> Path:
        return Path(self.root).absolute()

    @property
    def serving(self) -> str:
        """Where models are pushed to: a folder, or one of an object store."""
        return absolute(self.serving_dir) if self.serving_dir else str(self.root_path / "serving")

    @property
    def serving_path(self) -> Path:
        """The same for whoever needs a folder of this machine. Raises `MonitorError` for one of an object store."""
        refuse_remote(self.serving, "serving_dir", "Name a folder that the versions are copied to")
        return Path(self.serving)

    @property
    def serving_logs_path(self) -> Path:
        """Raises `MonitorError` unless it is a folder."""
        path = Path(self.serving_logs).absolute()
        if not self.serving_logs or not path.is_dir():
            raise MonitorError(f"`serving_logs` must be a folder of serving logs. Received: {self.serving_logs!r}")
        return path

    @property
    def span_pattern(self) -> SpanPattern:
        """Raises `MonitorError` when it is none."""
        return pattern_of(self.serving_logs_pattern, "serving_logs_pattern")

    @property
    def serving_spans(self) -> Found:
        """The spans of the serving logs, and what else is there. Raises `MonitorError` unless it has a span."""
        logs = self.serving_logs_path
        try:
            found = self.span_pattern.find(logs)
        except OSError as error:
            raise MonitorError(f"{logs} must be a folder that can be read. Received: {error.strerror}") from error
        if not found.spans:
            beside = "".join(f"; {each.place} is {each.why}" for each in found.left_out[:3])
            rule = f"be a folder of serving logs, with a span named by the pattern {self.serving_logs_pattern}"
            raise MonitorError(f"`serving_logs` must {rule}. Received: {self.serving_logs!r}{beside}")
        return found

    @property
    def artifacts_path(self) -> Path:
        """Below it is what nodes make: a folder a node, in it one an output, in it one an execution."""
        return self.root_path / "artifacts"

    @property
    def metadata_path(self) -> Path:
        return self.root_path / "metadata.sqlite"

    @classmethod
    def defaults_for(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is set where `given`, all that the files and settings say, does not: nothing, unless a kind has more."""
        return {}


class TrainingConfig(PipelineConfig):
    """Everything that any training run can be told."""

    name: Annotated[str, Field(pattern=PIPELINE_NAME)] = "training"
    schema_dir: str  # the policy folder: schema.pbtxt, model_spec.yaml, push_policy.yaml and the file of `eval_config`
    model_spec: str = ""  # a file that describes the model; empty: the one in `schema_dir`
    baseline: str = "newest"  # "newest" push, "none", or the folder of a pushed version
    eval_config: str = "eval_config.pbtxt"  # the file in `schema_dir` with the thresholds of the evaluation

    def policy_file(self, name: str) -> Path:
        """A file of the policy folder, which must be there. Raises `MonitorError` naming it otherwise."""
        path = Path(self.schema_dir).absolute() / name
        if not path.is_file():
            raise MonitorError(f"`schema_dir` must hold a file {name}. Received: {self.schema_dir!r}")
        return path

    def policy_text(self, name: str) -> str:
        """The text of a file of the policy folder. Raises `MonitorError` as `policy_file`, and where it is no text."""
        path = self.policy_file(name)
        try:
            return read_bounded(path).decode()
        except (OSError, UnicodeDecodeError) as error:
            raise MonitorError(f"{path} must be a readable text file in UTF-8. Received: {error}") from error

    @property
    def spec(self) -> ModelSpec:
        """What the trained model takes and answers. Raises `MonitorError` when its file is not there or is wrong."""
        return ModelSpec.load(self.model_spec or self.policy_file(MODEL_SPEC_FILE))

    def run_key(self, data_dir: Path) -> str:
        """A digest of all that decides a run's outcome except its baseline: settings, policy, data and serving logs.

        Two runs with the same key are the same run done twice. Data files and logs count by name, size and time of
        change, as TFX's own input fingerprint does.
        """
        files = [path for path in sorted(Path(self.schema_dir).glob("*")) if path.is_file()]
        policy = {path.name: read_bounded(path).decode(errors="replace") for path in files}
        if self.model_spec:
            policy[self.model_spec] = self.spec.to_json()
        folder = Path(self.serving_logs)
        spans = self.span_pattern.find(folder).spans if self.serving_logs and folder.is_dir() else ()
        logs = _stated(folder, [folder / file for span in spans for file in span.files])
        without = {"baseline": True, "cache": True, "beam_runner": True, "beam_args": True, "kubeflow": True}
        settings = self.model_dump(exclude={**without, "monitor": {"drift_against", "fail_on"}})
        found = [settings, policy, _listing(data_dir, "*"), logs]
        return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:16]


class AdoptionConfig(PipelineConfig):
    """Everything that making a baseline for a served model can be told."""

    name: Annotated[str, Field(pattern=PIPELINE_NAME)] = "adoption"


class MonitoringConfig(PipelineConfig):
    """Everything a monitoring run can be told."""

    name: Annotated[str, Field(pattern=PIPELINE_NAME)] = "monitoring"
    # folder of the version that is served, with its baseline; empty: the newest in `serving_dir`
    bundle: PlainPath = ""
    labels: str = ""  # delayed labels, `id,label` as CSV or TFRecord; empty: none yet
    # of pipelines on a cluster: where the statistics of each span are published, for drift; empty: there is no drift
    # check unless a run names its `previous`
    statistics_dir: str = ""
    # a file that describes the model, to compile a pipeline where the bundle cannot be read; empty: the bundle says it
    model_spec: str = ""


class OwnConfig(PipelineConfig):
    """What the compilation of a pipeline can be told that says all else itself: the section `kubeflow`."""

    name: Annotated[str, Field(pattern=PIPELINE_NAME)] = "own"

    @model_validator(mode="after")
    def _only_kubeflow(self) -> "OwnConfig":
        others = sorted(self.model_fields_set - {"kubeflow"})
        if others:
            raise ValueError(f"must have no `{others[0]}`: a pipeline of one's own says that itself")
        return self


def _listing(folder: Path, pattern: str) -> list[tuple[str, int, int]]:
    """Name, size and time of change of every file in `folder` that matches."""
    return _stated(folder, sorted(path for path in folder.glob(pattern) if path.is_file()))


def _stated(folder: Path, files: Sequence[Path]) -> list[tuple[str, int, int]]:
    return [(str(p.relative_to(folder)), p.stat().st_size, p.stat().st_mtime_ns) for p in files]


Config = TypeVar("Config", bound=PipelineConfig)


def load(
    kind: type[Config],
    file: Path | None = None,
    settings: Iterable[str] = (),
    overrides: Mapping[str, Any] | None = None,
) -> Config:
    """A configuration of a kind, made of defaults, a YAML file, `key=value` settings and overrides; later ones win.

    Some kinds have defaults that depend on what the others say, see `PipelineConfig.defaults_for`.
    Keys of sections are dotted in settings, e.g. `trainer.epochs=3`; values are read as YAML.

    Raises:
      MonitorError: naming the file or setting, the key, what is allowed and what was received.

    """
    origin: dict[str, str] = {}
    merged: dict[str, Any] = {}
    if file is not None:
        _merge(merged, read_yaml(file, "--config"), f"{file}", origin)
    for setting in settings:
        _merge(merged, read_setting(setting), f"--set {setting}", origin)
    _merge(merged, dict(overrides or {}), "the command line", origin)
    defaults: dict[str, Any] = {}
    _merge(defaults, kind.defaults_for(merged), "", {})
    _merge(defaults, merged, "", {})
    try:
        return kind.model_validate_json(json.dumps(defaults))
    except ValidationError as error:
        raise MonitorError(explain(kind, error, lambda path: _source(path, origin))) from None


def load_any(
    kinds: Sequence[type[PipelineConfig]], file: Path | None = None, settings: Iterable[str] = ()
) -> PipelineConfig:
    """A configuration of the first of these kinds that fits, for commands that only want to know where things are.

    Raises:
      MonitorError: as `load`, where none fits: about the kind that knows most of the keys, the first of several.

    """
    settings, errors = tuple(settings), []
    for kind in kinds:
        try:
            return load(kind, file, settings)
        except MonitorError as error:
            errors.append(error)
    raise min(errors, key=lambda error: str(error).count("there is no key"))


def _merge(into: dict[str, Any], new: Mapping[str, Any], source: str, origin: dict[str, str], path: str = "") -> None:
    for key, value in new.items():
        dotted = f"{path}{key}"
        if isinstance(value, Mapping) and isinstance(into.get(key, {}), dict):
            _merge(into.setdefault(key, {}), value, source, origin, f"{dotted}.")
            if not value:
                origin[dotted] = source
        else:
            into[key] = value
            origin[dotted] = source


def _source(path: str, origin: Mapping[str, str]) -> str:
    """The file or setting that a key came from."""
    known = (k for k in origin if k == path or k.startswith(f"{path}.") or path.startswith(f"{k}["))
    return next((origin[k] for k in known), "the configuration")
