"""How each component is called over data that was made: (its folder, that of outputs, options for Beam) -> a call."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from components.common.model_spec import ModelSpec
from components.serving_log_example_gen.read_options import ReadOptions
from pipelines.cifar10.config import SCHEMA_DIR, TRAINER_KEY, TrainerConfig, default_spec

Call = Callable[[], None]
_NO_BOUND = 1 << 40
_PERMUTATIONS = 1_999  # the default
_SIDES = ("window", "baseline")


def _read_cifar(data: Path, output: Path, beam_args: Sequence[str]) -> Call:
    division = example_gen_pb2.SplitConfig(splits=[example_gen_pb2.SplitConfig.Split(name="eval", hash_buckets=1)])
    properties = {
        **_inputs(data, "*.bin", "eval"),
        "output_config": proto_utils.proto_to_json(example_gen_pb2.Output(split_config=division)),
        "output_data_format": example_gen_pb2.FORMAT_TF_EXAMPLE,
    }
    examples = _artifact(standard_artifacts.Examples, output / "examples")
    return _call("cifar10_example_gen", {}, {"examples": [examples]}, properties, beam_args)


def describe(data: Path, output: Path, beam_args: Sequence[str], *, scored: bool = False) -> Call:
    given = _split(standard_artifacts.Examples, data)
    described = _artifact(standard_artifacts.ExampleStatistics, output / "statistics")
    spec = default_spec().rows if scored else default_spec().image
    properties = {"spec": spec.to_json(), "exclude_splits": "[]", "sample_size": 10_000}
    return _call("image_statistics_gen", {"examples": [given]}, {"statistics": [described]}, properties, beam_args)


def _convert(data: Path, output: Path, beam_args: Sequence[str]) -> Call:
    record = default_spec().to_record()
    spec = ModelSpec.from_record({**record, "outputs": {"scores": "probabilities", "kind": "probabilities"}})
    options = ReadOptions(spec=spec, max_rows=_NO_BOUND).to_properties()
    outputs = {
        "examples": [_artifact(standard_artifacts.Examples, output / "examples")],
        "anomalies": [_artifact(standard_artifacts.ExampleAnomalies, output / "anomalies")],
    }
    properties = {**_inputs(data, "1/*", "serving"), **options, "span": 1}
    return _call("serving_log_example_gen", {}, outputs, properties, beam_args)


def _score(data: Path, output: Path, beam_args: Sequence[str]) -> Call:
    given = {"held_out_examples": [_split(standard_artifacts.Examples, data)], "model": [_model(data)]}
    scored = _artifact(standard_artifacts.Examples, output / "examples")
    properties = {"spec": default_spec().to_json(), "splits": '["eval"]', "logged": 0}
    return _call("held_out_scorer", given, {"examples": [scored]}, properties, beam_args)


def _evaluate(data: Path, output: Path, beam_args: Sequence[str]) -> Call:
    given = {"examples": [_split(standard_artifacts.Examples, data)], "model": [_model(data)]}
    outputs = {
        "evaluation": [_artifact(standard_artifacts.ModelEvaluation, output / "evaluation")],
        "blessing": [_artifact(standard_artifacts.ModelBlessing, output / "blessing")],
    }
    tfma = import_module("tensorflow_model_analysis")
    config = text_format.Parse((Path(SCHEMA_DIR) / "eval_config.pbtxt").read_text(), tfma.EvalConfig())
    properties = {
        "eval_config": proto_utils.proto_to_json(config),
        "example_splits": '["eval"]',
        "fairness_indicator_thresholds": "null",
    }
    return _call("evaluator", given, outputs, properties, beam_args)


def _train(data: Path, output: Path, _: Sequence[str]) -> Call:
    config = TrainerConfig(model="tiny_cnn", epochs=1)
    trainer = import_module("pipelines.cifar10.trainer")
    told = import_module("tfx.components.trainer.fn_args_utils").FnArgs(
        train_files=[str(data / "Split-eval" / "*")],
        serving_model_dir=str(output / "model"),
        model_run_dir=str(output / "run"),
        custom_config={TRAINER_KEY: config.model_dump_json()},
    )
    return lambda: trainer.run_fn(told)


def calibrate(data: Path, output: Path, _: Sequence[str]) -> Call:
    statistics = _split(standard_artifacts.ExampleStatistics, data / "baseline" / "statistics")
    properties = {
        "window_size": 1_000, "false_alarm_rate": 0.01, "split": "eval", "permutations": _PERMUTATIONS, "seed": 0,
        "monitored": "[]", "unmonitored": "[]",
    }  # fmt: skip
    schema = _artifact(standard_artifacts.Schema, output / "schema")
    return _call("threshold_calibrator", {"statistics": [statistics]}, {"schema": [schema]}, properties, ())


def _compare(data: Path, output: Path, _: Sequence[str]) -> Call:
    statistics = {
        key: [_split(standard_artifacts.ExampleStatistics, data / side / "statistics")]
        for key, side in (("statistics", "window"), ("baseline_statistics", "baseline"))
    }
    schema = _artifact(standard_artifacts.Schema, data / "schema")
    properties = {
        "split": "eval", "baseline_split": "eval", "false_alarm_rate": 0.01, "min_examples": 100,
        "permutations": _PERMUTATIONS, "seed": 0, "environment": "", "features": "[]", "has_baseline": 1,
        "has_previous": 0,
    }  # fmt: skip
    outputs = {"anomalies": [_artifact(standard_artifacts.ExampleAnomalies, output / "anomalies")]}
    return _call("skew_drift_validator", {**statistics, "schema": [schema]}, outputs, properties, ())


def _estimate(data: Path, output: Path, beam_args: Sequence[str]) -> Call:
    window, baseline = (_split(standard_artifacts.ExampleStatistics, data / side / "statistics") for side in _SIDES)
    given = {
        "statistics": [window],
        "baseline_statistics": [baseline],
        "examples": [_split(standard_artifacts.Examples, data / "window")],
    }
    properties = {
        "labels_file": str(data / "labels.csv"), "split": "eval", "baseline_split": "eval",
        "estimator": "atc_with_transport", "max_accuracy_drop": 0.05, "spec": default_spec().to_json(), "seed": 0,
    }  # fmt: skip
    outputs = {"anomalies": [_artifact(standard_artifacts.ExampleAnomalies, output / "anomalies")]}
    return _call("performance_estimator", given, outputs, properties, beam_args)


def _split(kind: Any, uri: Path) -> Any:
    """An artifact whose one split is "eval"."""
    made = _artifact(kind, uri)
    made.split_names = '["eval"]'
    return made


def _model(data: Path) -> Any:
    return _artifact(standard_artifacts.Model, data / "model")


def _artifact(kind: Any, uri: Path) -> Any:
    made = kind()
    made.uri = str(uri)
    return made


def _inputs(data: Path, pattern: str, split: str) -> dict[str, Any]:
    config = example_gen_pb2.Input(splits=[example_gen_pb2.Input.Split(name=split, pattern=pattern)])
    return {"input_base": str(data), "input_config": proto_utils.proto_to_json(config)}


def _call(component: str, given: Any, outputs: Any, properties: Any, beam_args: Sequence[str]) -> Call:
    executor: Any = import_module(f"components.{component}.executor").Executor  # no other's imports count
    (output, *_) = (each for made in outputs.values() for each in made)
    tmp_dir = str(Path(output.uri).parent / "tmp")
    told = {"beam_pipeline_args": list(beam_args)} if beam_args else {}
    context = executor.Context(tmp_dir=tmp_dir, unique_id="1", **told)
    return lambda: executor(context).Do(given, outputs, properties)


CALLS: Mapping[str, Callable[[Path, Path, Sequence[str]], Call]] = {
    "read-cifar": _read_cifar,
    "describe": describe,
    "convert": _convert,
    "score": _score,
    "evaluate": _evaluate,
    "train": _train,
    "calibrate": calibrate,
    "compare": _compare,
    "estimate": _estimate,
}
