"""What TFMA measured and what its validation says: the files of a `ModelEvaluation`."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import MonitorError
from ..proportion import Proportion
from ..strict_text import parse_json
from .files import DAMAGE, Files, said
from .tfma_messages import read_messages

CANDIDATE = ("", "candidate")  # TFMA's names of the model that is evaluated, alone and beside another
COUNT = "example_count"
_ACCURACIES = ("accuracy", "sparse_categorical_accuracy", "categorical_accuracy", "binary_accuracy")
_CONFIG_FILE = "eval_config.json"
_MOST_CLASSES = 50  # of a confusion matrix: more cannot be shown


@dataclass(frozen=True)
class SliceMetrics:
    """The metrics of one slice of the examples that are one finite number.

    Attributes:
      slice: in words, such as "label 3"; "" for all examples.
      of: the model's name where several were evaluated, with "difference" for a candidate less its baseline.
      metrics: by their names; what a metric is of besides the slice (a class, the best k) is in its name.
      key: the slice's columns with their values.
      partial: the names of the metrics that are of one class, or of the best k.

    """

    slice: str
    of: str
    metrics: dict[str, float]
    key: tuple[tuple[str, int | float | str], ...] = ()
    partial: frozenset[str] = frozenset()

    @property
    def label(self) -> int | None:
        """The class that the slice is of, where it is the slice of one by its number."""
        value = self.key[0][1] if len(self.key) == 1 else None
        return value if isinstance(value, int) else None

    @property
    def accuracy_name(self) -> str:
        """Which of the metrics is the accuracy; "" where none is.

        >>> SliceMetrics("", "", {"loss": 0.2, "sparse_categorical_accuracy": 0.9}).accuracy_name
        'sparse_categorical_accuracy'
        """
        return next((name for name in _ACCURACIES if 0 <= self.metrics.get(name, -1) <= 1), "")

    @property
    def accuracy(self) -> Proportion | None:
        """The accuracy with its interval; None where it was not measured, or not counted of how many examples."""
        name, count = self.accuracy_name, self.metrics.get(COUNT, 0)
        return Proportion.about(self.metrics[name], count) if name and count > 0 else None


def metrics(folder: str, files: Files) -> list[SliceMetrics]:
    """The metrics in an evaluation, the whole first.

    Raises:
      MonitorError: when there are none, or they are damaged.

    """
    read = read_messages(folder, "metrics", "MetricsForSlice", files)
    if read is None:
        raise MonitorError(f"{folder} must hold TFMA's metrics. Received: no file metrics*")
    found = [each for record in read for each in _of_slice(record)]
    return sorted(found, key=lambda each: (each.slice != "", each.slice, each.of))


def validation_result(folder: str, files: Files) -> Any | None:
    """TFMA's `ValidationResult` in an evaluation; None when its configuration has no thresholds.

    Raises:
      MonitorError: when it is damaged, or there is not exactly one.

    """
    read = read_messages(folder, "validations", "ValidationResult", files)
    if read is None:
        return None
    if len(read) != 1:
        raise MonitorError(f"{folder} must hold one validation result of TFMA. Received: {len(read)}")
    return read[0]


@dataclass(frozen=True)
class EvaluatedModels:
    """What an evaluation was of, as the configuration that TFMA keeps with it tells.

    Attributes:
      candidate: where the model lies that was evaluated; "" where it does not say.
      has_baseline: whether it was compared with a baseline.

    """

    candidate: str
    has_baseline: bool

    def is_of(self, model_uri: str) -> bool:
        """Whether the candidate is the model of an artifact, which it lies in.

        >>> EvaluatedModels("/runs/Trainer/model/7/Format-Serving", False).is_of("/runs/Trainer/model/7")
        True
        """
        return bool(model_uri) and f"{self.candidate.rstrip('/')}/".startswith(f"{model_uri.rstrip('/')}/")


def evaluated_models(folder: str, files: Files) -> EvaluatedModels:
    """What an evaluation was of.

    Raises:
      MonitorError: when that cannot be read, or there is not one candidate.

    """
    path = f"{folder}/{_CONFIG_FILE}"
    try:
        record = parse_json(files.content(path))
        specs = record["evalConfig"].get("modelSpecs", [])
        candidates = [spec.get("name", "") for spec in specs if spec.get("isBaseline", False) is False]
        locations = dict(record.get("modelLocations", {}))
        if len(candidates) > 1 or any(not isinstance(each, str) for each in locations.values()):
            raise MonitorError(f"{path} must be of one candidate. Received: {candidates}")
        return EvaluatedModels(locations.get(next(iter(candidates), ""), ""), len(specs) > len(candidates))
    except DAMAGE as error:
        if isinstance(error, MonitorError) and path in str(error):
            raise
        raise MonitorError(f"{path} must be TFMA's configuration. Received: {said(error)}") from error


def confusion_matrix(folder: str, files: Files) -> tuple[tuple[float, ...], ...]:
    """The matrix of the whole data set at the lowest threshold: rows are real classes, columns predicted ones.

    Returns:
      Weighted counts [classes, classes], () where no matrix was made.

    Raises:
      MonitorError: when the plots are damaged, or the matrix is too large to be shown.

    """
    for plots in read_messages(folder, "plots", "PlotsForSlice", files, required=False) or []:
        for each in plots.plot_keys_and_values if not plots.slice_key.single_slice_keys else ():
            matrices = each.value.multi_class_confusion_matrix_at_thresholds.matrices
            if matrices:
                return _dense(matrices[0].entries)
    return ()


def metric_name(key: Any) -> str:
    """A metric's name, with the class or the best k that it is of, such as "recall (class 3)"."""
    fields = {"class_id": "class", "k": "k", "top_k": "top"}
    parts = [f"{word} {getattr(key.sub_key, field).value}" for field, word in fields.items()
             if key.sub_key.HasField(field)]  # fmt: skip
    return f"{key.name} ({', '.join(parts)})" if parts else str(key.name)


def slice_value(single: Any) -> int | float | str:
    """The value of one column of a slice; "" where it has none."""
    kind = single.WhichOneof("kind")
    value = getattr(single, kind) if kind else ""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def slice_name(key: Any) -> str:
    """A slice in words, such as "label 3"; "" for the slice that holds everything."""
    return " and ".join(f"{single.column} {slice_value(single)}" for single in key.single_slice_keys)


def _of_slice(record: Any) -> list[SliceMetrics]:
    """The metrics of one slice, those of each model apart."""
    key = tuple((single.column, slice_value(single)) for single in record.slice_key.single_slice_keys)
    by_model: dict[str, dict[str, float]] = {}
    partial = set()
    for each in record.metric_keys_and_values:
        value = _number(each.value)
        if value is not None:
            name = metric_name(each.key)
            by_model.setdefault(_model_name(each.key), {})[name] = value
            partial |= {name} - {each.key.name}
    words = slice_name(record.slice_key)
    return [SliceMetrics(words, of, values, key, frozenset(partial)) for of, values in sorted(by_model.items())]


def _number(value: Any) -> float | None:
    kind = value.WhichOneof("type")
    if kind == "double_value":
        number = value.double_value.value
    elif kind == "bounded_value":
        number = value.bounded_value.value.value
    else:
        return None
    return float(number) if math.isfinite(number) else None


def _model_name(key: Any) -> str:
    parts = [*([key.model_name] if key.model_name else []), *(["difference"] if key.is_diff else [])]
    return " ".join(parts)


def _dense(entries: Any) -> tuple[tuple[float, ...], ...]:
    size = 1 + max((max(e.actual_class_id, e.predicted_class_id) for e in entries), default=-1)
    if size > _MOST_CLASSES:
        rule = f"have at most {_MOST_CLASSES} classes to be shown"
        raise MonitorError(f"A confusion matrix must {rule}. Received: {size}")
    counts = np.zeros((size, size))
    for each in entries:
        if each.predicted_class_id >= 0:  # below 0: nothing reached the threshold
            counts[each.actual_class_id, each.predicted_class_id] += each.num_weighted_examples
    return tuple(tuple(row) for row in counts.tolist())
