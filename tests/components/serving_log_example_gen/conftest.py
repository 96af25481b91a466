"""Logs to read: built with TensorFlow Serving's own messages, run through the component's own executor."""

import gzip
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.common.artifacts.tfrecord import frame
from tests.support.specs import model_spec

SHAPE = (4, 5, 3)
SPEC = model_spec(SHAPE, 3)


def make_images(count: int, shape: tuple[int, int, int] = SHAPE, seed: int = 0) -> np.ndarray:
    """uint8 [count, *shape] with a pixel of 0 and one of 255 in every image."""
    images = np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)
    images[:, 0, 0, 0], images[:, -1, -1, -1] = 0, 255
    return images


def make_probabilities(count: int, classes: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(classes), count).astype(np.float32)


def make_log(
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any] | None = None,
    *,
    version: int | None = 7,
    timestamp: int = 1_700_000_000,
    rate: float = 0.5,
    request_id: str | Sequence[str] | None = None,
    client_id: str | Sequence[str] | None = None,
) -> Any:
    """A PredictionLog of a Predict request. Values that are no TensorProto yet become one."""
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    log = prediction_log_pb2.PredictionLog()
    log.log_metadata.model_spec.name = "classifier"
    if version is not None:
        log.log_metadata.model_spec.version.value = version
    log.log_metadata.timestamp_secs = timestamp
    log.log_metadata.sampling_config.sampling_rate = rate
    if request_id is not None:
        inputs = {**inputs, "log/request_id": request_id}
    if client_id is not None:
        inputs = {**inputs, "log/client_id": client_id}
    for fields, values in (
        (log.predict_log.request.inputs, inputs),
        (log.predict_log.response.outputs, outputs or {}),
    ):
        for name, value in values.items():
            is_proto = hasattr(value, "tensor_shape")
            fields[name].CopyFrom(value if is_proto else tf.make_tensor_proto(value))
    return log


def make_good_log(count: int = 2, seed: int = 0, **metadata: Any) -> Any:
    """A request of `count` images with probabilities for each."""
    return make_log(
        {"image": make_images(count, seed=seed)}, {"probabilities": make_probabilities(count, seed=seed)}, **metadata
    )


def png(image: np.ndarray, file_type: str = "PNG") -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(stream, file_type, quality=95)
    return stream.getvalue()


@dataclass(frozen=True)
class Result:
    """What the executor wrote."""

    examples: Any
    anomalies: Any

    @property
    def counts(self) -> dict[str, Any]:
        return json.loads(Path(self.anomalies.uri, "counts.json").read_text())

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        """Features by id; fails if an id is there twice."""
        import tensorflow as tf

        from tests.support.tfrecord_files import records_of

        rows: dict[str, dict[str, Any]] = {}
        for serialised in records_of(Path(self.examples.uri, "Split-serving").iterdir()):
            features = {}
            for name, feature in tf.train.Example.FromString(serialised).features.feature.items():
                values = list(getattr(feature, feature.WhichOneof("kind")).value)
                features[name] = values if name in ("probabilities", "embedding") else values[0]
                assert len(values) == 1 or name in ("probabilities", "embedding")
            assert features["id"].decode() not in rows
            rows[features["id"].decode()] = features
        return rows

    @property
    def proto(self) -> Any:
        """The anomalies as stock TFX hands them to `tfdv.display_anomalies`."""
        import tensorflow_data_validation as tfdv

        return tfdv.utils.anomalies_util.anomalies_pb2.Anomalies.FromString(
            Path(self.anomalies.uri, "Split-serving", "SchemaDiff.pb").read_bytes()
        )

    @property
    def found(self) -> dict[str, str]:
        """Severity by the name a person sees."""
        proto = self.proto
        infos = list(proto.anomaly_info.values())
        if proto.HasField("dataset_anomaly_info"):
            infos.append(proto.dataset_anomaly_info)
        severities = type(infos[0]).Severity if infos else None
        return {reason.short_description: severities.Name(info.severity) for info in infos for reason in info.reason}

    @property
    def dead_letters(self) -> list[tuple[dict[str, Any], bytes]]:
        """The line and the bytes of each."""
        from tests.support.tfrecord_files import records_of

        folder, letters = Path(self.anomalies.uri, "dead_letters"), []
        for path in sorted(folder.glob("*.jsonl.gz")) if folder.exists() else []:
            lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
            records = str(path).replace(".jsonl.gz", ".tfrecord.gz")
            kept = list(records_of([records]))
            letters += list(zip(lines, kept, strict=True))
        return letters


@pytest.fixture
def run_executor(tmp_path: Path) -> Callable[..., Result]:
    """Runs the executor as its launcher does over files given by name and content, and what `beside` makes."""

    def run(
        files: Mapping[str, bytes], beside: Mapping[str, Callable[[Path], object]] | None = None, **options: Any
    ) -> Result:
        from tfx.proto import example_gen_pb2
        from tfx.types import standard_artifacts
        from tfx.utils import proto_utils

        from components.serving_log_example_gen.executor import Executor
        from components.serving_log_example_gen.read_options import ReadOptions

        run.count += 1
        root = tmp_path / f"run-{run.count}"
        (root / "logs" / "3").mkdir(parents=True)
        for name, content in files.items():
            (root / "logs" / "3" / name).write_bytes(content)
        for name, make in (beside or {}).items():
            make(root / "logs" / "3" / name)
        result = Result(standard_artifacts.Examples(), standard_artifacts.ExampleAnomalies())
        result.examples.uri, result.anomalies.uri = str(root / "examples"), str(root / "anomalies")
        splits = [example_gen_pb2.Input.Split(name="serving", pattern="3/*")]
        properties = {
            "input_base": str(root / "logs"),
            "input_config": proto_utils.proto_to_json(example_gen_pb2.Input(splits=splits)),
            **ReadOptions(**{"spec": SPEC, **options}).to_properties(),
            "span": 3,
        }
        beam_args = [
            "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner",
            "--sdk_container_image=unused",  # without it TFX builds a package of itself for every run
        ]
        context = Executor.Context(beam_pipeline_args=beam_args, tmp_dir=str(root), unique_id="0")
        Executor(context).Do({}, {"examples": [result.examples], "anomalies": [result.anomalies]}, properties)
        return result

    run.count = 0
    return run


def log_file(*logs: Any) -> bytes:
    """A file of logs, messages or the bytes of one."""
    return b"".join(frame(log if isinstance(log, bytes) else log.SerializeToString()) for log in logs)
