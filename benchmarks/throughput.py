"""What describing images and reading logs costs, in processor time, against what the hardware needs for less.

    python -m benchmarks.throughput [--rounds 5]

Everything is measured in one process, one thread and one run; each figure is the least of a few rounds, in microseconds
of processor time an image, and the ratios are what counts: machines differ, and busy ones wait.

- Images of 32 x 32 are the embedded sample's, in a plain file of 50,000 Examples. The float32 pass beside them is the
  least that anything does that learns from pixels: the batch as float32, divided by 255, times a matrix with a column
  for each property.
- Images of 224 x 224 are crops of scikit-learn's two photographs, as JPEG files of quality 90. The decoder beside them
  is libjpeg-turbo's, through simplejpeg, and nothing else.
- Logs hold the sample's images with ten probabilities each, gzipped.
- Others describe the same images, a part of them, in an environment of their own, `make build/image-peers`; without it
  that table is left out.
"""

import argparse
import functools
import gzip
import io
import json
import math
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: one thread against one thread

# before what TFX imports: something there brings a package `tests` of its own
from tests.support import numpy_properties

# isort: split

import numpy as np
import numpy.typing as npt
import simplejpeg
import tensorflow as tf
from PIL import Image
from sklearn.datasets import load_sample_images
from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

from components.common.artifacts.record_parts import Part
from components.common.artifacts.tfrecord import frame
from components.common.image_spec import ImageSpec
from components.common.model_spec import ModelSpec
from components.image_statistics_gen import image_properties
from components.image_statistics_gen.describe_examples import describe_here
from components.image_statistics_gen.record_batches import read_batches
from components.image_statistics_gen.sample_accumulator import hash_examples
from components.image_statistics_gen.statistics_generator import ImageStatisticsGenerator
from components.serving_log_example_gen.convert_logs import convert_here
from components.serving_log_example_gen.read_options import ReadOptions
from components.serving_log_example_gen.tally import Tally
from components.serving_log_writer.prediction_log_encoding import ServedModel, predict_log
from pipelines.cifar10.config import default_spec

SAMPLE = Path(__file__).resolve().parent.parent / "data" / "cifar10_sample"
PHOTOGRAPHS, SIDE, QUALITY = 400, 224, 90
BY_NUMPY = 40  # of them are measured by NumPy, which takes long
IMAGES, LOGGED = 2_000, 1_000  # of the sample
PEERS_PYTHON = Path("build/image-peers/bin/python")
BY_PEERS = {32: 100, 224: 20}  # images that others describe, by their side: they take long
# Of each image, moved by a pixel more, a file has so many: of all together, what a component costs whatever there is,
# some 15 ms, is little.
MOVED, REPEATED = 25, 5
SAMPLE_SIZE = 10_000  # of examples, the component's default
Images: TypeAlias = npt.NDArray[np.uint8]
Works: TypeAlias = dict[str, tuple[Callable[[], Any], int]]  # what is measured, and of how many images


def sample_images() -> Images:
    """The images of the embedded sample, `uint8[N, 32, 32, 3]`."""
    files = sorted(SAMPLE.glob("*.bin.gz"))
    records = np.frombuffer(b"".join(gzip.decompress(file.read_bytes()) for file in files), np.uint8).reshape(-1, 3073)
    return np.ascontiguousarray(records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))


def photographs() -> Images:
    """Crops of scikit-learn's photographs, `uint8[N, 224, 224, 3]`."""
    rng, whole = np.random.default_rng(0), load_sample_images().images
    crops = []
    for number in range(PHOTOGRAPHS):
        image = whole[number % len(whole)]
        y, x = (int(rng.integers(0, size - SIDE)) for size in image.shape[:2])
        crops.append(image[y : y + SIDE, x : x + SIDE])
    return np.stack(crops)


def jpeg_file(image: Images) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue()


def cost(work: Callable[[], Any], images: int, rounds: int) -> float:
    """The least processor time of a few rounds, in microseconds an image."""
    best = math.inf
    work()  # once, so that what is loaded at first use is not counted
    for _ in range(rounds):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best / images * 1e6


def table(title: str, works: Works, rounds: int) -> None:
    """Prints what each costs that works on so many images, and how many times the first of them."""
    show(title, {name: cost(work, images, rounds) for name, (work, images) in works.items()})


def show(title: str, costs: dict[str, float]) -> None:
    first = next(iter(costs.values()))
    print(f"\n{title}\n{'':52}{'µs an image':>12}{'ratio':>8}")
    for name, found in costs.items():
        print(f"{name:52}{found:12.1f}{found / first:8.2f}")


def write(path: str, records: list[bytes]) -> str:
    content = b"".join(map(frame, records))
    Path(path).write_bytes(gzip.compress(content, 6) if path.endswith(".gz") else content)
    return path


def example(image: bytes, number: int) -> bytes:
    def of(value: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    features = {"image": of(image), "id": of(b"data:%d" % number)}
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def small_images(folder: str, rounds: int) -> None:
    images = sample_images()[:IMAGES]
    flat = images.reshape(len(images), -1)
    weights = np.random.default_rng(0).normal(size=(flat.shape[1], 23)).astype(np.float32)
    spec, count, many = default_spec().image, len(images), len(images) * MOVED
    contents = [image.tobytes() for pixels in range(MOVED) for image in np.roll(images, pixels, axis=2)]
    names = [b"data:%d" % row for row in range(many)]
    path = write(f"{folder}/small", list(map(example, contents, range(many))))
    decoder, batches = ExamplesToRecordBatchDecoder(), list(read_batches(Part(path)))
    works: Works = {
        "a float32 pass: / 255, times a matrix of 23 columns": (
            lambda: flat.astype(np.float32) / 255 @ weights,
            count,
        ),
        "23 properties and the perceptual hash's frequencies": (lambda: image_properties.describe(images), count),
        "the same in NumPy": (lambda: by_numpy(images), count),
        "ImageStatisticsGen, without a sample": (lambda: describe(path, spec), many),
        "ImageStatisticsGen, with a sample": (lambda: describe(path, spec, SAMPLE_SIZE), many),
        "- of it reading the file": (lambda: list(read_batches(Part(path))), many),
        "- parsing the Examples": (lambda: [decoder.DecodeBatch(batch) for batch in batches], many),
        "- hashing them for the sample": (lambda: hash_examples(contents, names), many),
    }
    table(f"{count:,} images of 32 x 32", works, rounds)


def photographs_as_files(folder: str, rounds: int) -> None:
    images = photographs()
    files = [jpeg_file(image) for image in images]
    path = write(f"{folder}/large", list(map(example, files * REPEATED, range(len(files) * REPEATED))))
    spec = ImageSpec(feature="image", format="jpeg", channels=3)
    count = len(images)
    works: Works = {
        "decoding alone, simplejpeg": (lambda: [simplejpeg.decode_jpeg(file) for file in files], count),
        "26 properties and the perceptual hash's frequencies": (lambda: image_properties.describe(images), count),
        "the same in NumPy": (lambda: by_numpy(images[:BY_NUMPY]), BY_NUMPY),
        "ImageStatisticsGen, with a sample": (lambda: describe(path, spec, SAMPLE_SIZE), count * REPEATED),
    }
    size = sum(map(len, files)) // count
    table(f"{count:,} JPEG files of {SIDE} x {SIDE}, {size:,} bytes each", works, rounds)


def peers(folder: str, rounds: int) -> None:
    """The same properties by others, who are given images that are decoded already."""
    if not PEERS_PYTHON.exists():
        print(f"\nno other packages are compared: `make build/image-peers` makes {PEERS_PYTHON}")
        return
    for images in (sample_images()[:IMAGES], photographs()):
        side, path = images.shape[1], f"{folder}/images.npy"
        np.save(path, images[: BY_PEERS[side]])
        command = [str(PEERS_PYTHON), str(Path(__file__).with_name("image_peers.py")), path, str(min(rounds, 2))]
        told = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        found = json.loads(subprocess.run(command, env=told, stdout=subprocess.PIPE, check=True).stdout)
        raw = write(f"{folder}/raw", [example(image.tobytes(), row) for row, image in enumerate(images)])
        ours = functools.partial(describe, raw, raw_spec(side), SAMPLE_SIZE)
        rows = {"ImageStatisticsGen, with a sample": cost(ours, len(images), rounds)}
        rows |= {f"{name}, {peer['properties']} properties": peer["microseconds"] for name, peer in found.items()}
        show(f"images of {side} x {side} by others", rows)


def raw_spec(side: int) -> ImageSpec:
    return ImageSpec(feature="image", format="raw", channels=3, size=(side, side))


def by_numpy(images: Images) -> None:
    numpy_properties.compute(images)
    numpy_properties.hashes(images)


def describe(path: str, spec: ModelSpec | ImageSpec, sample_size: int = 0) -> None:
    describe_here([path], ImageStatisticsGenerator(spec, describe_image=True, sample_size=sample_size), None)


def logs(folder: str, rounds: int) -> None:
    record = default_spec().to_record() | {"outputs": {"scores": "probabilities", "kind": "probabilities"}}
    spec, images = ModelSpec.from_record(record), sample_images()[:LOGGED]
    answers = np.random.default_rng(0).dirichlet(np.full(10, 0.3), len(images)).astype(np.float32)
    paths = {}
    for batch in (100, 1):
        starts = range(0, len(images), batch)
        paths[batch] = write(f"{folder}/log-{batch}.gz", [request(spec, images, answers, at, batch) for at in starts])
    rows = list(convert_here([paths[100]], ReadOptions(spec), f"{folder}/dead", Tally()))
    described = write(f"{folder}/rows.gz", rows)
    count = len(images)
    works: Works = {"ImageStatisticsGen, with a sample": (lambda: describe(described, spec.rows, SAMPLE_SIZE), count)}
    for batch, path in paths.items():
        works[f"ServingLogExampleGen, {batch} images a request"] = (
            lambda path=path: list(convert_here([path], ReadOptions(spec), f"{folder}/dead", Tally())),
            count,
        )
    table(f"{count:,} images in logs, with predictions", works, rounds)


def request(spec: ModelSpec, images: Images, answers: npt.NDArray[np.float32], start: int, batch: int) -> bytes:
    taken = slice(start, start + batch)
    outputs = {spec.outputs.scores: answers[taken]}
    return predict_log(ServedModel("m", 7), {spec.image.input: images[taken]}, outputs, f"r{start}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        small_images(folder, rounds)
        photographs_as_files(folder, rounds)
        logs(folder, rounds)
        peers(folder, rounds)


if __name__ == "__main__":
    main()
