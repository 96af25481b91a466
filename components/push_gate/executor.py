"""Moves artifacts into the gates and their decision out."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

from absl import logging
from tfx import types
from tfx.components.evaluator import constants as evaluator_constants
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils

from ..common.artifacts.anomalies import anomaly_types, read_anomalies, unnamed_splits
from ..common.artifacts.checks import contradicted
from ..common.artifacts.evaluation import evaluated_models
from ..common.artifacts.files import Artifact, Files
from ..common.artifacts.splits import split_folders
from ..common.artifacts.validation import read_validation
from ..common.errors import MonitorError
from ..common.model_spec import ModelSpec
from ..common.records.decision import REASONS_JSON, REASONS_TXT, Decision
from ..common.strict_text import parse_json
from ..common.tfx_files import artifact_of, tfx_files
from ..common.verdict import Check, Effect, Finding, Outcome
from . import anomalies, evaluation
from .model_check import judge_model
from .policy import AnomaliesPolicy, EvaluationPolicy, parse_policy

MODEL_KEY = standard_component_specs.MODEL_KEY
MODEL_BLESSING_KEY = standard_component_specs.MODEL_BLESSING_KEY
EVALUATION_KEY = standard_component_specs.EVALUATION_KEY
BLESSING_KEY = standard_component_specs.BLESSING_KEY
EXAMPLES_KEY = standard_component_specs.EXAMPLES_KEY
ANOMALIES_PREFIX = "anomalies_"
EVALUATOR = "Evaluator"  # whose blessing the gate is given
POLICY_KEY = "policy"
SPEC_KEY = "spec"
SOURCES_KEY = "anomalies_sources"
REASON_PROPERTY = "reason"
T = TypeVar("T")
Artifacts = dict[str, list[types.Artifact]]


class Executor(base_executor.BaseExecutor):
    """Decides whether a model may be pushed.

    Inputs:
      model: the `Model`.
      model_blessing: the Evaluator's `ModelBlessing`; optional.
      evaluation: the Evaluator's `ModelEvaluation`; optional. Without it a blocked model's metrics are not named.
      anomalies_0, anomalies_1, ...: `ExampleAnomalies`, as many as the pipeline has.
      examples: `Examples` that the model is asked about; optional. Without it, it is asked about made-up batches.

    Outputs:
      blessing: a `ModelBlessing` with the file BLESSED or NOT_BLESSED, `reasons.json` and `reasons.txt`, and the
        custom properties `blessed` (1 or 0), `reason` (one sentence), `current_model`, `current_model_id` and, where
        the Evaluator gave it, `baseline_model` (not its id, which is no number on Kubeflow).

    Execution properties:
      policy: the text of the policy file; may be empty where there is a spec.
      spec: the model's `ModelSpec` as JSON; empty where there is none.
      anomalies_sources: JSON object from `anomalies_<n>` to the id of the component that made them.

    An input that is missing, unreadable or undecided makes the model not blessed and is the reason. `Do` raises only
    for a policy that cannot be parsed, which the component has already refused when the pipeline was built.
    """

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        self._log_startup(input_dict, output_dict, exec_properties)
        spec = _spec(exec_properties.get(SPEC_KEY) or "")
        policy = parse_policy(exec_properties[POLICY_KEY], anomaly_types(), spec)
        sources = parse_json(exec_properties.get(SOURCES_KEY) or "{}")
        model = artifact_utils.get_single_instance(input_dict[MODEL_KEY])
        files = tfx_files()
        checks = [
            judge_evaluation(input_dict, model.uri, policy.evaluation, files),
            *judge_anomalies(input_dict, sources, policy.anomalies, files),
            judge_model(model, input_dict.get(EXAMPLES_KEY, []), policy.canary, spec),
        ]
        decision = Decision(model.uri, tuple(checks))
        logging.info("%s", decision.to_text())
        _write(decision, artifact_utils.get_single_instance(output_dict[BLESSING_KEY]), input_dict)


def _spec(text: str) -> ModelSpec | None:
    return ModelSpec.from_json(text, SPEC_KEY) if text else None


def judge_evaluation(inputs: Artifacts, model_uri: str, policy: EvaluationPolicy, files: Files) -> Check:
    """The check of the Evaluator's evaluation and blessing, as far as the gate is given these."""
    if EVALUATION_KEY not in inputs and MODEL_BLESSING_KEY not in inputs:
        return evaluation.not_given(policy)
    findings: list[Finding] = []
    # The metrics come first: they are why the blessing says what it says. Where nothing can be read, the finding that
    # says so blocks, and there is nothing to add about a baseline.
    compared = [True]
    if EVALUATION_KEY in inputs:
        for artifact in _all(inputs, EVALUATION_KEY, findings):
            findings += _read(lambda uri: read_validation(uri, files), artifact.uri, findings)
            for models in _read(lambda uri: [evaluated_models(uri, files)], artifact.uri, findings):
                compared.append(models.has_baseline)
                findings += evaluation.model_findings(models, model_uri)
    if MODEL_BLESSING_KEY in inputs:
        for artifact in _all(inputs, MODEL_BLESSING_KEY, findings):
            says = evaluation.blessing_of(artifact_of(artifact, EVALUATOR), files)
            explained = any(finding.effect is not Effect.WARN for finding in findings)
            findings += evaluation.blessing_findings(says, model_uri, explained=explained)
            compared += [] if EVALUATION_KEY in inputs else [says.has_baseline]
    return evaluation.judge(findings, all(compared), policy)


def _read(reader: Callable[[str], list[T]], uri: str, findings: list[Finding]) -> list[T]:
    """What `reader` finds; nothing, and a finding that blocks, when it cannot read."""
    try:
        return reader(uri)
    except MonitorError as error:
        findings.append(evaluation.unreadable(str(error)))
        return []


def _all(inputs: Artifacts, key: str, findings: list[Finding]) -> list[types.Artifact]:
    if not inputs[key]:
        findings.append(evaluation.unreadable(f"the input {key} is connected but holds nothing"))
    return inputs[key]


def judge_anomalies(inputs: Artifacts, sources: dict[str, str], policy: AnomaliesPolicy, files: Files) -> list[Check]:
    """The check of each split of each artifact of anomalies, `sources` being who made them by their input keys."""
    keys = sorted((key for key in inputs if key.startswith(ANOMALIES_PREFIX)), key=lambda key: (len(key), key))
    lost = sorted(set(sources) - set(keys))
    checks = [anomalies.unreadable("connected, but not handed to the gate", sources[key]) for key in lost]
    for key in keys:
        source = sources.get(key, key)
        if not inputs[key]:
            checks.append(anomalies.unreadable("connected, but holds nothing", source))
        for artifact in inputs[key]:
            checks += _judge_splits(artifact_of(artifact), source, policy, files)
    if not checks and policy.required:
        checks = [anomalies.unreadable("the gate was given no anomalies, and the policy requires some")]
    return checks


def _judge_splits(artifact: Artifact, source: str, policy: AnomaliesPolicy, files: Files) -> list[Check]:
    try:
        folders = split_folders(artifact, files)
        unnamed = unnamed_splits(artifact, files)
    except MonitorError as error:
        return [anomalies.unreadable(str(error), source)]
    checks = []
    for split, folder in sorted(folders.items()):
        subject = f"{source}, {split}"
        try:
            checks.append(anomalies.judge(read_anomalies(artifact, folder, files), policy, subject))
        except MonitorError as error:
            checks.append(anomalies.unreadable(str(error), subject))
    if all(check.outcome is not Outcome.UNDECIDED for check in checks):  # else it is said what is wrong
        unnamed = unnamed or contradicted(artifact, files)
    return [*checks, anomalies.unreadable(unnamed, source)] if unnamed else checks


def _write(decision: Decision, blessing: types.Artifact, inputs: Artifacts) -> None:
    names = evaluator_constants
    model = inputs[MODEL_KEY][0]
    blessing.set_string_custom_property(names.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, model.uri)
    blessing.set_int_custom_property(names.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model.id)
    for given in inputs.get(MODEL_BLESSING_KEY, []):
        uri = given.get_string_custom_property(names.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY)
        if uri:
            blessing.set_string_custom_property(names.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY, uri)
    blessing.set_string_custom_property(REASON_PROPERTY, decision.summary)
    io_utils.write_string_file(os.path.join(blessing.uri, REASONS_JSON), decision.to_json())
    io_utils.write_string_file(os.path.join(blessing.uri, REASONS_TXT), decision.to_text())
    # Last, so that an artifact whose reasons could not be written is not blessed.
    value = names.BLESSED_VALUE if decision.blessed else names.NOT_BLESSED_VALUE
    marker = names.BLESSED_FILE_NAME if decision.blessed else names.NOT_BLESSED_FILE_NAME
    io_utils.write_string_file(os.path.join(blessing.uri, marker), "")
    blessing.set_int_custom_property(names.ARTIFACT_PROPERTY_BLESSED_KEY, value)
