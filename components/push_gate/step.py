"""Moves artifacts into the gates and their decision out."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from absl import logging

from ..common.artifacts.anomalies import anomaly_types, read_anomalies, unnamed_splits
from ..common.artifacts.checks import BLESSED, NOT_BLESSED, contradicted
from ..common.artifacts.evaluation import evaluated_models
from ..common.artifacts.files import Artifact, Files
from ..common.artifacts.names import BASELINE_MODEL, CURRENT_MODEL
from ..common.artifacts.splits import split_folders
from ..common.artifacts.validation import read_validation
from ..common.errors import MonitorError
from ..common.model_spec import ModelSpec
from ..common.records.decision import REASONS_JSON, REASONS_TXT, Decision
from ..common.step import Inputs, Output, Step
from ..common.strict_text import parse_json
from ..common.verdict import Check, Effect, Finding, Outcome
from . import anomalies, evaluation
from .model_check import judge_model
from .policy import AnomaliesPolicy, EvaluationPolicy, parse_policy

MODEL_KEY = "model"
MODEL_BLESSING_KEY = "model_blessing"
EVALUATION_KEY = "evaluation"
BLESSING_KEY = "blessing"
EXAMPLES_KEY = "examples"
ANOMALIES_PREFIX = "anomalies_"
EVALUATOR = "Evaluator"  # whose blessing the gate is given
POLICY_KEY = "policy"
SPEC_KEY = "spec"
SOURCES_KEY = "anomalies_sources"
REASON_PROPERTY = "reason"
T = TypeVar("T")


def run(step: Step) -> None:
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

    An input that is missing, unreadable or undecided makes the model not blessed and is the reason. This raises
    only for a policy that cannot be parsed, which the component has already refused when the pipeline was built.
    """
    spec = _spec(step.text(SPEC_KEY))
    policy = parse_policy(step.parameter(POLICY_KEY), anomaly_types(), spec)
    sources = parse_json(step.text(SOURCES_KEY) or "{}")
    model, files = step.input(MODEL_KEY), step.files
    checks = [
        judge_evaluation(step.inputs, model, policy.evaluation, files),
        *judge_anomalies(step.inputs, sources, policy.anomalies, files),
        judge_model(model, step.inputs.get(EXAMPLES_KEY, ()), policy.canary, spec, files),
    ]
    decision = Decision(model.known_as, tuple(checks))
    logging.info("%s", decision.to_text())
    _write(step, decision, model)


def _spec(text: str) -> ModelSpec | None:
    return ModelSpec.from_json(text, SPEC_KEY) if text else None


def judge_evaluation(inputs: Inputs, model: Artifact, policy: EvaluationPolicy, files: Files) -> Check:
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
                findings += evaluation.model_findings(models, model)
    if MODEL_BLESSING_KEY in inputs:
        for artifact in _all(inputs, MODEL_BLESSING_KEY, findings):
            says = evaluation.blessing_of(replace(artifact, producer=EVALUATOR), files)
            explained = any(finding.effect is not Effect.WARN for finding in findings)
            findings += evaluation.blessing_findings(says, model, explained=explained)
            compared += [] if EVALUATION_KEY in inputs else [says.has_baseline]
    return evaluation.judge(findings, all(compared), policy)


def _read(reader: Callable[[str], list[T]], uri: str, findings: list[Finding]) -> list[T]:
    """What `reader` finds; nothing, and a finding that blocks, when it cannot read."""
    try:
        return reader(uri)
    except MonitorError as error:
        findings.append(evaluation.unreadable(str(error)))
        return []


def _all(inputs: Inputs, key: str, findings: list[Finding]) -> Sequence[Artifact]:
    if not inputs[key]:
        findings.append(evaluation.unreadable(f"the input {key} is connected but holds nothing"))
    return inputs[key]


def judge_anomalies(inputs: Inputs, sources: dict[str, str], policy: AnomaliesPolicy, files: Files) -> list[Check]:
    """The check of each split of each artifact of anomalies, `sources` being who made them by their input keys."""
    keys = sorted((key for key in inputs if key.startswith(ANOMALIES_PREFIX)), key=lambda key: (len(key), key))
    lost = sorted(set(sources) - set(keys))
    checks = [anomalies.unreadable("connected, but not handed to the gate", sources[key]) for key in lost]
    for key in keys:
        source = sources.get(key, key)
        if not inputs[key]:
            checks.append(anomalies.unreadable("connected, but holds nothing", source))
        for artifact in inputs[key]:
            checks += _judge_splits(artifact, source, policy, files)
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


def _write(step: Step, decision: Decision, model: Artifact) -> None:
    blessing = step.output(BLESSING_KEY)
    _describe(blessing, decision, model, step.inputs.get(MODEL_BLESSING_KEY, ()))
    step.write_text(blessing.path(REASONS_JSON), decision.to_json())
    step.write_text(blessing.path(REASONS_TXT), decision.to_text())
    # Last, so that an artifact whose reasons could not be written is not blessed.
    step.write_text(blessing.path(BLESSED if decision.blessed else NOT_BLESSED), "")
    blessing.properties["blessed"] = int(decision.blessed)


def _describe(blessing: Output, decision: Decision, model: Artifact, given: Sequence[Artifact]) -> None:
    """The properties by which TFX's Evaluator says what its own blessing is about."""
    blessing.properties |= {CURRENT_MODEL: model.known_as, f"{CURRENT_MODEL}_id": model.id}
    for each in given:
        if baseline := each.properties.get(BASELINE_MODEL):
            blessing.properties[BASELINE_MODEL] = baseline
    blessing.properties[REASON_PROPERTY] = decision.summary
