"""What the policies of a configuration do about each judged window: train anew, or roll a pushed version back."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from components.common import baseline_bundle
from components.common.baseline_bundle import Bundle
from components.common.errors import MonitorError
from components.common.span_patterns import DEFAULT_PATTERN, SpanLogs

from ..incidents.contexts import Contexts
from ..incidents.course import Course
from ..incidents.incident import Change, Kind, Severity
from ..launching import predecessor, root_lock
from ..reading.run_store import open_store
from ..reading.window_record import WindowRecord
from ..watch.hooks import Status
from ..watch.settings import WatchConfig
from . import command_runs, recorded, rollback
from .canary import Pair, worse
from .command_runs import BusyError, CommandRun
from .policies import may_retrain
from .recorded import POLICY, Act, Came, What

FOLDER = "retrain"  # under the root: the trainings that were started
_CRITICAL = (Kind.OPENED, Kind.WORSE)
_WAIT_SECONDS = 60.0  # for a command that works under the root


class Policies:
    """Acts on windows as `policies` says; each act is in ML Metadata with its reason, and none is done twice."""

    name = "policies"

    def __init__(self, config: WatchConfig) -> None:
        self._config = config
        self._policies = config.policies
        self._course = Course(config.incidents)
        self._unfinished = True  # whether a training may have ended since it was last looked at

    def judged(self, record: WindowRecord, records: Sequence[WindowRecord]) -> None:
        """Looks at a window that was judged, the last of `records`."""
        change = self._course.go_on(records)
        if self._policies.roll_back.when_worse and not record.late:
            self._canary(record, records)
        critical = change is not None and change.kind in _CRITICAL and change.incident.severity is Severity.CRITICAL
        if change is not None and critical and self._policies.retrain.command:
            self._retrain(change)

    def status(self, _status: Status) -> None:
        """Records the trainings that have ended."""
        if self._unfinished and self._policies.retrain.command:
            self._record_ended()

    def closing(self) -> None:
        """Trainings go on without the watcher."""

    @property
    def _store(self) -> Contexts:
        return Contexts(self._config.metadata_path)

    def _retrain(self, change: Change) -> None:
        folder, policy = self._config.root_path / FOLDER, self._policies.retrain
        name, now = f"window-{change.window}", time.time()
        decision = may_retrain(policy, [run for run in command_runs.runs(folder) if run.name != name], now)
        act = Act(
            What.RETRAINED,
            f"{self._config.name} {name}",
            Came.BEGUN,
            f"{change.record.sentence} {decision.why.capitalize()}.",
            POLICY,
            now,
            model=self._config.name,
            incident=change.incident.name,
            details={"run": str(change.record.run), "command": " ".join(policy.command), "name": name},
        )
        if not decision.act:
            recorded.record(self._store, replace(act, came=Came.WITHHELD))
            return
        recorded.record(self._store, act)
        known = {"INCIDENT": change.incident.name, "WINDOW": str(change.window), "VERSION": change.record.version}
        environment = {f"MODEL_MONITOR_{key}": value for key, value in known.items()}
        where = Path(policy.folder or ".").absolute()
        try:
            command_runs.start(folder, name, policy.command, where=where, environment=environment)
        except BusyError as error:
            recorded.record(self._store, replace(act, came=Came.WITHHELD, because=str(error)))
        self._unfinished = True

    def _record_ended(self) -> None:
        folder = self._config.root_path / FOLDER
        begun = [
            act
            for act in recorded.recorded(open_store(self._config.metadata_path))
            if act.what is What.RETRAINED and act.came is Came.BEGUN and act.model == self._config.name
        ]
        running = 0
        for act in begun:
            run = command_runs.read(folder, act.details["name"])
            if run is None or run.running:
                running += run is not None
                continue
            recorded.record(self._store, replace(act, came=_came(run), details={**act.details, **_ended(run)}))
        self._unfinished = running > 0

    def _canary(self, record: WindowRecord, records: Sequence[WindowRecord]) -> None:
        """Compares a version in its first windows with the one before it, and rolls it back where it is worse."""
        policy, serving = self._policies.roll_back, self._config.serving_path
        bundle = baseline_bundle.newest(str(serving))
        first = [each for each in records if each.version == record.version and not each.late][: policy.windows]
        pushed = bundle is not None and Path(bundle.version_dir).name == record.version
        if bundle is None or not pushed or record not in first or bundle.manifest.copied_from is not None:
            return
        try:
            before, newest = rollback.choose(str(serving))
        except MonitorError:
            return  # there is none before it
        pairs = self._pairs(first, before)
        decision = worse(pairs, policy)
        if decision.act:
            self._roll_back(before, newest, record, decision.why)

    def _pairs(self, first: Sequence[WindowRecord], before: Bundle) -> list[Pair]:
        """The windows of the new version beside those of the one before, as far as their examples are there."""
        known = predecessor.judged(self._config, before)
        pairs = []
        for record in first:
            old = known.get(record.window)
            logs = self._logs(record.window)
            if old is None and logs is not None:
                with root_lock.held(self._config.root_path, "watch", _WAIT_SECONDS):
                    old = predecessor.judge(self._config, logs, before)
            if old is not None:
                pairs.append(Pair(record, old))
        return pairs

    def _logs(self, window: int) -> SpanLogs | None:
        folder = self._config.windows_path / str(window)
        names = sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []
        files = tuple(f"{window}/{name}" for name in names if not name.startswith((".", "_")))
        return SpanLogs(window, str(window), None, DEFAULT_PATTERN, files) if files else None

    def _roll_back(self, before: Bundle, newest: Bundle, record: WindowRecord, why: str) -> None:
        details = {"of": before.version_dir, "replaced": newest.version_dir, "run": str(record.run)}
        name = f"{self._config.name} {Path(newest.version_dir).name}"
        act = Act(
            What.ROLLED_BACK, name, Came.BEGUN, why, POLICY, time.time(), model=self._config.name, details=details
        )
        recorded.record(self._store, act)
        try:
            done = rollback.roll_back(str(self._config.serving_path), before, newest)
        except (MonitorError, OSError) as error:
            recorded.record(self._store, replace(act, came=Came.FAILED, because=f"{why}; {error}"))
            raise
        recorded.record(self._store, replace(act, came=Came.DONE, details={**details, "version": done.folder}))


def _came(run: CommandRun) -> Came:
    if run.interrupted:
        return Came.INTERRUPTED
    return Came.DONE if run.exit_code == 0 else Came.FAILED


def _ended(run: CommandRun) -> dict[str, str]:
    code = {} if run.exit_code is None else {"exit_code": str(run.exit_code)}
    return {**code, "output": str(run.output)}
