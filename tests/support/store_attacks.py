"""Pushes to a store: killed at every request, two at once, and with faults: `python -m` this, name, step, store.

A server that polls the serving folder looks after every request that the store has answered. Prints as JSON how often
it was tried and what did not hold.
"""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.support.stores.proxy import Act, Request, StoreProxy, store_proxy
from tests.support.stores.pushing import Came, Push, Watcher
from tests.support.stores.running import RunningStore, environment, running_gateway, running_google, running_store

BEFORE, DURING, LATER = 100, 101, 200  # by the clocks of the push before, those under attack, and the one after
MOST_REQUESTS = 200
SECONDS = "4"  # that an answer may take where the proxy gives none
LOST = "was pushed to by somebody else meanwhile"
Case = tuple[str, list[str]]


@dataclass
class Scene:
    """A serving folder with one version in it, and a server that looks at it."""

    store: RunningStore
    large: bool = False
    serving: str = ""
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.serving = f"{self.store.scheme}://{self.store.make_bucket()}/models/serving"
        self.watcher = Watcher(self.serving, self.store.environment, large=self.large)
        self._look = threading.Lock()
        came = self.push(BEFORE)
        assert came.version == BEFORE, came

    def push(self, now: int) -> Came:
        """A push that nothing happens to."""
        return Push(self.serving, self.store.environment, now, large=self.large).end()

    def push_by(self, proxy: StoreProxy, seconds: str = "") -> Push:
        variables = {**environment(proxy.port), "MODEL_MONITOR_STORE_SECONDS": seconds}
        return Push(self.serving, variables, DURING, large=self.large)

    def look(self, request: Request) -> None:
        """What a server sees after a request that may have changed something."""
        if request.writes:
            with self._look:
                self.wrong += self.watcher.partial()

    def judge(self, *came: Came) -> list[str]:
        """What did not hold: of what is seen, what pushes say, and what the next one makes of it."""
        self.wrong += self.watcher.partial()
        versions = self.watcher.versions()
        for each in came:
            if each.version is not None and each.version not in versions:
                self.wrong.append(f"{each.version} is said to be pushed, and there are {versions}")
            if each.said and not each.said.startswith(("MonitorError", "LostError")):
                self.wrong.append(each.said)
        said = {BEFORE, *(each.version for each in came if each.version is not None)}
        killed = sum(each.version is None and LOST not in each.said for each in came)
        if len(set(versions) - said) > killed:
            self.wrong.append(f"{sorted(said)} are said to be pushed, and there are {versions}")
        return self.wrong + self._the_next(versions)

    def _the_next(self, before: list[int]) -> list[str]:
        came = self.push(LATER)
        if came.version is None:
            return [f"the next push says {came.said!r}"]
        after, left = self.watcher.versions(), self.watcher.left()
        wrong = self.watcher.partial() + [f"{name} is left" for name in left]
        added = sorted(set(after) - set(before) - {came.version})
        if not set(before) < set(after) or after[-1] != came.version or any(number > came.version for number in added):
            wrong.append(f"there were {before}, and after the push of {came.version} there are {after}")
        if self.watcher.pointer().get("version") != came.version or self.watcher.pointer().get("next") is not None:
            wrong.append(f"after the push of {came.version} the pointer is {self.watcher.pointer()}")
        return wrong


def any_request(_: Request) -> bool:
    """Of whatever kind."""
    return True


def of_a_part(request: Request) -> bool:
    """That begins, uploads, or puts together the parts of a large object."""
    return request.writes and "upload" in request.path.partition("?")[2]


class Killing:
    """A push that is killed at a request, the `number`-th of a kind, and what becomes of that request."""

    def __init__(self, scene: Scene, number: int, act: Act, of: Callable[[Request], bool]) -> None:
        self.reached = threading.Event()
        self._scene, self._left, self._act, self._of = scene, number, act, of
        self._number, self._turn = MOST_REQUESTS, threading.Lock()
        self._push: Push | None = None
        self._started = threading.Event()

    def start(self, proxy: StoreProxy) -> Push:
        self._push = self._scene.push_by(proxy)
        self._started.set()
        return self._push

    def plan(self, request: Request) -> Act:
        with self._turn:
            self._left -= self._of(request)
            if self._left == 0 and self._number == MOST_REQUESTS:
                self._number = request.number
        if request.number < self._number:
            return Act.FORWARD
        if request.number > self._number:
            return Act.DROP
        if self._act is not Act.LOSE:
            self._kill()
        return self._act

    def after(self, request: Request) -> None:
        if request.number == self._number:
            self._kill()
        self._scene.look(request)

    def _kill(self) -> None:
        assert self._started.wait(60)
        self.reached.set()
        if self._push is not None:
            self._push.kill()


def kills(store: RunningStore, step: int) -> Iterator[Case]:
    """A push killed at each request: it does not get through, in half, it does, or it is delivered late."""
    yield from _killed(store, step, any_request)


def parts(store: RunningStore, step: int) -> Iterator[Case]:
    """The same of a push with an object that is uploaded in parts, at each request of these."""
    yield from _killed(store, step, of_a_part)


def _killed(store: RunningStore, step: int, of: Callable[[Request], bool]) -> Iterator[Case]:
    acts = (Act.DROP, Act.HALF_SENT, Act.LOSE, Act.DELAY)
    for count, number in enumerate(range(1, MOST_REQUESTS, step)):
        # The short attack takes the acts in turn, the full one each of them at each request.
        for act in acts if step == 1 else acts[count % 4 : count % 4 + 1]:
            scene = Scene(store, large=of is of_a_part)
            killing = Killing(scene, number, act, of)
            with store_proxy(store.port, killing.plan, killing.after) as proxy:
                came = killing.start(proxy).end()
                if not killing.reached.is_set() and came.version is not None:
                    return
                wrong = [] if killing.reached.is_set() else [f"it ends by itself: {came.said!r}"]
                wrong += scene.judge(came)
                proxy.deliver()  # what is late comes in when the next push is done
            yield f"{of.__name__} {number}, {act.value}", wrong + scene.watcher.partial()


def paused(store: RunningStore, step: int) -> Iterator[Case]:
    """A push that waits at each request while another is made from its beginning to its end.

    It waits before its request is passed on; or after that, and then gets no answer, so that it asks again.
    """
    for count, number in enumerate(range(1, MOST_REQUESTS, step)):
        for answered in (False, True) if step == 1 else (bool(count % 2),):
            case = _paused(store, Pause(number, answered=answered))
            if case is None:
                return
            yield case


def _paused(store: RunningStore, pause: "Pause") -> Case | None:
    scene = Scene(store)

    def after(request: Request) -> None:
        pause.after(request)
        scene.look(request)

    with store_proxy(store.port, pause.plan, after) as slow, store_proxy(store.port, after=scene.look) as quick:
        # That an answer takes long is no fault here: the network is slow, and the client waits.
        push = scene.push_by(slow)
        if not pause.begins(push) and push.end().version is not None:
            return None
        other = scene.push_by(quick).end()
        pause.over.set()
        came = push.end()
    wrong = [] if other.version is not None else [f"the push that nothing happens to says {other.said!r}"]
    if came.version is None and LOST not in came.said:
        wrong.append(f"the push that waited says {came.said!r}")
    return str(pause), wrong + scene.judge(came, other)


class Pause:
    """At one request, until it is over: before it, or once it is answered, and then the answer gets lost."""

    def __init__(self, number: int, *, answered: bool) -> None:
        self._number, self._answered = number, answered
        self._begun, self.over = threading.Event(), threading.Event()

    def __str__(self) -> str:
        return f"waiting {'after' if self._answered else 'before'} request {self._number}"

    def plan(self, request: Request) -> Act:
        if request.number != self._number:
            return Act.FORWARD
        if self._answered:
            return Act.LOSE
        self._wait()
        return Act.FORWARD

    def after(self, request: Request) -> None:
        if self._answered and request.number == self._number:
            self._wait()

    def begins(self, push: Push) -> bool:
        """Waits for it. Returns False where the push comes to its end before."""
        while not self._begun.wait(0.01):
            if push.ended():
                return False
        return True

    def _wait(self) -> None:
        self._begun.set()
        self.over.wait(120)


@dataclass(frozen=True)
class Fault:
    """At one request, or from that one on."""

    number: int
    act: Act
    lasts: bool

    def plan(self, request: Request) -> Act:
        hit = request.number == self.number or (self.lasts and request.number > self.number)
        return self.act if hit else Act.FORWARD

    def __str__(self) -> str:
        return (
            f"from request {self.number} on, {self.act.value}"
            if self.lasts
            else f"request {self.number}, {self.act.value}"
        )


def faults_of(number: int, count: int, step: int) -> list[Fault]:
    """The short attack takes them in turn, the full one all of them at each request."""
    acts = [act for act in Act if act not in (Act.FORWARD, Act.DELAY)]
    every = [Fault(number, act, lasts) for lasts in (False, True) for act in acts]
    return every if step == 1 else [every[count % len(every)]]


def faults(store: RunningStore, step: int) -> Iterator[Case]:
    """A fault of the store or the network at each request, once or from then on."""
    for count, number in enumerate(range(1, MOST_REQUESTS, step)):
        for fault in faults_of(number, count, step):
            scene = Scene(store)
            with store_proxy(store.port, fault.plan, scene.look) as proxy:
                came = scene.push_by(proxy, SECONDS).end()
                if len(proxy.requests) < number and came.version is not None:
                    return
            wrong = [f"it says {came.said!r}"] if "\n" in came.said or not (came.version or came.said) else []
            if came.version is None and not fault.lasts:
                wrong.append(f"one fault is one too many: {came.said!r}")
            yield str(fault), wrong + scene.judge(came)


def at_once(store: RunningStore, tries: int) -> Iterator[Case]:
    """Three pushes at once, one of them killed: of those that end one wins at least, and the others say so."""
    for number in range(tries):
        scene = Scene(store)
        with store_proxy(store.port, after=scene.look) as proxy:
            pushes = [scene.push_by(proxy) for _ in range(3)]
            while len(proxy.requests) < 3 + 7 * (number % 9) and not pushes[0].ended():
                time.sleep(0.005)
            pushes[0].kill()
            came = [push.end() for push in pushes]
        wrong = [f"it says {each.said!r}" for each in came if each.said and LOST not in each.said]
        yield f"try {number}", wrong + scene.judge(*came)


ATTACKS: dict[str, Callable[[RunningStore, int], Iterator[Case]]] = {
    "kills": kills, "parts": parts, "paused": paused, "faults": faults, "at once": at_once,
}  # fmt: skip


STORES = {"memory": running_store, "google": running_google, "gateway": running_gateway}


def main() -> None:
    name, step, kind = sys.argv[1:]
    with STORES[kind]() as store:
        results = list(ATTACKS[name](store, int(step)))
    broken = [f"{case}: {text}" for case, found in results for text in found[:1]]
    print(json.dumps({"tried": len(results), "broken": broken}))  # noqa: T201 - for the test that started this


if __name__ == "__main__":
    main()
