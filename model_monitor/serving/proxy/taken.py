"""Copies of what goes through, for the log: within a bound for all of them together, and for each body."""

import hashlib
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from .counters import QUEUE_FULL, SAMPLED_OUT, TOO_LARGE, Counters
from .heads import Headers, values


@dataclass(frozen=True)
class Limits:
    """What logging may take.

    Attributes:
      queue_bytes: of bodies that are being received or wait to be logged.
      body_bytes: of one body; a larger one is forwarded and not logged.
      sampling_rate: the proportion of requests to log, in (0, 1].

    """

    queue_bytes: int = 64 << 20
    body_bytes: int = 16 << 20
    sampling_rate: float = 1.0


class Budget:
    """How much of the bound for all bodies together is taken; of use to any thread."""

    def __init__(self, limit: int) -> None:
        self._limit, self._used = limit, 0
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Whether there is room; then it is taken."""
        with self._lock:
            if self._used + size > self._limit:
                return False
            self._used += size
        return True

    def give_back(self, size: int) -> None:
        with self._lock:
            self._used -= size


@dataclass
class Record:
    """An answered request on its way to the log: what is known of it, and the bodies in parts."""

    words: dict[str, Any]
    request: list[bytes | memoryview] = field(default_factory=list)
    response: list[bytes | memoryview] = field(default_factory=list)
    size: int = 0


class Answered(Protocol):
    """What is known of a request when its answer is complete."""

    request_id: bytes
    began: float


class Sampler:
    """Which requests are logged, by chance."""

    def __init__(self, rate: float, seed: int | None = None) -> None:
        self.rate = rate
        self._random = random.Random(seed)  # noqa: S311 - sampling, no secret

    def takes(self) -> bool:
        return self.rate >= 1 or self._random.random() < self.rate


@dataclass
class Log:
    """What a proxy needs to log: bounds, what chooses, and what counts.

    Attributes:
      client_header: the header, or the metadata of gRPC, whose value says who sent a request; "": nobody is told apart.

    """

    limits: Limits
    budget: Budget
    sampler: Sampler
    counters: Counters
    client_header: str = ""

    def client(self, value: bytes | None) -> str | None:
        """What stands in the log for who sent a request: a hash, for the header may hold a secret."""
        return hashlib.blake2b(value, digest_size=16).hexdigest() if value else None


class Taken:
    """The copies of one request's bodies, as they go through.

    Args:
      words: what is known of the request already.
      log: bounds, and what counts.
      keep: takes the record of an answered request.

    """

    def __init__(self, words: dict[str, Any], log: Log, keep: Callable[[Record], None]) -> None:
        self._record = Record(words)
        self._log, self._keep = log, keep
        self._lost = "" if log.sampler.takes() else SAMPLED_OUT
        self._ok = True
        self._sizes = [0, 0]

    @property
    def is_wanted(self) -> bool:
        """Whether what comes is copied: not, where chance has left the request out."""
        return not self._lost

    @property
    def words(self) -> dict[str, Any]:
        """What is known of the request, to which more may be added until it is done."""
        return self._record.words

    def request_part(self, data: bytes | memoryview) -> None:
        self._add(0, self._record.request, data)

    def answer_head(self, status: int, headers: Headers) -> None:
        """Of HTTP: an answer of another status is not logged."""
        self._ok = status == 200
        coding = values(headers, b"content-encoding")
        self._record.words["response_coding"] = b",".join(coding).decode("latin-1")
        length = values(headers, b"inference-header-content-length")
        self._record.words["response_json"] = length[0].decode("latin-1") if length else ""
        if not self._ok:
            self._drop("not_ok")

    def answer_part(self, data: bytes | memoryview) -> None:
        self._add(1, self._record.response, data)

    def done(self, answered: Answered, *, logged: bool) -> None:
        """The answer is complete, or there is none: the record is kept, or what it took given back."""
        if not (self._ok and logged):
            self._drop("not_ok")
            return
        self._log.counters.to_log += 1
        if self._lost:
            self._log.counters.lost[self._lost] += 1
            return
        self._record.words |= {"id": answered.request_id.decode("latin-1"), "time": answered.began}
        self._keep(self._record)

    def _add(self, which: int, parts: list[bytes | memoryview], data: bytes | memoryview) -> None:
        if self._lost:
            return
        self._sizes[which] += len(data)
        if self._sizes[which] > self._log.limits.body_bytes:
            self._drop(TOO_LARGE)
        elif not self._log.budget.take(len(data)):
            self._drop(QUEUE_FULL)
        else:
            parts.append(data)
            self._record.size += len(data)

    def _drop(self, why: str) -> None:
        self._lost = self._lost or why
        self._log.budget.give_back(self._record.size)
        self._record.request, self._record.response, self._record.size = [], [], 0
