"""Nodes that both pipelines have, so that training and monitoring look at images and predictions in the same way."""

from collections.abc import Sequence
from typing import Any

from tfx import types
from tfx.components.bulk_inferrer.component import BulkInferrer
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration import metadata
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import bulk_inferrer_pb2, range_config_pb2

from components import ImageStatisticsGen, ServingLogExampleGen

from .cifar10.facts import CHANNEL_MEANS, CLASS_NAMES, IMAGE_SHAPE
from .cifar10.serving_signatures import EXAMPLES_SIGNATURE
from .config import PipelineConfig

# The outputs of the model's signatures that are looked at, and what they are called in examples.
PROBABILITIES = "probabilities"
EMBEDDING = "embedding"
SERVING_SPLIT = "serving"
EVAL_SPLIT = "eval"
# The new model's answers to images whose log has the served model's under the plain names.
_CANDIDATE = "candidate_"


def pipeline(config: PipelineConfig, components: Sequence[BaseNode]) -> Pipeline:
    """A pipeline of these nodes, with its root, its store and its Beam options from the configuration."""
    return Pipeline(
        pipeline_name=config.name,
        pipeline_root=str(config.root_path / "artifacts"),
        components=list(components),
        enable_cache=config.cache,
        metadata_connection_config=metadata.sqlite_metadata_connection_config(str(config.metadata_path)),
        beam_pipeline_args=list(config.beam_args),
    )


def serving_log_example_gen(
    config: PipelineConfig, *, span: int | None = None, model_version: int = 0
) -> ServingLogExampleGen:
    """The images of one span of the serving logs, the newest span unless told otherwise."""
    chosen = range_config_pb2.RangeConfig(
        static_range=range_config_pb2.StaticRange(start_span_number=span, end_span_number=span)
    )
    return ServingLogExampleGen(
        input_base=str(config.serving_logs_path),
        range_config=None if span is None else chosen,
        image_shape=IMAGE_SHAPE,
        channel_means=CHANNEL_MEANS,
        model_version=model_version,
        one_example_per=config.monitor.one_example_per,
    )


def scored_statistics(
    examples: types.BaseChannel, model: types.BaseChannel, schema: types.BaseChannel, *, serving: bool = False
) -> tuple[BaseNode, BaseNode]:
    """The nodes that let `model` score images, and that describe images and scores: of a split held out from training.

    Of logged images where `serving`. Theirs is the split, and they carry the answers of the model that was served.
    """
    split, prefix = (SERVING_SPLIT, _CANDIDATE) if serving else (EVAL_SPLIT, "")
    columns = bulk_inferrer_pb2.PredictOutput(
        output_columns=[
            bulk_inferrer_pb2.PredictOutputCol(output_key=key, output_column=prefix + key)
            for key in (PROBABILITIES, EMBEDDING)
        ]
    )
    spec = bulk_inferrer_pb2.OutputColumnsSpec(signature_name=EXAMPLES_SIGNATURE, predict_output=columns)
    inferrer = BulkInferrer(
        examples=examples,
        model=model,
        data_spec=bulk_inferrer_pb2.DataSpec(example_splits=[split]),
        model_spec=bulk_inferrer_pb2.ModelSpec(model_signature_name=[EXAMPLES_SIGNATURE]),
        output_example_spec=bulk_inferrer_pb2.OutputExampleSpec(output_columns_spec=[spec]),
    )
    statistics = ImageStatisticsGen(
        examples=inferrer.outputs["output_examples"],
        schema=schema,
        prediction_key=prefix + PROBABILITIES,
        embedding_key=prefix + EMBEDDING,
        label_key="" if serving else "label",
    )
    if serving:
        return inferrer.with_id("ServingInferrer"), statistics.with_id("ServingStatisticsGen")
    return inferrer, statistics.with_id("BaselineStatisticsGen")


def calibrator_settings(config: PipelineConfig) -> dict[str, Any]:
    """The parameters of ThresholdCalibrator."""
    return config.monitor.model_dump(include={"window_size", "false_alarm_rate", "resamples", "seed"})


def validator_settings(config: PipelineConfig) -> dict[str, Any]:
    """The parameters of SkewDriftValidator."""
    return config.monitor.model_dump(include={"false_alarm_rate", "min_examples", "resamples", "seed"})


def estimator_settings(config: PipelineConfig) -> dict[str, Any]:
    """The parameters of PerformanceEstimator."""
    return {**config.monitor.model_dump(include={"max_accuracy_drop", "seed"}), "class_names": CLASS_NAMES}
