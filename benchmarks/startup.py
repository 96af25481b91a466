"""What a run costs of which nothing has changed: `monitor` on a span that was judged, and TFX's own from its cache.

    python -m benchmarks.startup [--root runs] [--logs logs] [--span 1]

Under ROOT the span was judged before, as by `make demo`, `model-monitor replay` and `model-monitor monitor`. The other
pipeline is made of TFX's components alone and has the same data to look at, five hundred examples: ImportExampleGen,
StatisticsGen, SchemaGen, ExampleValidator. Both run twice, and the second run, which has nothing to do, is measured,
beside it what the imports of TFX's cost, which come before its first component. Each is a process of its own: its
processor time, and the most memory that it had.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

RECORDS, SIDE = 500, 32
IMPORTS = "from tfx.components import ExampleValidator, ImportExampleGen, SchemaGen, StatisticsGen\n" \
          "from tfx.orchestration.local.local_dag_runner import LocalDagRunner"  # fmt: skip


def stock(folder: Path) -> None:
    """Runs the pipeline of TFX's own components."""
    from tfx.components import ExampleValidator, ImportExampleGen, SchemaGen, StatisticsGen  # noqa: PLC0415
    from tfx.orchestration import metadata  # noqa: PLC0415
    from tfx.orchestration.local.local_dag_runner import LocalDagRunner  # noqa: PLC0415
    from tfx.orchestration.pipeline import Pipeline  # noqa: PLC0415

    from pipelines.config import LOCAL_BEAM_ARGS  # noqa: PLC0415

    if not (folder / "data").exists():
        write_examples(folder / "data")
    examples = ImportExampleGen(str(folder / "data"))
    statistics = StatisticsGen(examples=examples.outputs["examples"])
    schema = SchemaGen(statistics=statistics.outputs["statistics"])
    found, known = statistics.outputs["statistics"], schema.outputs["schema"]
    pipeline = Pipeline(
        pipeline_name="stock",
        pipeline_root=str(folder / "root"),
        components=[examples, statistics, schema, ExampleValidator(statistics=found, schema=known)],
        enable_cache=True,
        metadata_connection_config=metadata.sqlite_metadata_connection_config(str(folder / "metadata.sqlite")),
        beam_pipeline_args=list(LOCAL_BEAM_ARGS),
    )
    LocalDagRunner().run(pipeline)


def write_examples(folder: Path) -> None:
    import tensorflow as tf  # noqa: PLC0415

    images = np.random.default_rng(0).integers(0, 256, (RECORDS, SIDE, SIDE, 3), np.uint8)
    folder.mkdir()
    with tf.io.TFRecordWriter(str(folder / "examples.tfrecord")) as writer:
        for number, image in enumerate(images):
            value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[image.tobytes()]))
            label = tf.train.Feature(int64_list=tf.train.Int64List(value=[number % 10]))
            features = tf.train.Features(feature={"image": value, "label": label})
            writer.write(tf.train.Example(features=features).SerializeToString())


def measured(*command: str) -> tuple[float, float]:
    """Processor seconds and megabytes of a process. Raises `CalledProcessError` where it fails.

    To Linux a process has had as much memory as the one that started it: this one imports nothing large.
    """
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = process.stdout.read() if process.stdout else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 2):  # 2: the span is not fine
        raise subprocess.CalledProcessError(process.returncode, command, output)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="runs")
    parser.add_argument("--logs", default="logs")
    parser.add_argument("--span", default="1")
    parser.add_argument("--stock", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stock:
        stock(options.stock)
        return
    monitor = ("-m", "model_monitor.cli", "monitor", "--set", f"root={options.root}", "--logs", options.logs)
    with tempfile.TemporaryDirectory() as folder:
        again = (sys.executable, "-m", "benchmarks.startup", "--stock", folder)
        watching = (sys.executable, *monitor, "--span", options.span)
        for once in (again, watching):  # what is measured finds everything as it was left
            measured(*once)
        rows = {
            "TFX's own pipeline: its imports alone": measured(sys.executable, "-c", IMPORTS),
            "TFX's own pipeline, all from the cache": measured(*again),
            "monitor, nothing changed": measured(*watching),
        }
    print(f"{'':44}{'CPU s':>8}{'MB':>8}")
    for name, (seconds, megabytes) in rows.items():
        print(f"{name:44}{seconds:8.1f}{megabytes:8.0f}")


if __name__ == "__main__":
    main()
