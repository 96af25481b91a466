"""From a trained and evaluated model to a push that is judged and can be monitored: nodes for any TFX pipeline."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfx import types
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.data_types import RuntimeParameter
from tfx.proto import pusher_pb2

from components import AtomicPusher, PushGate, ThresholdCalibrator, ValidationReport
from components.common.artifacts.record_files import is_remote
from components.common.model_spec import ModelSpec
from components.common.span_patterns import DEFAULT_PATTERN

from . import nodes
from .config import MonitorConfig
from .run_parameters import Number


def monitored_push(  # noqa: PLR0913 - what a pipeline has, where things are, and how to judge; all but one by keyword
    spec: ModelSpec,
    *,
    examples: types.BaseChannel,
    model: types.BaseChannel,
    evaluator: BaseNode,
    serving_dir: str | Path | RuntimeParameter,
    split: str = nodes.EVAL_SPLIT,
    schema: types.BaseChannel | None = None,
    statistics: types.BaseChannel | None = None,
    anomalies: Sequence[types.BaseChannel] = (),
    policy: str = "",
    serving_logs: str | Path | RuntimeParameter = "",
    serving_logs_pattern: str = DEFAULT_PATTERN,
    serving_logs_span: int | RuntimeParameter | None = None,
    baseline: str | types.BaseChannel = "",
    run_key: str = "",
    settings: MonitorConfig = MonitorConfig(),  # noqa: B008 - frozen
    false_alarm_rate: Number | None = None,
    fail_unless_fine: bool = False,
) -> list[BaseNode]:
    """The nodes to append to a pipeline that trains and evaluates a model: scored, described, judged, pushed, reported.

    What is pushed has a baseline bundle, so that `monitoring_pipeline` and `model-monitor monitor` need no more than
    the serving folder and the logs.

    Example:
      components += monitored_push(
          ModelSpec.load("monitor.yaml"),
          examples=example_gen.outputs["examples"],
          model=trainer.outputs["model"],
          evaluator=evaluator,
          anomalies=[example_validator.outputs["anomalies"]],
          serving_dir="/serving",
      )

    Args:
      spec: what the model takes and answers.
      examples: channel of the `Examples`, with a split that the model was not trained on.
      model: channel of the `Model`.
      evaluator: the Evaluator, for its `blessing` and its `evaluation`.
      serving_dir: where blessed versions are pushed to, a local or mounted folder or one of an object store.
      split: the split of `examples` that was held out.
      schema: channel of a curated `Schema`, to which the thresholds of monitoring are added. None: one is inferred from
        the held-out examples.
      statistics: channel of the `ExampleStatistics` of the data that the model was trained on, for the bundle and the
        report; may be left out.
      anomalies: channels of `ExampleAnomalies` that can block the push, ExampleValidator's for one.
      policy: the text of a push policy (docs/push_gate.md). Empty: what the spec says, and strict values for the rest,
        but that without `anomalies` and logs the model is judged by `evaluator` and the canary alone.
      serving_logs: folder of serving logs; the newest span is scored by the new model and compared with the held-out
        examples, and what differs can block the push. Empty: no logs are read.
      serving_logs_pattern: how spans are named below it, as TFX's ExampleGens have it.
      serving_logs_span: the number of the span; None: the newest.
      baseline: what `evaluator` compared the model with, to be noted in the bundle: the folder of a pushed version,
        empty where it was none, or the channel of the `Model` by a BaselineImporter.
      run_key: identifies the run's inputs, see `baseline_bundle.choose_baseline`.
      settings: the false-alarm rate and the like.
      false_alarm_rate: where it is not that of `settings`.
      fail_unless_fine: whether the run ends in failure, after its report was made, when the model is not pushed.

    Raises:
      MonitorError: an argument breaks a rule of the component it is for.

    """
    scored, described = nodes.scored_statistics(spec, examples, model, schema, split=split)
    held_out = described.outputs["statistics"]
    rules = nodes.with_rate(settings.model_dump(include=nodes.CALIBRATION), false_alarm_rate)
    calibrator = ThresholdCalibrator(statistics=held_out, schema=schema, split=split, **rules)
    calibrated = calibrator.outputs["schema"]
    of = {"pattern": serving_logs_pattern, "span": serving_logs_span}
    read = serving_logs if isinstance(serving_logs, RuntimeParameter) else str(serving_logs)
    logs = [nodes.serving_log_example_gen(spec, read, settings, **of)] if serving_logs else []  # type: ignore[arg-type]
    watch, window = _serving_checks(spec, settings, logs, model, held_out, calibrated, split, false_alarm_rate)
    judged_anomalies = [*anomalies, *window.pop("anomalies", [])]
    judged = {"model_blessing": evaluator.outputs["blessing"], "evaluation": evaluator.outputs["evaluation"]}
    gate = PushGate(
        model=model,
        **judged,
        anomalies=judged_anomalies,
        examples=examples,
        spec=spec,
        policy=policy or _policy(judged_anomalies),
    )
    known = {
        "baseline_statistics": held_out,
        "baseline_examples": scored.outputs["examples"],
        "evaluation": judged["evaluation"],
    }
    pusher = AtomicPusher(
        model=model,
        spec=spec,
        model_blessing=gate.outputs["blessing"],
        statistics=statistics,
        schema=calibrated,
        **known,
        push_destination=_destination(serving_dir),
        run_key=run_key,
        judged_against=baseline,
    )
    report = ValidationReport(
        spec=spec,
        anomalies=judged_anomalies,
        training_statistics=statistics,
        blessing=gate.outputs["blessing"],
        pushed_model=pusher.outputs["pushed_model"],
        baseline_split=split,
        **known,
        **window,
    )
    return [
        scored,
        described,
        calibrator,
        *watch,
        gate,
        pusher,
        report,
        *nodes.guards(report, settings, fail_unless_fine),
    ]


def _policy(checks: Sequence[types.BaseChannel]) -> str:
    """The policy where none is given: strict, but that a pipeline which checks no data needs no check of the data."""
    return "" if checks else "anomalies: {required: false}"


def _destination(serving_dir: str | Path | RuntimeParameter) -> pusher_pb2.PushDestination | RuntimeParameter:
    if isinstance(serving_dir, RuntimeParameter):
        return serving_dir
    where = str(serving_dir)
    folder = pusher_pb2.PushDestination.Filesystem(base_directory=where if is_remote(where) else os.path.abspath(where))
    return pusher_pb2.PushDestination(filesystem=folder)


def _serving_checks(  # noqa: PLR0913, PLR0917 - what is compared and how
    spec: ModelSpec,
    settings: MonitorConfig,
    logs: Sequence[BaseNode],
    model: types.BaseChannel,
    held_out: types.BaseChannel,
    schema: types.BaseChannel,
    split: str,
    false_alarm_rate: Number | None,
) -> tuple[list[BaseNode], dict[str, Any]]:
    """The nodes that hold what `logs` reads against the new model's baseline, and what they give; nothing without logs.

    What the logs say the served model answered is not compared: the images are scored again by the new model, so that
    a difference is one of the data.
    """
    if not logs:
        return [], {}
    rows = logs[0].outputs["examples"]
    scored, described = nodes.scored_statistics(spec, rows, model, schema, split=nodes.SERVING_SPLIT, logged=True)
    window = described.outputs["statistics"]
    compared = {"statistics": window, "baseline_statistics": held_out}
    checks = nodes.checks(spec, settings, compared, schema, baseline_split=split, false_alarm_rate=false_alarm_rate)
    return [*logs, scored, described, *checks], {
        "anomalies": [node.outputs["anomalies"] for node in (*logs, *checks)],
        "statistics": window,
        "examples": rows,
    }
