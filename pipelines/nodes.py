"""Nodes that both pipelines have, so that training and monitoring describe images and predictions in the same way."""

from typing import Any

from tfx import types
from tfx.components.bulk_inferrer.component import BulkInferrer
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration import metadata
from tfx.proto import bulk_inferrer_pb2, range_config_pb2

from components import ImageStatisticsGen, PerformanceEstimator, ServingLogExampleGen, SkewDriftValidator
from components.common.model_spec import EMBEDDING, PROBABILITIES, ModelSpec, OutputSpec

from .config import MonitorConfig, PipelineConfig

SERVING_SPLIT = "serving"
EVAL_SPLIT = "eval"
# The new model's answers to images whose log has the served model's under the plain names.
_CANDIDATE = "candidate_"


def pipeline_arguments(config: PipelineConfig) -> dict[str, Any]:
    """The arguments of TFX's `Pipeline` that a configuration decides: its name, root, store and Beam options."""
    return {
        "pipeline_name": config.name,
        "pipeline_root": str(config.root_path / "artifacts"),
        "enable_cache": config.cache,
        "metadata_connection_config": metadata.sqlite_metadata_connection_config(str(config.metadata_path)),
        "beam_pipeline_args": list(config.beam_args),
    }


def serving_log_example_gen(
    spec: ModelSpec, logs: str, settings: MonitorConfig, *, span: int | None = None, model_version: int = 0
) -> ServingLogExampleGen:
    """The images of one span of the serving logs, the newest span unless told otherwise."""
    chosen = range_config_pb2.RangeConfig(
        static_range=range_config_pb2.StaticRange(start_span_number=span, end_span_number=span)
    )
    return ServingLogExampleGen(
        input_base=logs,
        range_config=None if span is None else chosen,
        spec=spec,
        model_version=model_version,
        one_example_per=settings.one_example_per,
    )


def scored_statistics(
    spec: ModelSpec,
    examples: types.BaseChannel,
    model: types.BaseChannel,
    schema: types.BaseChannel,
    *,
    serving: bool = False,
) -> tuple[BaseNode, BaseNode]:
    """The nodes that let `model` score images, and that describe images and scores: of a split held out from training.

    Of logged images where `serving`. Theirs is the split, and they carry the answers of the model that was served.
    """
    split, prefix = (SERVING_SPLIT, _CANDIDATE) if serving else (EVAL_SPLIT, "")
    outputs = {spec.outputs.scores: PROBABILITIES, spec.outputs.embedding: EMBEDDING}
    columns = bulk_inferrer_pb2.PredictOutput(
        output_columns=[
            bulk_inferrer_pb2.PredictOutputCol(output_key=key, output_column=prefix + column)
            for key, column in outputs.items()
            if key
        ]
    )
    signature = spec.signatures.examples
    columns_spec = bulk_inferrer_pb2.OutputColumnsSpec(signature_name=signature, predict_output=columns)
    inferrer = BulkInferrer(
        examples=examples,
        model=model,
        data_spec=bulk_inferrer_pb2.DataSpec(example_splits=[split]),
        model_spec=bulk_inferrer_pb2.ModelSpec(model_signature_name=[signature]),
        output_example_spec=bulk_inferrer_pb2.OutputExampleSpec(output_columns_spec=[columns_spec]),
    )
    statistics = ImageStatisticsGen(
        examples=inferrer.outputs["output_examples"],
        schema=schema,
        spec=_described(spec.rows if serving else spec, spec.outputs.kind, prefix),
    )
    if serving:
        return inferrer.with_id("ServingInferrer"), statistics.with_id("ServingStatisticsGen")
    return inferrer, statistics.with_id("BaselineStatisticsGen")


def _described(spec: ModelSpec, kind: Any, prefix: str) -> ModelSpec:
    """The spec of examples to which BulkInferrer has added scores."""
    embedding = prefix + EMBEDDING if spec.outputs.embedding else None
    outputs = OutputSpec(scores=prefix + PROBABILITIES, kind=kind, embedding=embedding)
    return spec.model_copy(update={"outputs": outputs, "label": None if prefix else spec.label})


def checks(
    spec: ModelSpec,
    settings: MonitorConfig,
    statistics: dict[str, types.BaseChannel],
    schema: types.BaseChannel,
    previous: types.BaseChannel | None = None,
    **labels: Any,
) -> tuple[BaseNode, BaseNode]:
    """The nodes that hold a window against a baseline: what changed, and what that does to the model's accuracy.

    Args:
      spec: of the model.
      settings: the false-alarm rate and the like.
      statistics: the channels `statistics` and `baseline_statistics`.
      schema: the one with comparators.
      previous: the statistics of the previous span.
      labels: `examples` and `labels_file` of PerformanceEstimator, where there are labels.

    """
    rules = settings.model_dump(include={"false_alarm_rate", "min_examples", "resamples", "seed"})
    validator = SkewDriftValidator(**statistics, schema=schema, previous_statistics=previous, **rules)
    limits = settings.model_dump(include={"max_accuracy_drop", "seed"})
    return validator, PerformanceEstimator(**statistics, spec=spec, **limits, **labels)
