"""A small SavedModel with the signatures that servers of models are asked by, and a server of it in a thread."""

import asyncio
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.running_proxy import SECONDS

SIDE = 4


def write_model(folder: Path) -> Path:
    """`serving_default` tells grey levels, `two` has two inputs and outputs, `strings` takes and gives bytes."""
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2

    images = tf.TensorSpec([None, SIDE, SIDE, 1], tf.float32, "x")

    @tf.function(input_signature=[images])
    def grey(x):
        means = tf.reduce_mean(x, axis=[1, 2, 3])[:, tf.newaxis]
        return {"dense": tf.nn.softmax(-200 * (means - (tf.range(3.0) + 0.5) / 3) ** 2)}

    @tf.function(input_signature=[images, tf.TensorSpec([None], tf.int64, "n")])
    def two(x, n):
        return {"means": tf.reduce_mean(x, axis=[1, 2, 3]), "doubled": n * 2}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
    def strings(text):
        return {"same_bytes": text}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
    def classify(inputs):
        features = tf.io.parse_example(inputs, {"n": tf.io.FixedLenFeature([], tf.float32)})
        scores = tf.stack([features["n"], 1 - features["n"]], axis=1)
        return {"classes": tf.tile([["cat", "dog"]], [tf.shape(inputs)[0], 1]), "scores": scores}

    signatures = {"serving_default": grey, "two": two, "strings": strings, "classify": classify}
    tf.saved_model.save(tf.Module(), str(folder), signatures=signatures)
    file = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    saved.meta_graphs[0].signature_def["classify"].method_name = "tensorflow/serving/classify"
    file.write_bytes(saved.SerializeToString())
    return folder


def push(model: Path, serving: Path, version: int) -> Path:
    """Copies a model and makes it a version in one rename, as pushers do."""
    hidden = serving / f".pushing-{version}"
    shutil.copytree(model, hidden)
    return hidden.rename(serving / str(version))


@contextmanager
def running_server(serving: Path, name: str = "m") -> Iterator[Any]:
    """A server that looks at the folder every 10 ms; `.url` and `.target` are its addresses."""
    from model_monitor.serving.server.running import Settings, serve

    class Running:
        def __init__(self) -> None:
            self.started, self.loop = threading.Event(), asyncio.new_event_loop()
            self.thread = threading.Thread(target=self.run, daemon=True)
            self.thread.start()
            assert self.started.wait(SECONDS)

        def run(self) -> None:
            async def main() -> None:
                self.ended = asyncio.Event()
                await serve(Settings(str(serving), name, poll_seconds=0.01), self.say, self.ended)

            self.loop.run_until_complete(main())
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()

        def say(self, addresses: Any) -> None:
            self.url, self.target = f"http://127.0.0.1:{addresses.rest}", f"127.0.0.1:{addresses.grpc}"
            self.started.set()

    running = Running()
    try:
        yield running
    finally:
        running.loop.call_soon_threadsafe(running.ended.set)
        running.thread.join(SECONDS)
