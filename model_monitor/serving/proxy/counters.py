"""What the proxy counts, as an object that anybody may read, and as metrics for Prometheus."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

# Why a request that a model answered is in no log. Each is counted once, under one of these or as logged.
SAMPLED_OUT = "sampled_out"  # by the sampling rate
TOO_LARGE = "too_large"  # a body over the limit
QUEUE_FULL = "queue_full"  # logging fell behind
OTHER_MODEL = "other_model"  # not the model that is logged
UNREADABLE = "unreadable"  # it could not be made a record of: see the warnings
FAILED = "failed"  # its file could not be written
CRASHED = "crashed"  # it was with the process that logs when that died, and not known to be in a file
REASONS = (SAMPLED_OUT, TOO_LARGE, QUEUE_FULL, OTHER_MODEL, UNREADABLE, FAILED, CRASHED)
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # buckets of the answering time


@dataclass
class Counters:
    """What has become of all requests up to now.

    Attributes:
      answers: requests by protocol (`rest`, `grpc`) and status.
      seconds: how long they took, by the bucket of `SECONDS`; the last is of what took longer.
      seconds_in_all: the sum of the same.
      client_gone: requests whose client did not wait for the answer.
      upstream_failures: requests that the model server did not answer, or not to the end.
      refused: what came in and was no request.
      to_log: answered requests of the kind that is logged; `logged`, `pending` and all of `lost` add up to it.
      logged: records in files that readers can see.
      pending: on the way to such a file.
      lost: requests that are in no log, by reason.
      salvaged: records found in the files of writers that were killed.
      unfit: requests that were logged and are not what the model's spec says.
      version_unknown: requests logged without a version, as the server changed it meanwhile or did not say.
      no_room_for_id: requests and answers over gRPC that were passed on without the id that they lack, as with it their
        headers would be more than the receiver takes.

    """

    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    seconds: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))
    seconds_in_all: float = 0.0
    client_gone: int = 0
    upstream_failures: int = 0
    refused: int = 0
    to_log: int = 0
    logged: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    salvaged: int = 0
    unfit: int = 0
    version_unknown: int = 0
    no_room_for_id: int = 0

    def answered(self, protocol: str, status: int | str, seconds: float) -> None:
        self.answers[protocol, str(status)] += 1
        self.seconds[bisect_left(SECONDS, seconds)] += 1
        self.seconds_in_all += seconds

    @property
    def pending(self) -> int:
        return self.to_log - self.logged - sum(self.lost.values())

    @property
    def described(self) -> str:
        """One line for people."""
        lost = "".join(f", {count} {reason.replace('_', ' ')}" for reason, count in self.lost.items() if count)
        pending = f", {self.pending} pending" if self.pending else ""
        bare = f"; {self.no_room_for_id} requests and answers had no room for an id" if self.no_room_for_id else ""
        return f"{sum(self.answers.values())} requests, {self.to_log} to log: {self.logged} logged{lost}{pending}{bare}"


class Collector:
    """The counters for `prometheus_client`, named `model_monitor_proxy_*`."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import (  # noqa: PLC0415 - of the extra `live`
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        counts, name = self._counters, "model_monitor_proxy"
        answers = CounterMetricFamily(f"{name}_requests", "Requests answered", labels=["protocol", "status"])
        for labels, count in list(counts.answers.items()):
            answers.add_metric(list(labels), count)
        yield answers
        buckets, total = [], 0
        for limit, count in zip((*map(str, SECONDS), "+Inf"), counts.seconds, strict=True):
            total += count
            buckets.append((limit, total))
        yield HistogramMetricFamily(
            f"{name}_request_seconds", "Time from a request's head to the end of its answer", buckets,
            counts.seconds_in_all,
        )  # fmt: skip
        lost = CounterMetricFamily(f"{name}_lost", "Answered requests that are in no log", labels=["reason"])
        for reason in REASONS:
            lost.add_metric([reason], counts.lost[reason])
        yield lost
        for told, count, text in (
            ("client_gone", counts.client_gone, "Requests whose client did not wait for the answer"),
            ("upstream_failures", counts.upstream_failures, "Requests that the model server did not answer to the end"),
            ("refused", counts.refused, "What came in and was no request"),
            ("to_log", counts.to_log, "Answered requests of the kind that is logged"),
            ("logged", counts.logged, "Records in files that readers can see"),
            ("salvaged", counts.salvaged, "Records found in files of writers that were killed"),
            ("unfit", counts.unfit, "Requests logged that are not what the model's spec says"),
            ("version_unknown", counts.version_unknown, "Requests logged without a version"),
            ("no_room_for_id", counts.no_room_for_id, "Requests and answers that had no room for an id"),
        ):
            yield CounterMetricFamily(f"{name}_{told}", text, value=count)
        yield GaugeMetricFamily(f"{name}_pending", "Answered requests on the way to a log", value=counts.pending)
