"""Which version of a model answered, and what it takes: asked of the model server, for REST answers do not say.

A record waits until the server was asked again after its answer. Where the server says the same version as before the
request, that one answered; where it changed meanwhile, nobody knows which did, and the record has no version. It waits
in the process that logs, which outlives a proxy that is killed.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from components.common.errors import MonitorError

from ..protocols.calls import Call
from ..protocols.signatures import ModelSignatures
from .fetching import fetch
from .taken import Record
from .upstream import Upstream

_PAUSE = 0.2  # seconds between two questions about a model, while there are records of it
_FETCH_SECONDS = 5.0
_AGAIN_SECONDS = 10.0  # after which a server that said nothing is asked again
_NEVER = sys.float_info.max  # JSON has no infinity
_MOST_PLACES = 100  # models, versions and labels that are remembered


@dataclass
class _Told:
    """What the server said of a model, version or label.

    Attributes:
      call: which it is.
      signatures: what it takes and answers, as JSON.
      version: the one that answers; None: the server did not say.
      since: that the version is known of, in seconds since the epoch.
      asked: when it last said nothing, by the monotonic clock.
      waiting: how many records wait until it is asked again.
      size: of their bodies, which the budget holds meanwhile.
      task: that asks.

    """

    call: Call
    signatures: str = ""
    version: int | None = None
    since: float = 0.0
    asked: float = -_AGAIN_SECONDS
    waiting: int = 0
    size: int = 0
    task: "asyncio.Task[None] | None" = None


class Models:
    """Hands records on, and behind them what tells their version and their model's signatures."""

    def __init__(self, upstream: Upstream, hand_on: Callable[[Record], None]) -> None:
        self._upstream, self._hand_on = upstream, hand_on
        self._told: dict[str, _Told] = {}

    def settle(self, record: Record, call: Call) -> None:
        """Hands the record on, to wait there until it is known of which version it is."""
        record.words |= {"place": call.place, "version": call.version}
        told = self._told.get(call.place)
        if told is None:
            told = self._told[call.place] = _Told(call)
            self._make_room()
        known = told.version is not None and call.version is not None
        silent = told.version is None and time.monotonic() - told.asked < _AGAIN_SECONDS
        if known or silent:  # a version does not change what it takes, and a server that has not said will not say
            self._hand_on(record)
            return
        record.words["waits"] = True
        told.waiting += 1
        told.size, record.size = told.size + record.size, 0
        self._hand_on(record)
        if told.task is None or told.task.done():
            told.task = asyncio.get_running_loop().create_task(self._ask(told))

    async def close(self, seconds: float) -> None:
        """Lets nothing wait any longer: what the server says within the time is still heard."""
        tasks = {told.task for told in self._told.values() if told.task is not None}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=max(0.0, seconds))
            for task in late:
                task.cancel()
        for told in list(self._told.values()):
            self._settle_all(told, told.version)

    async def _ask(self, told: _Told) -> None:
        while told.waiting:
            if told.since:
                await asyncio.sleep(_PAUSE)
            call = told.call
            place = Call(call.api, quote(call.model, safe=""), call.version, quote(call.label, safe="")).place
            body = await fetch(self._upstream, f"{place}/metadata", _FETCH_SECONDS)
            self._learn(told, body)

    def _learn(self, told: _Told, body: bytes | None) -> None:
        try:
            version = ModelSignatures.from_json(body).version if body else None
        except MonitorError:
            version = None
        if body is None or version is None:
            told.asked = time.monotonic()
            self._settle_all(told, told.version)
            return
        text = body.decode(errors="replace")
        if text != told.signatures:
            told.signatures = text
            self._hand_on(Record({"signatures": text, "place": told.call.place}))
        before, since = told.version, told.since
        told.version = version
        if version != before:
            told.since = time.time()
        self._settle_all(told, version, since if before == version else None if before is None else _NEVER)

    def _settle_all(self, told: _Told, version: int | None, since: float | None = None) -> None:
        """Tells the version of what waits; those that began before `since` may be of another one."""
        if told.waiting:
            words = {"settled": told.call.place, "version": version, "since": since}
            self._hand_on(Record(words, size=told.size))
        told.waiting = told.size = 0

    def _make_room(self) -> None:
        """Forgets the models that were first asked of, where clients ask for more than any server has."""
        idle = [place for place, told in self._told.items() if told.task is None or told.task.done()]
        for place in idle[: max(0, len(self._told) - _MOST_PLACES)]:
            del self._told[place]
