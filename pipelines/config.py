"""The one typed configuration of the pipelines: read from a YAML file and `key=value` settings, checked as a whole.

Imports neither TFX nor TensorFlow, so that a mistake in a file is said at once.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import Field, ValidationError, model_validator

from components.common.errors import MonitorError
from components.common.settings import Section, explain, parse_yaml, read_yaml

REPOSITORY = Path(__file__).resolve().parent.parent
# In this process. Where no option says what workers install, TFX builds a package of itself for every Beam executor,
# which takes seconds and which nobody here installs.
LOCAL_BEAM_ARGS = (
    "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner",
    "--sdk_container_image=unused",
)
PIPELINE_NAME = r"^[a-z0-9][a-z0-9-]{0,127}$"  # what Kubeflow takes as well


class TrainerConfig(Section):
    """How the classifier is trained. `run_fn` gets it as JSON in `custom_config["trainer"]`."""

    model: Literal["small_cnn", "vgg16"] = "small_cnn"
    # VGG16 only: "imagenet" downloads Keras's weights, "none" starts from random ones, else a path to a .h5 file
    weights: str = "none"
    epochs: Annotated[int, Field(ge=1)] = 10
    batch_size: Annotated[int, Field(ge=1)] = 256
    # at the top of the schedule; left out, the model's own (pipelines.cifar10.classifier.DEFAULT_LEARNING_RATES)
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    patience: Annotated[int, Field(ge=1)] = 5  # epochs without a better validation loss before training stops
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.1  # of the training split, for early stopping
    augment: bool = True
    seed: Annotated[int, Field(ge=0)] = 0


class MonitorConfig(Section):
    """How serving is compared with the baseline (docs/skew_and_drift.md, docs/performance_estimation.md)."""

    # the chance that a window drawn from the baseline's own distribution raises any alarm, all features together
    false_alarm_rate: Annotated[float, Field(gt=0, le=0.5)] = 0.01
    window_size: Annotated[int, Field(ge=2)] = 1000  # the planned one, which the schema's own thresholds are for
    min_examples: Annotated[int, Field(ge=2)] = 30  # fewer are "too few examples"
    max_accuracy_drop: Annotated[float, Field(gt=0, lt=1)] = 0.05  # of the estimated accuracy, before it "hurts"
    # "example", "image", "request" or "<number>s": what to take one example of where traffic is correlated
    one_example_per: str = "example"
    resamples: Annotated[int, Field(ge=199)] = 1999
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _enough_resamples(self) -> "MonitorConfig":
        """A p-value is at least 1 / (resamples + 1), and skew and drift have half of the false-alarm rate each."""
        if (self.resamples + 1) * self.false_alarm_rate < 2 - 1e-9:
            least = math.ceil(2 / self.false_alarm_rate) - 1
            raise ValueError(f"must have `resamples` of {least} or more for this `false_alarm_rate`")
        return self


class PipelineConfig(Section):
    """What every pipeline can be told. Paths are absolute, or relative to the working directory."""

    name: Annotated[str, Field(pattern=PIPELINE_NAME)]
    root: str = "runs"  # artifacts, ML Metadata, logs and, unless told otherwise, the serving folder
    serving_dir: str = ""  # where models are pushed to; empty: `serving` under the root
    # folder of serving logs, one folder a span; training without it looks at no serving logs, monitoring needs it
    serving_logs: str = ""
    schema_dir: str = str(REPOSITORY / "schemas" / "cifar10")
    cache: bool = True
    beam_args: tuple[str, ...] = LOCAL_BEAM_ARGS
    monitor: MonitorConfig = MonitorConfig()

    @property
    def root_path(self) -> Path:
        return Path(self.root).absolute()

    @property
    def serving_path(self) -> Path:
        return Path(self.serving_dir).absolute() if self.serving_dir else self.root_path / "serving"

    @property
    def serving_logs_path(self) -> Path:
        """Raises `MonitorError` unless it is a folder that has a span."""
        path = Path(self.serving_logs).absolute()
        if not self.serving_logs or not any(child.name.isdecimal() for child in path.glob("*") if child.is_dir()):
            rule = "be a folder of serving logs, with a folder for each span that is named by its number"
            raise MonitorError(f"`serving_logs` must {rule}. Received: {self.serving_logs!r}")
        return path

    @property
    def metadata_path(self) -> Path:
        return self.root_path / "metadata.sqlite"

    def policy_file(self, name: str) -> Path:
        """A file of the policy folder, which must be there. Raises `MonitorError` naming it otherwise."""
        path = Path(self.schema_dir).absolute() / name
        if not path.is_file():
            raise MonitorError(f"`schema_dir` must hold a file {name}. Received: {self.schema_dir!r}")
        return path


class TrainingConfig(PipelineConfig):
    """Everything a training run can be told."""

    name: Annotated[str, Field(pattern=PIPELINE_NAME)] = "cifar10-training"
    dataset: str = "sample"  # "sample", "full", or a folder of CIFAR-10 binary files
    baseline: str = "newest"  # "newest" push, "none", or the folder of a pushed version
    eval_config: str = "eval_config.pbtxt"  # the file in `schema_dir` with the thresholds of the evaluation
    trainer: TrainerConfig = TrainerConfig()

    def run_key(self, data_dir: Path) -> str:
        """A digest of all that decides a run's outcome except its baseline: settings, policy, data and serving logs.

        Two runs with the same key are the same run done twice. Data files and logs count by name, size and time of
        change, as TFX's own input fingerprint does.
        """
        policy = {p.name: p.read_text(errors="replace") for p in sorted(Path(self.schema_dir).glob("*")) if p.is_file()}
        logs = _listing(Path(self.serving_logs), "[0-9]*/*") if self.serving_logs else []
        settings = self.model_dump(exclude={"baseline", "cache", "beam_args"})
        found = [settings, policy, _listing(data_dir, "*"), logs]
        return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:16]


class MonitoringConfig(PipelineConfig):
    """Everything a monitoring run can be told."""

    name: Annotated[str, Field(pattern=PIPELINE_NAME)] = "cifar10-monitoring"
    labels: str = ""  # labels that came later, `id,label` as CSV or TFRecord; empty: none yet


def _listing(folder: Path, pattern: str) -> list[tuple[str, int, int]]:
    """Name, size and time of change of every file in `folder` that matches."""
    files = sorted(path for path in folder.glob(pattern) if path.is_file())
    return [(str(p.relative_to(folder)), p.stat().st_size, p.stat().st_mtime_ns) for p in files]


Config = TypeVar("Config", bound=PipelineConfig)


# What differs where the data does: fewer images want more passes over them, and reach less.
DATASET_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "sample": {"trainer": {"epochs": 12, "batch_size": 64}},
    "full": {"eval_config": "eval_config_full.pbtxt", "trainer": {"epochs": 10}},
}


def load(
    kind: type[Config],
    file: Path | None = None,
    settings: Iterable[str] = (),
    overrides: Mapping[str, Any] | None = None,
) -> Config:
    """A configuration of a kind, made of defaults, a YAML file, `key=value` settings and overrides; later ones win.

    What a data set has defaults of its own for (`DATASET_DEFAULTS`) is set by it unless one of the others does.
    Keys of sections are dotted in settings, e.g. `trainer.epochs=3`; values are read as YAML.

    Raises:
      MonitorError: naming the file or setting, the key, what is allowed and what was received.

    """
    origin: dict[str, str] = {}
    merged: dict[str, Any] = {}
    if file is not None:
        _merge(merged, read_yaml(file, "--config"), f"{file}", origin)
    for setting in settings:
        _merge(merged, _read_setting(setting), f"--set {setting}", origin)
    _merge(merged, dict(overrides or {}), "the command line", origin)
    dataset = str(merged.get("dataset", "sample")) if "dataset" in kind.model_fields else ""
    defaults = json.loads(json.dumps(DATASET_DEFAULTS.get(dataset, {})))
    _merge(defaults, merged, "", {})
    try:
        return kind.model_validate_json(json.dumps(defaults))
    except ValidationError as error:
        raise MonitorError(explain(kind, error, lambda path: _source(path, origin))) from None


def load_either(file: Path | None = None, settings: Iterable[str] = ()) -> PipelineConfig:
    """A configuration of the training pipeline or, where only that fits, of the monitoring pipeline.

    For commands that want to know no more than where things are.

    Raises:
      MonitorError: as `load`, about the training pipeline.

    """
    settings = tuple(settings)
    try:
        return load(TrainingConfig, file, settings)
    except MonitorError as error:
        try:
            return load(MonitoringConfig, file, settings)
        except MonitorError:
            raise error from None


def _read_setting(setting: str) -> dict[str, Any]:
    key, equals, value = setting.partition("=")
    if not equals or not key.strip():
        raise MonitorError(f"`--set` must be key=value. Received: {setting!r}")
    try:
        content: Any = parse_yaml(value)
    except yaml.YAMLError as error:
        raise MonitorError(f"`--set {key}` must have a YAML value. Received: {value!r}") from error
    for part in reversed(key.strip().split(".")):
        content = {part: content}
    return content


def _merge(into: dict[str, Any], new: Mapping[str, Any], source: str, origin: dict[str, str], path: str = "") -> None:
    for key, value in new.items():
        dotted = f"{path}{key}"
        if isinstance(value, Mapping) and isinstance(into.get(key, {}), dict):
            _merge(into.setdefault(key, {}), value, source, origin, f"{dotted}.")
        else:
            into[key] = value
            origin[dotted] = source


def _source(path: str, origin: Mapping[str, str]) -> str:
    """The file or setting that a key came from."""
    return next((origin[k] for k in origin if k == path or k.startswith(f"{path}.")), "the configuration")
