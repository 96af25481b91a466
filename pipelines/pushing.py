"""From a trained and evaluated model to a push that is judged and can be monitored: nodes for any TFX pipeline."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfx import types
from tfx.dsl.components.base.base_node import BaseNode
from tfx.proto import pusher_pb2

from components import AtomicPusher, PushGate, ThresholdCalibrator, ValidationReport
from components.common.model_spec import ModelSpec

from . import nodes
from .config import MonitorConfig


def monitored_push(  # noqa: PLR0913 - what a pipeline has, where things are, and how to judge; all but one by keyword
    spec: ModelSpec,
    *,
    examples: types.BaseChannel,
    model: types.BaseChannel,
    evaluator: BaseNode,
    serving_dir: str | Path,
    schema: types.BaseChannel,
    statistics: types.BaseChannel,
    anomalies: Sequence[types.BaseChannel] = (),
    policy: str = "",
    serving_logs: str = "",
    baseline: str = "",
    run_key: str = "",
    settings: MonitorConfig = MonitorConfig(),  # noqa: B008 - frozen
) -> list[BaseNode]:
    """The nodes to append to a pipeline that trains and evaluates a model: scored, described, judged, pushed, reported.

    Example:
      components += monitored_push(
          ModelSpec.load("monitor.yaml"),
          examples=example_gen.outputs["examples"],
          model=trainer.outputs["model"],
          evaluator=evaluator,
          serving_dir="/serving",
          ...
      )

    Args:
      spec: what the model takes and answers.
      examples: channel of the `Examples`, which have the split `eval` that the model was not trained on.
      model: channel of the `Model`.
      evaluator: the Evaluator, for its `blessing` and its `evaluation`.
      serving_dir: where blessed versions are pushed to, a local or mounted folder.
      schema: channel of the `Schema`, to which the thresholds of monitoring are added.
      statistics: channel of the `ExampleStatistics` of the data that the model was trained on.
      anomalies: channels of `ExampleAnomalies` that can block the push as well, ExampleValidator's for one.
      policy: the text of a push policy (docs/push_gate.md); left out, everything in it has the strict value.
      serving_logs: folder of serving logs; the newest span is scored by the new model and compared with the held-out
        examples. Empty: no logs are read.
      baseline: folder of the pushed version that `evaluator` compared the model with, to be noted in the bundle; empty
        where it was none.
      run_key: identifies the run's inputs, see `baseline_bundle.choose_baseline`.
      settings: the false-alarm rate and the like.

    """
    scored, described = nodes.scored_statistics(spec, examples, model, schema, split=nodes.EVAL_SPLIT)
    held_out = described.outputs["statistics"]
    rules = settings.model_dump(include={"window_size", "false_alarm_rate", "resamples", "seed"})
    calibrator = ThresholdCalibrator(statistics=held_out, schema=schema, **rules)
    calibrated = calibrator.outputs["schema"]
    watch, window = _serving_checks(spec, serving_logs, settings, model, held_out, calibrated)
    found = [*anomalies, *window.pop("anomalies", [])]
    judged = {"model_blessing": evaluator.outputs["blessing"], "evaluation": evaluator.outputs["evaluation"]}
    gate = PushGate(model=model, **judged, anomalies=found, examples=examples, spec=spec, policy=policy)
    pusher = AtomicPusher(
        model=model,
        spec=spec,
        model_blessing=gate.outputs["blessing"],
        statistics=statistics,
        baseline_statistics=held_out,
        baseline_examples=examples,
        schema=calibrated,
        evaluation=judged["evaluation"],
        push_destination=_destination(serving_dir),
        run_key=run_key,
        judged_against=baseline,
    )
    report = ValidationReport(
        anomalies=found,
        baseline_statistics=held_out,
        training_statistics=statistics,
        baseline_examples=examples,
        blessing=gate.outputs["blessing"],
        evaluation=judged["evaluation"],
        pushed_model=pusher.outputs["pushed_model"],
        class_names=spec.classes,
        **window,
    )
    return [scored, described, calibrator, *watch, gate, pusher, report]


def _destination(serving_dir: str | Path) -> pusher_pb2.PushDestination:
    folder = pusher_pb2.PushDestination.Filesystem(base_directory=str(serving_dir))
    return pusher_pb2.PushDestination(filesystem=folder)


def _serving_checks(  # noqa: PLR0913, PLR0917 - what is compared and how
    spec: ModelSpec,
    serving_logs: str,
    settings: MonitorConfig,
    model: types.BaseChannel,
    held_out: types.BaseChannel,
    schema: types.BaseChannel,
) -> tuple[list[BaseNode], dict[str, Any]]:
    """The nodes that hold the newest span of serving logs against the new model's baseline, and what they give.

    What the logs say the served model answered is not compared: the images are scored again by the new model, so that
    a difference is one of the data.
    """
    if not serving_logs:
        return [], {}
    logs = nodes.serving_log_example_gen(spec, serving_logs, settings)
    scored, described = nodes.scored_statistics(spec, logs.outputs["examples"], model, schema)
    window = described.outputs["statistics"]
    validator, estimator = nodes.checks(spec, settings, {"statistics": window, "baseline_statistics": held_out}, schema)
    return [logs, scored, described, validator, estimator], {
        "anomalies": [node.outputs["anomalies"] for node in (logs, validator, estimator)],
        "statistics": window,
        "examples": logs.outputs["examples"],
    }
