"""What runs in a process of its own: loads one SavedModel, says what it can be asked, and answers. See `model_process`.

Questions come in by standard input, until that ends.
"""

import ctypes
import os
import resource
import signal
import sys
import threading
import time
from typing import Any, BinaryIO

from .messages import SIZES, from_bytes, to_bytes
from .tensors import Batch, ModelFailedError

STARTED, LOADED, FAILED, ANSWER = "started", "loaded", "failed", "answer"  # what an answer is of
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Runs on the command's last three words: the model's folder, the number of the process that asks, where to answer.

    The last is the number of an open file.
    """
    path, parent, answers = sys.argv[-3:]
    _end_with(int(parent))
    with open(int(answers), "wb") as file:
        _answer(path, file)


def _answer(path: str, answers: BinaryIO) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a model that aborts leaves no file behind
    # A server has no Keras, no SavedModel needs it, and TensorFlow would take as long again to import it; the others
    # are for its training, and TensorFlow does without where they are not installed.
    for name in ("keras", "googleapiclient", "h5py", "scipy"):
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
    from .saved_model import SavedModel  # noqa: PLC0415 - after what was said about Keras

    _send(answers, STARTED)
    try:
        signatures = SavedModel(path).signatures
        told = {name: [_infos(each.inputs), _infos(each.outputs)] for name, each in signatures.items()}
        _send(answers, LOADED, signatures=told)
    except ModelFailedError as error:
        _send(answers, FAILED, message=str(error))
        return
    while sizes := sys.stdin.buffer.read(SIZES.size):
        words, batch = from_bytes(*(sys.stdin.buffer.read(size) for size in SIZES.unpack(sizes)))
        try:
            outputs = signatures[words["signature"]](batch)
        except ModelFailedError as error:
            _send(answers, FAILED, message=str(error))
        else:
            _send(answers, ANSWER, outputs)


def _send(answers: BinaryIO, kind: str, tensors: Batch | None = None, **words: Any) -> None:
    answers.write(to_bytes({"kind": kind, **words}, tensors))
    answers.flush()


def _infos(tensors: Any) -> dict[str, Any]:
    return {name: [info.shape, info.dtype] for name, info in tensors.items()}


def _end_with(parent: int) -> None:
    """Ends this process when its parent does, whatever a model is at then; Linux does it at once."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
