"""The monitoring pipeline: one span of serving logs against the baseline of the model that is served. Wiring only.

One run looks at one span. It needs no resolver: what it compares with comes in as folders, the pushed version's and
that of the previous span's statistics, so that the same function serves every runner.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfx import types
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration.pipeline import Pipeline
from tfx.types import standard_artifacts

from components import BaselineImporter, ImageStatisticsGen, ValidationReport
from components.common import baseline_bundle
from components.common.baseline_bundle import BUNDLE, NO_VERSION, Bundle
from components.common.errors import require
from components.common.model_spec import ModelSpec
from components.common.records.span_history import SpanHistory
from components.common.span_patterns import DEFAULT_PATTERN

from . import nodes
from .config import LOCAL_BEAM_ARGS, MonitorConfig, MonitoringConfig

SPANS_A_COPY = 500  # that take their baseline from the cache: to find it there TFX reads all of their runs


def monitoring_pipeline(  # noqa: PLR0913 - what is compared with what, and how; all but one by keyword
    model: str | Path | Bundle | ModelSpec,
    *,
    logs: str | Path,
    pattern: str = DEFAULT_PATTERN,
    span: int | None = None,
    baseline: str = "",
    model_version: int | None = None,
    previous: str = "",
    labels: str = "",
    settings: MonitorConfig = MonitorConfig(),  # noqa: B008 - frozen
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
      baseline: with a spec, the folder of the pushed version, which is read when the pipeline runs.
      model_version: the version whose answers are judged; those of others are counted and left out. 0: any version's.
        None: the bundle's; with a spec, any.
      previous: folder of the statistics of an earlier span, for drift; empty where there is none. Which one is for
        whoever runs the pipeline to say; `model-monitor monitor` goes by `drift_against` of `settings`.
      labels: file of delayed labels, `id,label` as CSV or TFRecord; empty where there is none.
      settings: the false-alarm rate and the like.
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
    cache_key = "" if span is None else f"spans from {span // SPANS_A_COPY * SPANS_A_COPY}"
    importer = BaselineImporter(bundle_uri=served.folder, cache_key=cache_key)
    schema = importer.outputs["schema"]
    of = {"span": span, "pattern": pattern, "model_version": served.version}
    read = nodes.serving_log_example_gen(spec, str(logs), settings, **of)  # type: ignore[arg-type]
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
    importers, before = _previous(previous)
    told = {"baseline_split": served.split, "previous": before, "examples": examples, "labels_file": labels}
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
    guards = nodes.guards(report, settings, fail_unless_fine)
    components = [importer, read, *described, *importers, validator, estimator, report, *guards]
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
        labels=config.labels,
        settings=config.monitor,
        history=history,
        rescored=rescored,
        **nodes.pipeline_arguments(config),
    )


@dataclass(frozen=True)
class _Served:
    """A pushed version: its spec, its folder, the version that its logs name (0: any), and its held-out split."""

    spec: ModelSpec
    folder: str
    version: int
    split: str = nodes.EVAL_SPLIT


def _served(model: str | Path | Bundle | ModelSpec, baseline: str, version: int | None) -> _Served:
    if isinstance(model, ModelSpec):
        require(bool(baseline), "baseline", "be the folder of a pushed version where a spec describes it", baseline)
        return _Served(model, baseline, version or NO_VERSION)
    require(not baseline, "baseline", "be left out where the folder of the model is given", baseline)
    bundle = model if isinstance(model, Bundle) else _bundle_in(str(model))
    manifest = bundle.manifest
    number = manifest.model_version if version is None else version
    return _Served(manifest.spec, bundle.version_dir, number, bundle.held_out_split)


def _bundle_in(folder: str) -> Bundle:
    """That of a version or, in a folder of versions, that of the newest."""
    newest = None if os.path.isdir(os.path.join(folder, BUNDLE)) else baseline_bundle.newest(folder)
    return newest or baseline_bundle.read(folder)


def _previous(uri: str) -> tuple[list[BaseNode], types.BaseChannel | None]:
    """An importer of the previous span's statistics, and its channel, or nothing."""
    if not uri:
        return [], None
    properties = {"split_names": f'["{nodes.SERVING_SPLIT}"]'}
    importer = Importer(source_uri=uri, artifact_type=standard_artifacts.ExampleStatistics, properties=properties)
    return [importer.with_id("PreviousStatistics")], importer.outputs["result"]
