"""One component over data that was made, in this process: COMPONENT FOLDER IMAGES BEAM_RUNNER [BEAM_OPTION ...]."""

import json
import resource
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from benchmarks.scale.made import KEPT
from components.cifar10_example_gen.executor import Executor as Cifar10ExampleGen
from components.common.model_spec import ModelSpec
from components.image_statistics_gen.executor import Executor as ImageStatisticsGen
from components.serving_log_example_gen.executor import Executor as ServingLogExampleGen
from components.serving_log_example_gen.read_options import ReadOptions
from pipelines.beam_runners import beam_options
from pipelines.cifar10.config import default_spec

_NO_BOUND = 1 << 40


def main(component: str, data: str, images: str, runner: str, *beam_args: str) -> None:
    output = KEPT / "output"
    shutil.rmtree(output, ignore_errors=True)
    run = _COMPONENTS[component](Path(data), output, list(beam_options(runner, beam_args)))  # type: ignore[arg-type]
    cpu, memory, began = _cpu(), _peak(), time.monotonic()
    run()
    took = _cpu() - cpu
    record = {
        "component": component,
        "data": Path(data).name,
        "beam_runner": runner,
        "cpu_s": round(took, 1),
        "images_a_cpu_s": round(int(images) / took),
        "elapsed_s": round(time.monotonic() - began, 1),
        "imports_mb": memory,
        "peak_mb": _peak(),
    }
    print(json.dumps(record))


def _read_cifar(data: Path, output: Path, beam_args: Sequence[str]) -> Callable[[], None]:
    division = example_gen_pb2.SplitConfig(splits=[example_gen_pb2.SplitConfig.Split(name="eval", hash_buckets=1)])
    properties = {
        **_inputs(data, "*.bin", "eval"),
        "output_config": proto_utils.proto_to_json(example_gen_pb2.Output(split_config=division)),
        "output_data_format": example_gen_pb2.FORMAT_TF_EXAMPLE,
    }
    examples = _artifact(standard_artifacts.Examples, output / "examples")
    return _call(Cifar10ExampleGen, {}, {"examples": [examples]}, properties, beam_args)


def _describe(data: Path, output: Path, beam_args: Sequence[str]) -> Callable[[], None]:
    given = _artifact(standard_artifacts.Examples, data)
    given.split_names = '["eval"]'
    described = _artifact(standard_artifacts.ExampleStatistics, output / "statistics")
    properties = {"spec": default_spec().image.to_json(), "exclude_splits": "[]", "sample_size": 10_000}
    return _call(ImageStatisticsGen, {"examples": [given]}, {"statistics": [described]}, properties, beam_args)


def _convert(data: Path, output: Path, beam_args: Sequence[str]) -> Callable[[], None]:
    record = default_spec().to_record()
    spec = ModelSpec.from_record({**record, "outputs": {"scores": "probabilities", "kind": "probabilities"}})
    options = ReadOptions(spec=spec, max_rows=_NO_BOUND).to_properties()
    outputs = {
        "examples": [_artifact(standard_artifacts.Examples, output / "examples")],
        "anomalies": [_artifact(standard_artifacts.ExampleAnomalies, output / "anomalies")],
    }
    properties = {**_inputs(data, "1/*", "serving"), **options, "span": 1}
    return _call(ServingLogExampleGen, {}, outputs, properties, beam_args)


def _artifact(kind: Any, uri: Path) -> Any:
    made = kind()
    made.uri = str(uri)
    return made


def _inputs(data: Path, pattern: str, split: str) -> dict[str, Any]:
    config = example_gen_pb2.Input(splits=[example_gen_pb2.Input.Split(name=split, pattern=pattern)])
    return {"input_base": str(data), "input_config": proto_utils.proto_to_json(config)}


def _call(executor: Any, given: Any, outputs: Any, properties: Any, beam_args: Sequence[str]) -> Callable[[], None]:
    context = executor.Context(beam_pipeline_args=list(beam_args), tmp_dir=str(KEPT / "output" / "tmp"), unique_id="1")
    return lambda: executor(context).Do(given, outputs, properties)


def _cpu() -> float:
    """Processor seconds of this process and of those that it has waited for."""
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def _peak() -> int:
    """Megabytes of the largest of them."""
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(who).ru_maxrss for who in whose) * 1024 // 10**6


_COMPONENTS: dict[str, Callable[[Path, Path, Sequence[str]], Callable[[], None]]] = {
    "read-cifar": _read_cifar,
    "describe": _describe,
    "convert": _convert,
}


if __name__ == "__main__":
    main(*sys.argv[1:])
