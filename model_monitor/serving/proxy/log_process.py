"""The process that logs: reads frames from standard input until that ends, and says on standard output what became.

It is one of its own so that reading JSON, encoding and compressing take no time from requests, and so that it outlives
a proxy that is killed: the end of the proxy is the end of its input, upon which it publishes all it was given.
"""

import json
import logging
import signal
import sys
import threading
import time
from types import SimpleNamespace
from typing import Any

from components.common.errors import MonitorError
from components.common.model_spec import ModelSpec
from components.common.strict_text import parse_json
from components.serving_log_writer.prediction_log_encoding import ServedModel, metadata
from components.serving_log_writer.spec_check import problems
from components.serving_log_writer.writer import Rotation, ServingLogWriter, day_of

from ..protocols.signatures import ModelSignatures
from .counters import FAILED, OTHER_MODEL, UNREADABLE
from .frames import Frame, read_frame
from .giving_way import give_way
from .outbox import LogSettings
from .records import Made, make

_REPORT_SECONDS = 0.2
_WARNING_SECONDS = 60.0
_logger = logging.getLogger(__name__)


def main() -> None:
    """Runs on the command's last word: the settings, as JSON."""
    for each in (signal.SIGINT, signal.SIGTERM):  # whoever sends them means the proxy, whose end is told by the input
        signal.signal(each, signal.SIG_IGN)
    give_way()  # before there are threads, which take it over: requests come first, and the log is still written
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    log = Log(LogSettings(**parse_json(sys.argv[-1])))
    log.salvage()
    reporter = threading.Thread(target=_report, args=(log,), daemon=True)
    reporter.start()
    while (frame := read_frame(sys.stdin.buffer)) is not None:
        log.take(frame)
    log.close()
    _say(log.said)


class Log:
    """Makes records of frames and hands them to a writer; counts what became of them."""

    def __init__(self, settings: LogSettings) -> None:
        self._settings = settings
        self._spec = ModelSpec.from_json(settings.spec) if settings.spec else None
        self._model = settings.model
        self._signatures: dict[str, ModelSignatures] = {}
        self._other = self._unreadable = self._unfit = self._version_unknown = 0
        self._waiting: dict[str, list[Frame]] = {}  # by the place of the model, until its version is told
        self._to_check = self._spec is not None
        self._warned: dict[str, float] = {}
        span: Any = day_of if settings.span is None else settings.span
        # each record says itself which model answered; the queue of bounded size is the proxy's, so this one waits
        self._writer = ServingLogWriter(
            settings.logs,
            ServedModel(settings.model or "model"),
            span=span,
            rotation=Rotation(seconds=settings.file_seconds),
            when_full="block",
        )

    @property
    def said(self) -> dict[str, Any]:
        """What became of all frames, as the proxy counts it."""
        counts = self._writer.counts
        lost = {
            OTHER_MODEL: self._other,
            UNREADABLE: self._unreadable,
            FAILED: counts.failed + counts.dropped,
        }
        return {
            "logged": counts.written,
            "lost": lost,
            "salvaged": counts.salvaged,
            "unfit": self._unfit,
            "version_unknown": self._version_unknown,
        }

    def salvage(self) -> None:
        """Publishes what a process that died left; before the first word, with which its records are counted."""
        self._writer.salvage()

    def take(self, frame: Frame) -> None:
        """One frame: what a server says of a model, or a request and its answer. Never raises for what it holds."""
        words = frame.words
        if "signatures" in words:
            self._learn(words)
        elif "settled" in words:
            self._settle(words["settled"], words["version"], words["since"])
        elif words.get("waits"):
            self._waiting.setdefault(words["place"], []).append(frame)
        else:
            self._make(frame)

    def close(self) -> None:
        """Publishes everything; nobody will tell the version of what still waits."""
        for place in list(self._waiting):
            self._settle(place, None, None)
        self._writer.close()

    def _settle(self, place: str, version: int | None, since: float | None) -> None:
        """Logs what waits; the version is that of the requests that began no earlier than `since`, None: of all."""
        for frame in self._waiting.pop(place, ()):
            if frame.words["version"] is None and (since is None or frame.words["time"] >= since):
                frame.words["version"] = version
            self._make(frame)

    def _make(self, frame: Frame) -> None:
        words = frame.words
        if self._model and words["model"] and words["model"] != self._model:
            self._other += 1
            self._warn("other", f"Requests to the model {words['model']!r} are not logged, only {self._model!r}")
            return
        try:
            made = make(frame, self._signatures.get(words.get("place", "")), self._spec)
        except Exception as error:  # whatever clients and servers say to each other: it must not end the log
            self._unreadable += 1
            told = str(error) if isinstance(error, MonitorError) else f"{type(error).__name__}: {error}"
            self._warn("unreadable", f"A request of {words.get('model')!r} cannot be logged: {told}")
            return
        self._log(made, words)

    def _log(self, made: Made, words: dict[str, Any]) -> None:
        self._model = self._model or made.model.name
        if made.model.name != self._model:
            self._other += 1
            return
        if made.model.version is None:
            self._version_unknown += 1
        if self._to_check and made.tensors is not None and self._spec is not None:
            found = problems(*made.tensors, self._spec)
            self._to_check = bool(found)
            self._unfit += bool(found)
            if found:
                self._warn("unfit", f"A request is not what the model's spec says: {'; '.join(found)}")
        rate = SimpleNamespace(sampling_rate=self._settings.sampling_rate)
        about = SimpleNamespace(timestamp_secs=0, sampling_config=rate)
        record = metadata(made.model, int(words["time"])) + made.record
        log = SimpleNamespace(log_metadata=about, SerializeToString=lambda: record)
        self._writer.log_proto(log, timestamp=words["time"])

    def _learn(self, words: dict[str, Any]) -> None:
        try:
            self._signatures[words["place"]] = ModelSignatures.from_json(words["signatures"])
        except MonitorError as error:
            self._warn("signatures", f"What the server says of {words['place']} cannot be read: {error}")

    def _warn(self, kind: str, sentence: str) -> None:
        """At most once a minute of each kind: a log must not drown the proxy's own."""
        now = time.monotonic()
        if now - self._warned.get(kind, -_WARNING_SECONDS) >= _WARNING_SECONDS:
            self._warned[kind] = now
            _logger.warning("%s. Counts: %s", sentence, self.said)


def _report(log: Log) -> None:
    """Says what changed, until the process ends."""
    before: dict[str, Any] = {}
    while True:
        time.sleep(_REPORT_SECONDS)
        said = log.said
        if said != before and not _say(said):
            return
        before = said


def _say(said: dict[str, Any]) -> bool:
    """Whether anybody hears it: a proxy that was killed does not."""
    try:
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
    except (BrokenPipeError, ValueError):
        return False
    return True
