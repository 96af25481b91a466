"""What open-source TensorFlow Serving lacks: a writer of serving logs, to be called from any Python server.

    writer = ServingLogWriter.for_bundle("/serving/7", "/logs", sampling_rate=0.1)
    ...
    writer.log({"image": images}, {"probabilities": probabilities}, request_id="5f1c")  # in the request's handler
    ...
    writer.close()  # or: with ServingLogWriter(...) as writer

Neither this module nor what it writes needs TensorFlow. See `docs/serving_logs.md`.
"""

import atexit
import logging
import os
import random
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Protocol

from ..common import baseline_bundle
from ..common.errors import MonitorError, require, require_known
from ..common.model_spec import ModelSpec
from . import log_files, salvage
from .log_files import Rotation
from .prediction_log_encoding import ServedModel, metadata, predict_log, sampling_rate
from .spec_check import problems

__all__ = ["Counts", "Rotation", "ServedModel", "ServingLogWriter", "day_of"]

SECONDS_A_DAY = 86_400
DEFAULT_FOLDER = "serving_logs"
_RETRY_SECONDS = 1.0  # between two attempts to write to a disk that is full
_WARNING_SECONDS = 60.0  # between two warnings: a log must not drown the server's own
_logger = logging.getLogger(__name__)


class PredictionLogLike(Protocol):
    """A `tensorflow_serving.apis.prediction_log_pb2.PredictionLog`, without importing it."""

    log_metadata: Any

    def SerializeToString(self) -> bytes: ...


@dataclass(frozen=True)
class Counts:
    """What became of the requests that a writer was given; all but the last three add up to them.

    Attributes:
      written: in files that readers can see.
      sampled_out: left out by the sampling rate.
      dropped: left out because the queue was full, or the writer closed.
      failed: lost: it could not be encoded, its span not be computed, or its file not be written.
      pending: in the queue or in a file that is not visible yet.
      salvaged: found in files of writers that were killed, and published by this one.
      unfit: looked at, and not what the model's spec says; they are logged all the same. Always 0 without a spec.
      not_salvaged: files of writers that were killed which this one could not salvage, as the log says of each.

    """

    written: int
    sampled_out: int
    dropped: int
    failed: int
    pending: int
    salvaged: int
    unfit: int = 0
    not_salvaged: int = 0


def day_of(timestamp: float) -> int:
    """The default span: days since the epoch in UTC.

    >>> day_of(86_400.0 * 20_000 + 5)
    20000
    """
    return int(timestamp // SECONDS_A_DAY)


class ServingLogWriter:
    """Writes requests and responses as `PredictionLog` records, on a thread of its own.

    Any number of threads may call it, and any number of processes may write into one folder. A call costs the encoding
    of the request in memory, no more, unless `when_full` is "block". A request never fails because of the log: what
    cannot be logged is counted and, at most once a minute, warned of.

    A process that is killed loses what it had not handed to the operating system: the queue, and while that is never
    empty the compressor's buffer. The rest is published by the next writer that starts on the folder. A process that
    forks may go on using the writer on both sides: the child starts with an empty queue, files of its own and counts of
    zero. While the disk is full, the records of the open files are lost, the queue fills, and writing is tried anew
    every second.
    """

    def __init__(  # noqa: PLR0913 - where and who, and six settings by keyword
        self,
        directory: str,
        model: ServedModel,
        *,
        span: int | Callable[[float], int] = day_of,
        sampling_rate: float = 1.0,
        seed: int = 0,
        rotation: Rotation = Rotation(),  # noqa: B008 - frozen
        queue_bytes: int = 64 << 20,
        when_full: Literal["drop", "block"] = "drop",
        spec: ModelSpec | None = None,
    ) -> None:
        """Checks its arguments; the thread starts with the first request, so that a server may fork before.

        Args:
          directory: of the logs; span folders appear in it. On a file system with locks and atomic renames.
          model: who answers, for the metadata of each record.
          span: a fixed number, or what gives it from the timestamp of a request (seconds since the epoch).
          sampling_rate: the proportion of requests to log, in (0, 1]; recorded with each.
          seed: of the sampling.
          rotation: when files are finished.
          queue_bytes: how much may wait for the thread. A request that is larger waits alone.
          when_full: "drop" counts and forgets the request, "block" makes its thread wait.
          spec: the model's. What `log` is given is held against it until a request fits; see `Counts.unfit`.

        Raises:
          MonitorError: an argument breaks these rules.

        """
        require(callable(span) or span >= 0, "span", "be a number from 0 or a function", span)
        require(0 < sampling_rate <= 1, "sampling_rate", "be in (0, 1]", sampling_rate)
        require(queue_bytes >= 1, "queue_bytes", "be 1 or more", queue_bytes)
        require_known(when_full, ("drop", "block"), "when_full")
        self._logs, self._model, self._rotation = str(directory), model, rotation
        self._span: Callable[[float], int] = span if callable(span) else lambda _: span
        self._sampling_rate, self._seed = sampling_rate, seed
        self._queue_bytes, self._block = queue_bytes, when_full == "block"
        self._spec = spec
        self._begin(closed=False)
        _WRITERS.add(self)

    @classmethod
    def for_bundle(
        cls, version_dir: str, directory: str | None = None, *, name: str | None = None, **settings: Any
    ) -> "ServingLogWriter":
        """The writer for a model that was pushed, or adopted, with its baseline bundle: that knows all about it.

        Model version, signature and spec are those of the bundle. A request that is not what the spec says (another
        input's name, shape or scale, no such output, logits for probabilities) is counted and warned of, not refused.

        Args:
          version_dir: the folder of the version that is served, such as `/serving/1795483923`.
          directory: of the logs; None: `serving_logs` beside the serving folder, here `/serving_logs`.
          name: the model's; None: the name of the serving folder, here `serving`.
          **settings: as for the class.

        Raises:
          MonitorError: the folder has no bundle, or a setting breaks its rule.

        """
        manifest = baseline_bundle.read(version_dir).manifest
        folder = os.path.abspath(version_dir)
        numbered = manifest.model_version != baseline_bundle.NO_VERSION
        serving = os.path.dirname(folder) if numbered else folder
        version = manifest.model_version if numbered else None
        model = ServedModel(name or os.path.basename(serving), version, manifest.spec.signatures.serve)
        logs = directory or os.path.join(os.path.dirname(serving), DEFAULT_FOLDER)
        return cls(logs, model, spec=manifest.spec, **settings)

    def log(
        self,
        inputs: Mapping[str, Any],
        outputs: Mapping[str, Any],
        *,
        request_id: str | Sequence[str] | None = None,
        client_id: str | Sequence[str] | None = None,
        timestamp: float | None = None,
    ) -> bool:
        """Logs a Predict request and its response. Everything is copied before the call returns.

        Args:
          inputs: arrays by name as the client sent them, such as `{"image": uint8[B, H, W, C]}`; bytes and str work.
          outputs: what the model answered, likewise.
          request_id: of the request, or of each of its B rows. Should be unique within a span.
          client_id: who sent it: of the request, or of each of its B rows. Any text that stays the same for a client, a
            hash for instance; it serves `one_example_per: client` and is in no artifact.
          timestamp: seconds since the epoch; None is now.

        Returns:
          Whether it was accepted: sampled, and not dropped or failed.

        """

        def encode(moment: float) -> bytes:
            if self._to_check:
                self._check(inputs, outputs)
            record = predict_log(self._model, inputs, outputs, request_id, client_id)
            return metadata(self._model, int(moment)) + record + sampling_rate(self._sampling_rate)

        return self._submit(encode, timestamp)

    def log_proto(self, prediction_log: PredictionLogLike, *, timestamp: float | None = None) -> bool:
        """Logs a ready `PredictionLog` of any type, copied before the call returns.

        What its metadata lack (model, timestamp) is filled in; its own sampling rate is multiplied by the writer's.

        Args:
          prediction_log: the record.
          timestamp: seconds since the epoch, for the span too; None is the record's own or, where it has none, now.

        Returns:
          As `log`.

        """
        return self._submit(
            lambda moment: self._with_metadata(prediction_log, moment),
            timestamp or prediction_log.log_metadata.timestamp_secs or None,
        )

    def salvage(self) -> None:
        """Publishes what killed writers left in the folder, which the first request does otherwise. Never raises."""
        self._try(self._salvage)

    @property
    def counts(self) -> Counts:
        """What has become of all requests up to now."""
        with self._condition:
            written, lost = self._files.written, self._files.failed + self._without_span
            pending = self._accepted - written - lost
            failed = self._unencoded + lost
            beside = self._salvaged, self._unfit, self._not_salvaged
            return Counts(written, self._sampled_out, self._dropped, failed, pending, *beside)

    def close(self) -> None:
        """Writes and publishes all that was accepted. Later requests count as dropped. Doing it twice is harmless."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
        if self._thread is not None:
            self._thread.join()
        elif self._queue:  # there was no thread to be had
            self._run()
        atexit.unregister(self.close)

    def __enter__(self) -> "ServingLogWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self, *, closed: bool) -> None:
        """The state of a new writer, or of one in a forked child, where no thread runs and no lock can be relied on."""
        self._condition = threading.Condition()
        self._queue: deque[tuple[float, bytes]] = deque()
        self._queued = 0  # bytes
        self._thread: threading.Thread | None = None
        self._closed = closed
        self._random = random.Random(self._seed)  # noqa: S311 - sampling, no secret
        self._accepted = self._sampled_out = self._dropped = self._salvaged = self._not_salvaged = 0
        self._unencoded = self._without_span = 0  # failed before and after the queue
        self._unfit, self._to_check = 0, self._spec is not None
        self._warned = -_WARNING_SECONDS
        self._files = log_files.SpanFiles(self._logs, self._rotation)

    def _after_fork(self) -> None:
        self._files.forget()
        self._begin(closed=self._closed)

    def _submit(self, encode: Callable[[float], bytes], timestamp: float | None) -> bool:
        moment = time.time() if timestamp is None else timestamp
        if not self._wanted():
            return False
        try:
            record = encode(moment)
        except Exception as error:
            with self._condition:
                self._unencoded += 1
            self._warn("a request could not be encoded", error)
            return False
        return self._enqueue(moment, record)

    def _check(self, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
        """Says what is wrong with a request, until one is as the spec says."""
        found = problems(inputs, outputs, self._spec) if self._spec is not None else []
        self._to_check = bool(found)
        if found:
            with self._condition:
                self._unfit += 1
            self._warn("a request is not what the model's spec says", MonitorError("; ".join(found)))

    def _wanted(self) -> bool:
        """Decides by sampling and, before any work is done, by whether there is room at all."""
        with self._condition:
            # One draw a request, whatever the queue holds: which requests are sampled depends on the seed alone.
            if self._random.random() >= self._sampling_rate:
                self._sampled_out += 1
                return False
            if self._closed or (not self._block and self._queued >= self._queue_bytes):
                self._dropped += 1
                return False
        return True

    def _enqueue(self, moment: float, record: bytes) -> bool:
        with self._condition:
            if self._block:
                self._condition.wait_for(lambda: self._closed or self._has_room(len(record)))
            if self._closed or not self._has_room(len(record)):
                self._dropped += 1
                return False
            self._accepted += 1
            self._queue.append((moment, record))
            self._queued += len(record)
            if self._thread is None:
                self._start()
            self._condition.notify_all()
        return True

    def _has_room(self, size: int) -> bool:
        return not self._queue or self._queued + size <= self._queue_bytes

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="serving-log-writer", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the next request tries again; `close` writes what is in the queue
            self._warn("there is no thread to write logs", error)
        else:
            self._thread = thread
        atexit.register(self.close)

    def _run(self) -> None:
        """The thread: one record after the other, and whatever is due between them."""
        self._try(self._salvage)
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._queue or self._closed, timeout=self._files.seconds_left())
                entry = self._queue.popleft() if self._queue else None
                if entry is not None:
                    self._queued -= len(entry[1])
                    self._condition.notify_all()
                idle, finished = not self._queue, entry is None and self._closed
            if finished:
                break
            if entry is not None:
                self._try(self._store, *entry)
            if idle:
                self._try(self._files.flush)
            self._try(self._files.publish_due)
        self._try(self._files.publish_all)

    def _try(self, action: Callable[..., None], *arguments: Any) -> None:
        """Does what may meet a full disk; then waits a little, while the queue takes what comes."""
        try:
            action(*arguments)
        except Exception as error:
            self._warn("logs could not be written", error)
            with self._condition:
                self._condition.wait_for(lambda: self._closed, timeout=_RETRY_SECONDS)

    def _store(self, moment: float, record: bytes) -> None:
        try:
            span = int(self._span(moment))
            require(span >= 0, "span", "be 0 or more", span)
        except Exception as error:
            with self._condition:
                self._without_span += 1
            self._warn(f"`span` failed for the timestamp {moment}", error)
            return
        self._files.append(span, record)

    def _salvage(self) -> None:
        for found in salvage.salvage(self._logs):
            if not found.done:
                self._not_salvaged += 1
                _logger.warning("%s in %s cannot be salvaged: %s", found.file, self._logs, found.reason)
                continue
            self._salvaged += found.records
            place = f"now in {found.path}" if found.path else "nothing to keep"
            why = f" ({found.reason})" if found.reason else ""
            _logger.warning("A writer was killed: %d whole records of its file, %s%s", found.records, place, why)

    def _with_metadata(self, log: PredictionLogLike, moment: float) -> bytes:
        """The record with what it lacks: its own fields win over those before it, and the rate behind it over its."""
        rate = (log.log_metadata.sampling_config.sampling_rate or 1.0) * self._sampling_rate
        return metadata(self._model, int(moment)) + log.SerializeToString() + sampling_rate(rate)

    def _warn(self, what: str, error: Exception) -> None:
        now = time.monotonic()
        if now - self._warned >= _WARNING_SECONDS:
            self._warned = now
            _logger.warning("Serving log in %s: %s: %s. Counts: %s", self._logs, what, error, self.counts)


_WRITERS: "weakref.WeakSet[ServingLogWriter]" = weakref.WeakSet()


def _after_fork() -> None:
    for writer in list(_WRITERS):
        writer._after_fork()


os.register_at_fork(after_in_child=_after_fork)
