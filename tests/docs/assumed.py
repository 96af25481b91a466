"""The names that the pages' Python may use without defining them, as docs/components.md lists them: real components."""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_serving.apis import prediction_log_pb2
from tfx.components import Evaluator, ExampleValidator, ImportExampleGen, SchemaGen, Trainer
from tfx.dsl.components.common.importer import Importer
from tfx.types import standard_artifacts

from components import (
    BaselineImporter,
    HeldOutScorer,
    ImageStatisticsGen,
    PerformanceEstimator,
    ServingLogExampleGen,
    SkewDriftValidator,
)
from components.common.model_spec import ModelSpec
from tests.support.code_blocks import blocks
from tests.support.foreign_data import digits, write_examples
from tests.support.foreign_models import DIGIT_FEATURES


def names(folder: Path) -> dict[str, Any]:
    """Made anew for each page, so that none sees what another did. `folder` gets files that they read."""
    (folder / "monitor.yaml").write_text(blocks("docs/model_spec.md")[0].text, encoding="utf-8")
    (folder / "serving").mkdir(exist_ok=True)
    write_examples(folder / "held_out" / "part-0.tfrecord.gz", digits().part(0, 50), DIGIT_FEATURES)
    spec = ModelSpec.load(folder / "monitor.yaml")
    return {
        "spec": spec,
        "serving_dir": str(folder / "serving"),
        "run_key": "7c9e",
        **_arrays(spec),
        **_training(spec),
        **_monitoring(spec),
    }


def _arrays(spec: ModelSpec) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    scores = rng.random((1000, spec.num_classes), np.float32)
    return {
        "images": rng.integers(0, 256, (1000, 32, 32, 3), np.uint8),
        "labels": rng.integers(0, spec.num_classes, 1000),
        "probabilities": scores / scores.sum(1, keepdims=True),
        "prediction_log": prediction_log_pb2.PredictionLog(
            predict_log=prediction_log_pb2.PredictLog(),
        ),
    }


def _training(spec: ModelSpec) -> dict[str, Any]:
    example_gen = ImportExampleGen("data/examples")
    examples = example_gen.outputs["examples"]
    statistics_gen = ImageStatisticsGen(examples, spec=spec.image).with_id("TrainingStatistics")
    statistics = statistics_gen.outputs["statistics"]
    schema_gen = SchemaGen(statistics=statistics)
    schema = schema_gen.outputs["schema"]
    trainer = Trainer(run_fn="trainer.run_fn", examples=examples)
    model = trainer.outputs["model"]
    scorer = HeldOutScorer(examples, model, spec=spec).with_id("AssumedScorer")
    held_out = scorer.outputs["examples"]
    return {
        "example_gen": example_gen,
        "statistics_gen": statistics_gen,
        "schema_gen": schema_gen,
        "example_validator": ExampleValidator(statistics=statistics, schema=schema),
        "trainer": trainer,
        "eval_config": tfma.EvalConfig(),
        "evaluator": Evaluator(examples=examples, model=model, eval_config=tfma.EvalConfig()).with_id("Assumed"),
        "baseline_statistics": ImageStatisticsGen(held_out, spec=spec.rows).with_id("BaselineStatistics"),
    }


def _monitoring(spec: ModelSpec) -> dict[str, Any]:
    baseline = BaselineImporter("serving/1795598852").with_id("AssumedBaseline")
    logs = ServingLogExampleGen("logs", spec=spec).with_id("AssumedLogs")
    statistics = ImageStatisticsGen(logs.outputs["examples"], spec=spec.rows).with_id("ServingStatistics")
    compared = (statistics.outputs["statistics"], baseline.outputs["baseline_statistics"])
    return {
        "baseline": baseline,
        "logs": logs,
        "serving_statistics": statistics,
        "previous": Importer("previous", standard_artifacts.ExampleStatistics).with_id("PreviousStatistics"),
        "validator": SkewDriftValidator(*compared, baseline.outputs["schema"]).with_id("AssumedValidator"),
        "estimator": PerformanceEstimator(*compared, spec=spec).with_id("AssumedEstimator"),
    }
