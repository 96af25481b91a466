"""A model in a process of its own, which may hang, crash or grow without harm to the one that asks. NumPy only.

The process is started anew for each model, is told questions and gives answers by pipes, and never lives longer than
the block that started it, nor than this process. It leaves no file. Why it is one and what it costs:
docs/decisions/2026-11-26-models-in-a-child-process.md.
"""

import contextlib
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from ..common.errors import MonitorError
from . import answering
from .answering import ANSWER, FAILED, LOADED, STARTED
from .messages import SIZES, from_bytes, to_bytes
from .tensors import Batch, ModelFailedError, TensorInfo, signature_named

MEBIBYTE = 1 << 20
LARGEST_ANSWER = 512 * MEBIBYTE
_START_SECONDS = 300.0  # for Python and TensorFlow, which take two or three
_TICK = 0.02  # seconds between two looks at how much memory is taken
_PART = 1 << 20
_LAST_WORDS = 8000  # bytes of what the process wrote to standard error
# TensorFlow ends with where in its code it was, from 2.21 on: addresses, and a line above them.
_STACK = re.compile(r"\s*(@\s+0x[0-9a-f]+\b|\*\*\* .*stack trace)")
_COMMAND = f"import sys; sys.path[:] = sys.argv[1].splitlines(); from {answering.__name__} import main; main()"
# No GPU, whose memory this process may hold; and only what is worth to be told.
_ENVIRONMENT = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"}
_DAMAGE = (ValueError, KeyError, TypeError, AttributeError, IndexError)


class NotStartedError(MonitorError):
    """The process could not be started, which is not the model's fault."""


class TimeOutError(ModelFailedError):
    """The model did not load or answer in the time that it has."""


class TooLargeError(ModelFailedError):
    """The model took more memory than it may."""


@dataclass(frozen=True)
class Bounds:
    """What a model may take.

    Attributes:
      seconds: to be loaded and to answer everything it is asked, the start of Python and TensorFlow apart.
      memory: MiB that the process may have resident or swapped out, TensorFlow's own 500 to 700 MiB included.

    """

    seconds: float
    memory: int


class RemoteSignature:
    """A signature of a model in another process, see `tensors.Askable`."""

    def __init__(self, name: str, infos: Any, process: "ModelProcess") -> None:
        self.name = name
        self.inputs, self.outputs = (
            {key: TensorInfo(None if shape is None else tuple(shape), dtype) for key, (shape, dtype) in each.items()}
            for each in infos
        )
        self._process = process

    def __call__(self, batch: Mapping[str, Any]) -> Batch:
        return self._process.ask(self.name, batch)


class ModelProcess:
    """A model that is loaded in a process of its own, for a `with` block.

    Attributes:
      signatures: what it can be asked by, by name; inside the block.

    Args:
      path: the SavedModel's folder.
      bounds: what it may take.

    Entering raises:
      NotStartedError: there could be no process, or TensorFlow could not be imported in it.
      ModelFailedError: the model cannot be loaded, hangs, crashes or grows too large. The message says which.

    """

    def __init__(self, path: str, bounds: Bounds) -> None:
        self._path, self._bounds = path, bounds
        self._left, self._doing = _START_SECONDS, "start"
        self._pipes = contextlib.ExitStack()
        self._unsent, self._received, self._last_words = b"", bytearray(), b""

    def __enter__(self) -> "ModelProcess":
        self._start()
        try:
            self._expect(STARTED)
            self._left, self._doing = self._bounds.seconds, "load"
            self.signatures = self._loaded(self._expect(LOADED)[0])
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop()

    def signature(self, name: str) -> RemoteSignature:
        """Raises `ModelFailedError` for a name that is none of the signatures, listing these."""
        return signature_named(name, self.signatures)

    def ask(self, signature: str, batch: Mapping[str, Any]) -> Batch:
        """The outputs of a signature for one batch, see `saved_model.Signature`.

        Once it took too much or ended, there is nothing left to be asked.
        """
        self._doing = "answer"
        return self._expect(ANSWER, to_bytes({"signature": signature}, batch))[1]

    def _loaded(self, words: Mapping[str, Any]) -> dict[str, RemoteSignature]:
        try:
            return {name: RemoteSignature(name, infos, self) for name, infos in words["signatures"].items()}
        except _DAMAGE as error:
            raise ModelFailedError(f"the process of the model says nothing of its signatures: {error}") from error

    def _start(self) -> None:
        with contextlib.ExitStack() as theirs:
            try:
                (asked, self._questions), (self._answers, answers), (self._errors, errors) = (
                    self._pipe(theirs, mine) for mine in (1, 0, 0)
                )
                told = [self._path, str(os.getpid()), str(answers)]
                self._process = subprocess.Popen(
                    [sys.executable, "-W", "ignore", "-c", _COMMAND, "\n".join(sys.path), *told],
                    stdin=asked,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    pass_fds=[answers],
                    env={**os.environ, **_ENVIRONMENT},
                    start_new_session=True,  # one group, to be killed whole, and no Ctrl-C of this one's terminal
                )
            except (OSError, ValueError, TypeError, subprocess.SubprocessError) as error:  # TypeError: no executable
                self._pipes.close()
                raise NotStartedError(f"the process that is to load the model could not be started: {error}") from error
        os.set_blocking(self._questions, False)
        self._ready = self._pipes.enter_context(selectors.DefaultSelector())
        for pipe in (self._answers, self._errors):
            self._ready.register(pipe, selectors.EVENT_READ)

    def _pipe(self, theirs: contextlib.ExitStack, mine: int) -> tuple[int, int]:
        """The ends of a new pipe for reading and for writing, of which one is closed soon and the other at the end."""
        ends = os.pipe()
        self._pipes.callback(os.close, ends[mine])
        theirs.callback(os.close, ends[1 - mine])
        return ends

    def _stop(self) -> None:
        """Kills the process with all that it may have started, and waits until it is gone."""
        if self._process.returncode is None:  # else its number may be another's already
            with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: no permission once it has ended
                os.killpg(self._process.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):  # a dead file server can hold it, until that is back
                self._process.wait(timeout=10)
        self._pipes.close()

    def _expect(self, kind: str, question: bytes = b"") -> tuple[dict[str, Any], Batch]:
        """Sends a question and takes the answer, which has to be of a kind."""
        self._deadline = time.monotonic() + self._left
        self._unsent = question
        if question:
            self._ready.register(self._questions, selectors.EVENT_WRITE)
        header, body = map(self._receive, self._sizes(self._receive(SIZES.size)))
        self._left = self._deadline - time.monotonic()
        try:
            words, tensors = from_bytes(header, body)
            failed, told, fits = words["kind"] == FAILED, words.get("message"), words["kind"] == kind
        except _DAMAGE as error:
            raise ModelFailedError(f"the process of the model gave an answer that cannot be read: {error}") from error
        if failed or not fits:
            raise ModelFailedError(str(told) if failed else "the process of the model answered something else")
        return words, tensors

    def _sizes(self, packed: bytes) -> tuple[int, int]:
        header, body = SIZES.unpack(packed)
        if header + body > LARGEST_ANSWER:
            rule = f"must answer with at most {LARGEST_ANSWER // MEBIBYTE:,} MiB"
            raise ModelFailedError(f"the model {rule}. Received: {(header + body) // MEBIBYTE:,} MiB")
        return header, body

    def _receive(self, size: int) -> bytes:
        """The next bytes of the answers."""
        while len(self._received) < size:
            self._step()
        taken = bytes(self._received[:size])
        del self._received[:size]
        return taken

    def _step(self) -> None:
        """Goes on with whatever pipe is ready, while the process keeps within its bounds."""
        events = {key.fd for key, _ in self._ready.select(_TICK)}
        taken = _memory(self._process.pid)
        if taken > self._bounds.memory:
            allowed = f"and may take {self._bounds.memory:,} MiB"
            raise TooLargeError(f"the model took {taken:,} MiB of memory to {self._doing}, {allowed}")
        if self._errors in events:
            self._listen()
        if self._questions in events:
            self._send()
        if self._answers in events:
            part = os.read(self._answers, _PART)
            if not part:
                raise self._ended()
            self._received += part
        if time.monotonic() > self._deadline:
            raise self._late()

    def _listen(self) -> None:
        """Keeps the last words on standard error."""
        words = os.read(self._errors, _PART)
        self._last_words = (self._last_words + words)[-_LAST_WORDS:]
        if not words:
            self._ready.unregister(self._errors)

    def _send(self) -> None:
        try:
            self._unsent = self._unsent[os.write(self._questions, self._unsent[:_PART]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # it has ended, as the answers will tell
            self._unsent = b""
        if not self._unsent:
            self._ready.unregister(self._questions)

    def _late(self) -> MonitorError:
        if self._doing == "start":
            return NotStartedError(f"the process that is to load the model did not start within {_START_SECONDS:g} s")
        return TimeOutError(f"the model did not {self._doing} within the {self._bounds.seconds:g} s that it has")

    def _ended(self) -> MonitorError:
        """Why there are no more answers."""
        with contextlib.suppress(subprocess.TimeoutExpired):  # it has closed its answers, and yet goes on
            self._process.wait(timeout=1)
        self._listen_to_the_end()
        how = _how(self._process.returncode)
        lines = self._last_words.decode(errors="replace").splitlines()
        heard = [line for line in lines if line.strip() and not _STACK.match(line)]
        last = f": {heard[-1].strip()[:200]}" if heard else ""
        if self._doing == "start":
            return NotStartedError(f"the process that is to load the model could not start: it ended {how}{last}")
        return ModelFailedError(f"the process that was to {self._doing} ended {how}{last}")

    def _listen_to_the_end(self) -> None:
        while any(key.fd == self._errors for key, _ in self._ready.select(0)):
            self._listen()


def _how(code: int | None) -> str:
    if code is None:
        return "without another word"
    if code >= 0:
        return f"with exit code {code}"
    known = {each.value: each.name for each in signal.Signals}
    memory = ", as the system does where memory runs out" if -code == signal.SIGKILL else ""
    return f"by signal {known.get(-code, -code)}{memory}"


def _memory(pid: int) -> int:
    """MiB that a process has resident or swapped out; 0 once it has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            fields = dict(line.split(":", 1) for line in file if ":" in line)
        return sum(int(fields.get(name, "0").split()[0]) for name in ("VmRSS", "VmSwap")) >> 10
    except FileNotFoundError:
        return _memory_elsewhere(pid) if not os.path.exists("/proc/self/status") else 0
    except (OSError, ValueError, IndexError):  # it ended meanwhile
        return 0


def _memory_elsewhere(pid: int) -> int:
    """The same where there is no /proc."""
    told = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, check=False, text=True).stdout
    return int(told.strip() or 0) >> 10
