"""The one typed configuration of the pipelines: read from a YAML file and `key=value` settings, checked as a whole.

Imports neither TFX nor TensorFlow, so that a mistake in a file is said at once.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from components.validation import MonitorError, nearest

REPOSITORY = Path(__file__).resolve().parent.parent


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TrainerConfig(_Section):
    """How the classifier is trained. Passed to `pipelines.trainer.run_fn` as JSON in `custom_config["trainer"]`."""

    model: Literal["small_cnn", "vgg16"] = "small_cnn"
    # VGG16 only: "imagenet" downloads Keras's weights, "none" starts from random ones, else a path to a .h5 file
    weights: str = "none"
    epochs: Annotated[int, Field(ge=1)] = 10
    batch_size: Annotated[int, Field(ge=1)] = 256
    # at the top of the schedule; left out, the model's own (pipelines.classifier.DEFAULT_LEARNING_RATES)
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    patience: Annotated[int, Field(ge=1)] = 5  # epochs without a better validation loss before training stops
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.1  # of the training split, for early stopping
    augment: bool = True
    seed: Annotated[int, Field(ge=0)] = 0


class TrainingConfig(_Section):
    """Everything a training run can be told. Paths are absolute, or relative to the working directory."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,127}$")] = "cifar10-training"
    dataset: str = "sample"  # "sample", "full", or a folder of CIFAR-10 binary files
    root: str = "runs"  # artifacts, ML Metadata, logs and, unless told otherwise, the serving folder
    serving_dir: str = ""  # where models are pushed to; empty: `serving` under the root
    baseline: str = "newest"  # "newest" push, "none", or the folder of a pushed version
    schema_dir: str = str(REPOSITORY / "schemas" / "cifar10")
    eval_config: str = "eval_config.pbtxt"  # the file in `schema_dir` with the thresholds of the evaluation
    cache: bool = True
    beam_args: tuple[str, ...] = ("--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner",)
    trainer: TrainerConfig = TrainerConfig()

    @property
    def root_path(self) -> Path:
        return Path(self.root).absolute()

    @property
    def serving_path(self) -> Path:
        return Path(self.serving_dir).absolute() if self.serving_dir else self.root_path / "serving"

    @property
    def metadata_path(self) -> Path:
        return self.root_path / "metadata.sqlite"

    def policy_file(self, name: str) -> Path:
        """A file of the policy folder, which must be there. Raises `MonitorError` naming it otherwise."""
        path = Path(self.schema_dir).absolute() / name
        if not path.is_file():
            raise MonitorError(f"`schema_dir` must hold a file {name}. Received: {self.schema_dir!r}")
        return path

    def run_key(self, data_dir: Path) -> str:
        """A digest of all that decides a run's outcome except its baseline: settings, policy files and data files.

        Two runs with the same key are the same run done twice. Data files count by name, size and time of change, as
        TFX's own input fingerprint does.
        """
        policy = {p.name: p.read_text(errors="replace") for p in sorted(Path(self.schema_dir).glob("*")) if p.is_file()}
        data = [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in sorted(data_dir.glob("*")) if p.is_file()]
        settings = self.model_dump(exclude={"baseline", "cache", "beam_args"})
        return hashlib.sha256(json.dumps([settings, policy, data], sort_keys=True).encode()).hexdigest()[:16]


# What differs where the data does: fewer images want more passes over them, and reach less.
DATASET_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "sample": {"trainer": {"epochs": 12, "batch_size": 64}},
    "full": {"eval_config": "eval_config_full.pbtxt", "trainer": {"epochs": 10}},
}


def load(
    file: Path | None = None, settings: Iterable[str] = (), overrides: Mapping[str, Any] | None = None
) -> TrainingConfig:
    """The configuration made of the defaults of the data set, a YAML file, `key=value` settings and overrides.

    Later ones win. Keys of sections are dotted in settings, e.g. `trainer.epochs=3`; values are read as YAML.

    Raises:
      MonitorError: naming the file or setting, the key, what is allowed and what was received.

    """
    origin: dict[str, str] = {}
    merged: dict[str, Any] = {}
    if file is not None:
        _merge(merged, _read_yaml(file), f"{file}", origin)
    for setting in settings:
        _merge(merged, _read_setting(setting), f"--set {setting}", origin)
    _merge(merged, dict(overrides or {}), "the command line", origin)
    defaults = json.loads(json.dumps(DATASET_DEFAULTS.get(str(merged.get("dataset", "sample")), {})))
    _merge(defaults, merged, "", {})
    try:
        return TrainingConfig.model_validate_json(json.dumps(defaults))
    except ValidationError as error:
        raise MonitorError("\n".join(_explain(detail, origin) for detail in error.errors())) from None


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise MonitorError(f"`--config` must be a readable YAML file. Received: {str(file)!r} ({error})") from error
    if not isinstance(content, dict | None):
        raise MonitorError(f"{file} must hold keys and values. Received: {content!r}")
    return content or {}


def _read_setting(setting: str) -> dict[str, Any]:
    key, equals, value = setting.partition("=")
    if not equals or not key.strip():
        raise MonitorError(f"`--set` must be key=value. Received: {setting!r}")
    try:
        content: Any = yaml.safe_load(value)
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


def _explain(detail: ErrorDetails, origin: Mapping[str, str]) -> str:
    """One line for one error: where it stands, which key, the rule, what was received."""
    path = ".".join(str(part) for part in detail["loc"] if not isinstance(part, int))
    source = next((origin[k] for k in origin if k == path or k.startswith(f"{path}.")), "the configuration")
    if detail["type"] == "extra_forbidden":
        known = _keys(path.rpartition(".")[0])
        guess = nearest(path.rpartition(".")[2], known)
        return f"{source}: there is no key `{path}`{guess}. The keys are: {', '.join(known)}"
    rule = (
        detail["msg"].replace("Input should", "must").replace("String should", "must").replace("an object", "a section")
    )
    return f"{source}: `{path}` {rule}. Received: {detail['input']!r}"


def _keys(section: str) -> list[str]:
    """The keys of a section given by its dotted path; the top level's for an empty one."""
    model: type[BaseModel] = TrainingConfig
    for part in filter(None, section.split(".")):
        annotation = model.model_fields[part].annotation
        candidates = [a for a in (annotation, *get_args(annotation)) if isinstance(a, type)]
        model = next(a for a in candidates if issubclass(a, BaseModel))
    return sorted(model.model_fields)
