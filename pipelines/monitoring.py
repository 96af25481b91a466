"""The monitoring pipeline: one span of serving logs against the baseline of the model that is served. Wiring only.

One run looks at one span. It needs no resolver: what it compares with comes in as folders, the pushed version's and
that of the previous span's statistics, so that the same function serves every runner.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfx import types
from tfx.orchestration.data_types import RuntimeParameter
from tfx.orchestration.pipeline import Pipeline

from components import BaselineImporter, ImageStatisticsGen, StatisticsImporter, StatisticsPublisher, ValidationReport
from components.common import baseline_bundle
from components.common.baseline_bundle import NO_VERSION, Bundle
from components.common.errors import MonitorError, require
from components.common.model_spec import ModelSpec
from components.common.records.span_history import SpanHistory
from components.common.span_patterns import DEFAULT_PATTERN

from . import nodes, run_parameters
from .config import LOCAL_BEAM_ARGS, MonitorConfig, MonitoringConfig
from .run_parameters import NONE, Number, Text

SPANS_A_COPY = 500  # that take their baseline from the cache: to find it there TFX reads all of their runs


def monitoring_pipeline(  # noqa: PLR0913 - what is compared with what, and how; all but one by keyword
    model: str | Path | Bundle | ModelSpec,
    *,
    logs: str | Path | RuntimeParameter,
    pattern: str = DEFAULT_PATTERN,
    span: int | RuntimeParameter | None = None,
    baseline: Text = "",
    model_version: int | None = None,
    previous: Text = "",
    previous_span: int | None = None,
    published: Text = "",
    labels: Text = "",
    settings: MonitorConfig = MonitorConfig(),  # noqa: B008 - frozen
    false_alarm_rate: Number | None = None,
    history: SpanHistory | None = None,
    fail_unless_fine: bool = False,
    rescored: bool = False,
    **pipeline_arguments: Any,
) -> Pipeline:
    """A pipeline that holds one span of serving logs against the baseline of the model that is served, for any runner.

    Example:
      pipeline = monitoring_pipeline(
          "/serving",
          logs="/logs",
          span=20781,
          pipeline_root="/pipelines/monitoring",
          metadata_connection_config=metadata.sqlite_metadata_connection_config("/pipelines/metadata.sqlite"),
      )
      LocalDagRunner().run(pipeline)

    Args:
      model: the folder of a pushed version, whose baseline bundle says all there is to say about the model; or the
        folder of versions that servers watch, for the newest; or a bundle. Where the folder cannot be read when the
        pipeline is built, the model's spec, and `baseline`.
      logs: folder of serving logs.
      pattern: how spans are named below it, as TFX's ExampleGens have it: a folder each, named by its number, unless
        told otherwise.
      span: the number of the span; None: the newest.
      baseline: with a spec, the folder of the pushed version, which is read when the pipeline runs. A runtime parameter
        may go with a bundle too, and may name a folder of versions, for the newest.
      model_version: the version whose answers are judged; those of others are counted and left out. 0: any version's.
        None: the bundle's; with a spec, any; with a runtime parameter as `baseline`, the one that is found there.
      previous: folder of the statistics of an earlier span, for drift; empty where there is none. Which one is for
        whoever runs the pipeline to say; `model-monitor monitor` goes by `drift_against` of `settings`.
      previous_span: the number of that span, where it is known.
      published: the folder that the statistics of this span are published to, and that `newest` as `previous` looks for
        those of an earlier one in; empty where ML Metadata says where they are.
      labels: file of delayed labels, `id,label` as CSV or TFRecord; empty where there is none.
      settings: the false-alarm rate and the like.
      false_alarm_rate: where it is not that of `settings`.
      history: what is known of the span and of those before it, for the verdict.
      fail_unless_fine: whether the run ends in failure, after its report was made, where the verdict is one of
        `fail_on` of `settings`: unless told otherwise, where the span is not fine.
      rescored: whether the version of `model` answers the logged requests anew, whatever was answered then: how it
        would have done on the traffic of another version.
      pipeline_arguments: of TFX's `Pipeline`, such as `pipeline_root`, `metadata_connection_config` and
        `beam_pipeline_args`. Unless told otherwise its name is `monitoring`, and Beam runs in the process of each node.

    Raises:
      MonitorError: there is no bundle that can be read, or a spec came without `baseline`.

    """
    served = _served(model, baseline, model_version)
    spec = served.spec
    importer = BaselineImporter(bundle_uri=served.folder, cache_key=_cache_key(span), spec=served.asked)
    schema = importer.outputs["schema"]
    of: dict[str, Any] = {"span": span, "pattern": pattern}
    of |= {"baseline": schema} if served.version is None else {"model_version": served.version}
    read = nodes.serving_log_example_gen(spec, _text(logs), settings, **of)
    examples = read.outputs["examples"]
    described = [ImageStatisticsGen(examples=examples, schema=schema, spec=spec.rows)]
    if rescored:
        model_of = importer.outputs["model"]
        described = list(
            nodes.scored_statistics(spec, examples, model_of, schema, split=nodes.SERVING_SPLIT, logged=True)
        )
    compared = {
        "statistics": described[-1].outputs["statistics"],
        "baseline_statistics": importer.outputs["reference_statistics"],
    }
    earlier = _previous(previous, previous_span, span, _among(published, compared["statistics"], schema, settings))
    before = earlier.outputs["statistics"]
    told = {"baseline_split": served.split, "previous": before, "examples": examples, "labels_file": labels,
            "false_alarm_rate": false_alarm_rate}  # fmt: skip
    labelled = importer.outputs["baseline_statistics"]
    validator, estimator = nodes.checks(spec, settings, compared, schema, labelled=labelled, **told)
    report = ValidationReport(
        **compared,
        anomalies=[node.outputs["anomalies"] for node in (read, validator, estimator)],
        previous_statistics=before,
        examples=examples,
        schema=schema,
        spec=spec,
        baseline_split=served.split,
        history=history,
    )
    components = [importer, read, *described, earlier, validator, estimator, report]
    if published:
        found = {key: node.outputs[key] for key, node in (("anomalies", validator), ("report", report))}
        told = {**found, "statistics": compared["statistics"], "schema": schema, "split": nodes.SERVING_SPLIT}
        components.append(StatisticsPublisher(published, **told))
    components += nodes.guards(report, settings, fail_unless_fine)
    usual = {"pipeline_name": MonitoringConfig().name, "beam_pipeline_args": list(LOCAL_BEAM_ARGS)}
    return Pipeline(components=components, **{**usual, **pipeline_arguments})


def create_pipeline(  # noqa: PLR0913 - a span and what it is held against; all but one by keyword
    config: MonitoringConfig,
    *,
    span: int,
    baseline_uri: str,
    model_version: int,
    pattern: str = DEFAULT_PATTERN,
    previous_uri: str = "",
    previous_span: int | None = None,
    history: SpanHistory | None = None,
    rescored: bool = False,
) -> Pipeline:
    """The pipeline for one span as a configuration says, see `monitoring_pipeline`."""
    return monitoring_pipeline(
        baseline_uri,
        model_version=model_version,
        logs=config.serving_logs_path,
        pattern=pattern,
        span=span,
        previous=previous_uri,
        previous_span=previous_span,
        labels=config.labels,
        settings=config.monitor,
        history=history,
        rescored=rescored,
        **nodes.pipeline_arguments(config),
    )


def pipeline_for_kubeflow(config: MonitoringConfig) -> Pipeline:
    """The pipeline in which the logs, the span, the version that is served and the like are parameters of each run.

    Raises:
      MonitorError: neither `model_spec` nor a bundle that can be read now says what the model is.

    """
    return monitoring_pipeline(
        ModelSpec.load(config.model_spec) if config.model_spec else _served_now(config),
        baseline=run_parameters.served(config.bundle or config.serving_dir),
        logs=run_parameters.logs(config.serving_logs),
        pattern=config.serving_logs_pattern,
        span=run_parameters.span(),
        previous=run_parameters.previous(run_parameters.NEWEST if config.statistics_dir else NONE),
        published=run_parameters.published(config.statistics_dir) if config.statistics_dir else "",
        labels=run_parameters.labels(config.labels),
        settings=config.monitor,
        false_alarm_rate=run_parameters.false_alarm_rate(config.monitor.false_alarm_rate),
        fail_unless_fine=config.kubeflow.fail_unless_fine,
        **nodes.pipeline_arguments(config),
    )


def _served_now(config: MonitoringConfig) -> Bundle:
    where = config.bundle or config.serving
    try:
        return baseline_bundle.find(where)
    except MonitorError as error:
        raise MonitorError(
            f"`model_spec` must be the file that describes the model, where the version that is served cannot be read "
            f"when the pipeline is compiled. Received: none, and of {where}: {error}"
        ) from error


@dataclass(frozen=True)
class _Served:
    """A pushed version: its spec, its folder, and its held-out split.

    `version` is the one that its logs name; 0: any; None: the one that is found when the pipeline runs, which must have
    the spec `asked`.
    """

    spec: ModelSpec
    folder: Text
    version: int | None
    split: str = nodes.EVAL_SPLIT
    asked: ModelSpec | None = None


def _served(model: str | Path | Bundle | ModelSpec, baseline: Text, version: int | None) -> _Served:
    if isinstance(baseline, RuntimeParameter):
        return _served_later(model, baseline, version)
    if isinstance(model, ModelSpec):
        require(bool(baseline), "baseline", "be the folder of a pushed version where a spec describes it", baseline)
        return _Served(model, baseline, version or NO_VERSION)
    require(not baseline, "baseline", "be left out where the folder of the model is given", baseline)
    bundle = model if isinstance(model, Bundle) else baseline_bundle.find(str(model))
    manifest = bundle.manifest
    number = manifest.model_version if version is None else version
    return _Served(manifest.spec, bundle.version_dir, number, bundle.held_out_split)


def _served_later(model: str | Path | Bundle | ModelSpec, baseline: RuntimeParameter, version: int | None) -> _Served:
    if isinstance(model, ModelSpec):
        return _Served(model, baseline, version, asked=model)
    bundle = model if isinstance(model, Bundle) else baseline_bundle.find(str(model))
    return _Served(bundle.manifest.spec, baseline, version, bundle.held_out_split, bundle.manifest.spec)


def _among(
    published: Text, window: types.BaseChannel, schema: types.BaseChannel, settings: MonitorConfig
) -> dict[str, Any]:
    """What says which of the published statistics are wanted; nothing where none are published."""
    fine = settings.drift_against == "last_fine"
    return {"published": published, "window": window, "schema": schema, "fine": fine} if published else {}


def _previous(
    uri: Text, number: int | None, span: int | RuntimeParameter | None, among: dict[str, Any]
) -> StatisticsImporter:
    """The statistics of an earlier span, or none; imported again for each span, see `SPANS_A_COPY`."""
    key = f"span {span}" if isinstance(span, int) else ""
    importer = StatisticsImporter(uri or NONE, split=nodes.SERVING_SPLIT, span=number, cache_key=key, **among)
    return importer.with_id("PreviousStatistics")


def _cache_key(span: int | RuntimeParameter | None) -> str:
    return f"spans from {span // SPANS_A_COPY * SPANS_A_COPY}" if isinstance(span, int) else ""


def _text(logs: str | Path | RuntimeParameter) -> Text:
    return logs if isinstance(logs, RuntimeParameter) else str(logs)
