"""The monitoring pipeline: one span of serving logs against the baseline of the model that is served. Wiring only.

One run looks at one span. It needs no resolver: what it compares with comes in as folders, the pushed version's and
that of the previous span's statistics, so that the same function serves every runner.
"""

from pathlib import Path
from typing import Any

from tfx import types
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration.pipeline import Pipeline
from tfx.types import standard_artifacts

from components import BaselineImporter, ImageStatisticsGen, ValidationReport
from components.common.model_spec import EMBEDDING, PROBABILITIES, ModelSpec

from . import nodes
from .cifar10.config import default_spec
from .config import MonitorConfig, MonitoringConfig


def monitoring_pipeline(  # noqa: PLR0913 - what is compared with what, and how; all but one by keyword
    spec: ModelSpec,
    *,
    baseline: str,
    model_version: int,
    logs: str | Path,
    span: int | None = None,
    previous: str = "",
    labels: str = "",
    settings: MonitorConfig = MonitorConfig(),  # noqa: B008 - frozen
    **pipeline_arguments: Any,
) -> Pipeline:
    """A pipeline that holds one span of serving logs against a baseline, for any runner.

    Args:
      spec: what the model takes and answers.
      baseline: folder of the pushed version whose baseline the span is compared with.
      model_version: the version whose answers are judged; those of others are counted and left out.
      logs: folder of serving logs, with a folder for each span that is named by its number.
      span: the number of the span; None: the newest.
      previous: folder of the statistics of the previous span, for drift; empty where there is none.
      labels: file of labels that came later, `id,label` as CSV or TFRecord; empty where there is none.
      settings: the false-alarm rate and the like.
      pipeline_arguments: of TFX's `Pipeline`, such as `pipeline_root`, `metadata_connection_config` and
        `beam_pipeline_args`. Its name is `monitoring` unless told otherwise.

    """
    importer = BaselineImporter(bundle_uri=baseline)
    schema = importer.outputs["schema"]
    read = nodes.serving_log_example_gen(spec, str(logs), settings, span=span, model_version=model_version)
    examples = read.outputs["examples"]
    described = ImageStatisticsGen(
        examples=examples,
        schema=schema,
        prediction_key=PROBABILITIES,
        embedding_key=EMBEDDING if spec.outputs.embedding else "",
    )
    compared = {
        "statistics": described.outputs["statistics"],
        "baseline_statistics": importer.outputs["baseline_statistics"],
    }
    importers, before = _previous(previous)
    given = {"examples": examples, "labels_file": labels}
    validator, estimator = nodes.checks(spec, settings, compared, schema, before, **given)
    report = ValidationReport(
        **compared,
        anomalies=[node.outputs["anomalies"] for node in (read, validator, estimator)],
        previous_statistics=before,
        examples=examples,
        schema=schema,
        class_names=spec.classes,
    )
    components = [importer, read, described, *importers, validator, estimator, report]
    return Pipeline(components=components, **{"pipeline_name": MonitoringConfig().name, **pipeline_arguments})


def create_pipeline(
    config: MonitoringConfig, *, span: int, baseline_uri: str, model_version: int, previous_uri: str = ""
) -> Pipeline:
    """The pipeline for one span as a configuration says, see `monitoring_pipeline`."""
    return monitoring_pipeline(
        default_spec(),
        baseline=baseline_uri,
        model_version=model_version,
        logs=config.serving_logs_path,
        span=span,
        previous=previous_uri,
        labels=config.labels,
        settings=config.monitor,
        **nodes.pipeline_arguments(config),
    )


def _previous(uri: str) -> tuple[list[BaseNode], types.BaseChannel | None]:
    """An importer of the previous span's statistics, and its channel, or nothing."""
    if not uri:
        return [], None
    properties = {"split_names": f'["{nodes.SERVING_SPLIT}"]'}
    importer = Importer(source_uri=uri, artifact_type=standard_artifacts.ExampleStatistics, properties=properties)
    return [importer.with_id("PreviousStatistics")], importer.outputs["result"]
