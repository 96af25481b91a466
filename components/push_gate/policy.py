"""The push policy: a reviewed file that says which findings block a push. Knows neither TFX nor TensorFlow."""

import fnmatch
from collections.abc import Collection
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints, ValidationError

from ..common.artifacts.anomalies import TOO_FEW_TYPES
from ..common.errors import MonitorError, require, require_known
from ..common.model_spec import ModelSpec
from ..common.settings import Section, explain
from ..common.strict_text import TextError, parse_yaml

Action = Literal["block", "warn"]
Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]  # more than spaces


class _Section(BaseModel):
    model_config = Section.model_config


class EvaluationPolicy(_Section):
    """What is asked of the Evaluator."""

    required: bool = True
    # There is nothing to compare a first push with, and TFX then drops change thresholds without a word.
    without_baseline: Literal["push", "block"] = "push"


class Severities(_Section):
    """What an anomaly does by its severity, where `types` does not say otherwise."""

    ERROR: Action = "block"
    WARNING: Action = "warn"
    UNKNOWN: Action = "block"


class TooFewExamples(_Section):
    """Anomalies that say "this cannot be judged on so little", and what becomes of the push then."""

    types: list[str] = list(TOO_FEW_TYPES)
    action: Action = "block"


class Exemption(_Section):
    """A feature whose anomalies are reported and never block."""

    feature: Said  # exact name, or a pattern with * ? [...]
    because: Said


class AnomaliesPolicy(_Section):
    """What is asked of the data."""

    required: bool = True
    severities: Severities = Severities()
    types: dict[str, Action] = {}
    too_few_examples: TooFewExamples = TooFewExamples()
    exempt: list[Exemption] = []

    def exemption(self, feature: str) -> Exemption | None:
        """The first exemption that covers `feature`; findings about the whole dataset ('') are never exempt."""
        if not feature:
            return None
        return next((each for each in self.exempt if fnmatch.fnmatchcase(feature, each.feature)), None)

    def action(self, anomaly_type: str, severity: str) -> Action:
        """What an anomaly that is neither exempt nor about too few examples does."""
        by_severity: dict[str, Action] = self.severities.model_dump()
        return self.types.get(anomaly_type, by_severity.get(severity, "block"))


class CanaryPolicy(_Section):
    """What a model must answer to a few batches before it is pushed."""

    run: bool = True
    timeout: Annotated[float, Field(gt=0, le=86400)] = 120.0  # seconds, to load and to answer everything
    memory: Annotated[int, Field(ge=1024)] = 4096  # MiB, TensorFlow's own 700 included
    signature: str = "serving_default"
    batch_sizes: Annotated[list[Annotated[int, Field(ge=1, le=1024)]], Field(min_length=1)] = [1, 7]
    input_range: Annotated[list[float], Field(min_length=2, max_length=2)] = [0.0, 255.0]
    seed: Annotated[int, Field(ge=0)] = 0
    num_classes: Annotated[int, Field(ge=2)] | None = None
    probabilities: str | None = "probabilities"  # name of the output with the scores, or null when the model has none
    kind: Literal["probabilities", "logits", "sigmoid"] = "probabilities"  # what the scores are
    class_id: str | None = "class_id"  # as `probabilities`
    class_id_from: Literal[0, 1] = 0  # the number of the first class


class Policy(_Section):
    """Everything in the file. What a file leaves out has the strict value."""

    evaluation: EvaluationPolicy = EvaluationPolicy()
    anomalies: AnomaliesPolicy = AnomaliesPolicy()
    canary: CanaryPolicy = CanaryPolicy()


def parse_policy(text: str, anomaly_types: Collection[str], spec: ModelSpec | None = None) -> Policy:
    """Reads a policy from YAML (or JSON, which is YAML).

    Args:
      text: the file's content; may be empty where there is a spec, everything then has the strict value.
      anomaly_types: every name that `tensorflow_metadata` has for an anomaly.
      spec: the model's. What `canary` leaves out of what a spec says (signature, range, outputs, their kind and number
        of classes) comes from it.

    Raises:
      MonitorError: naming every key that is unknown (with the nearest known one), every value that is not allowed,
        and what is; or if it contradicts the spec.

    """
    require(isinstance(text, str), "policy", "be the text of a policy file", text)
    rule = "be the text of a policy file, or be left out where `spec` is given"
    require(bool(text.strip()) or spec is not None, "policy", rule, text)
    try:
        record = parse_yaml(text) or {}
    except TextError as error:
        raise MonitorError(f"The push policy {error}") from error
    require(isinstance(record, dict), "policy", "be a mapping of evaluation, anomalies and canary", record)
    section = record.get("canary") or {}
    if spec is not None and isinstance(section, dict):
        record = {**record, "canary": _with_spec(section, spec)}
    try:
        policy = Policy.model_validate(record)
    except ValidationError as error:
        raise MonitorError(explain(Policy, error, lambda _: "The push policy")) from error
    _check(policy, anomaly_types)
    return policy


def _with_spec(canary: dict[str, Any], spec: ModelSpec) -> dict[str, Any]:
    """The section with what the spec says where it says nothing itself."""
    model = {
        "probabilities": spec.outputs.scores,
        "kind": spec.outputs.kind,
        "class_id": spec.outputs.class_id,
        "class_id_from": spec.outputs.class_id_from,
        "num_classes": spec.num_classes,
    }
    for key, value in model.items():
        same = canary.get(key, value) == value
        require(same, f"canary.{key}", f"be what the model's spec says, {value!r}, or be left out", canary.get(key))
    pixels = spec.image.range
    asked = {"signature": spec.signatures.serve, "input_range": [min(pixels.low), max(pixels.high)]}
    return {**asked, **canary, **model}


def _check(policy: Policy, anomaly_types: Collection[str]) -> None:
    """The rules that span more than one key, or that need to know the anomaly types."""
    for name in policy.anomalies.types:
        require_known(name, anomaly_types, "anomalies.types")
    few = policy.anomalies.too_few_examples.types
    for name in few:
        require_known(name, anomaly_types, "anomalies.too_few_examples.types")
    twice = sorted(set(few) & set(policy.anomalies.types))
    require(not twice, "anomalies.types", "name no type that anomalies.too_few_examples decides", twice)
    canary = policy.canary
    low, high = canary.input_range
    require(low < high, "canary.input_range", "be [low, high] with low < high", canary.input_range)
    needs_classes = canary.run and (canary.probabilities is not None or canary.class_id is not None)
    rule = "be given unless canary.probabilities and canary.class_id are null"
    require(canary.num_classes is not None or not needs_classes, "canary.num_classes", rule, canary.num_classes)
