"""Windows of serving that were fine become what those to come are compared with, in the place of held-out examples.

What the model was pushed with stays in its bundle: the accuracy is estimated from labelled held-out examples as before.
A pushed version gets the reference under a new number, with the same model; a model that was adopted gets a bundle in
the place of the one it has.
"""

import datetime
import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.atomic_pusher.publish import publish_bundle
from components.common import baseline_bundle
from components.common.baseline_bundle import BUNDLE, OPTIONAL_PARTS, REFERENCE_STATISTICS_DIR, Bundle, Reference
from components.common.errors import MonitorError, require
from components.common.statistics.monitored_features import MIN_BASELINE_EXAMPLES
from components.common.two_sample.comparison import MAX_ROWS
from components.common.two_sample.false_alarms import p_value_threshold

from ..reading import roles
from ..reading.history import History, baseline_of
from ..reading.run_store import Run
from ..reading.window_record import WindowRecord
from ..reading.window_series import all_series
from .copied_version import LEFTOVERS, publish_copy, write_manifest

_MOST_WINDOWS = 1000
_NAMED = 5  # windows that a message names of one kind
_COMPARISONS = 2  # that share the false-alarm rate: with the reference, and with the previous span


@dataclass(frozen=True)
class Candidate:
    """A window that was judged: its record, the folder of the version it was held against, that of its `Examples`.

    `examples` is "" where they were removed.
    """

    record: WindowRecord
    bundle: str
    examples: str


@dataclass(frozen=True)
class Made:
    """What the run made of the windows: its id in ML Metadata, and the folders of the artifacts."""

    run: int
    statistics: str
    schema: str
    examples: str


@dataclass(frozen=True)
class Promise:
    """What the size of a reference does to the false-alarm rate that was promised.

    The rate holds for every size, as the p-value at which a window rings gets smaller with the reference; what a
    small one costs is small changes that go unseen.

    Attributes:
      window: how many examples a window has.
      reference: how many the reference has, as far as they are compared.
      threshold: the p-value at which a window rings.
      before: likewise against what it was compared with so far; None where that is not known.

    """

    window: int
    reference: int
    threshold: float
    before: float | None

    @property
    def small(self) -> bool:
        """Whether it has fewer examples than two windows, so that its own sampling error is most of the noise."""
        return self.reference < 2 * self.window


def numbers(text: str) -> list[int]:
    """The windows that a text names, ascending.

    >>> numbers("20-22,30")
    [20, 21, 22, 30]

    Raises:
      MonitorError: it names none, or more than a thousand.

    """
    rule = f"be numbers of windows, such as 20-40 or 20-29,31-40, {_MOST_WINDOWS} at most"
    found: set[int] = set()
    for part in text.split(","):
        ends = re.fullmatch(r"\s*([0-9]{1,12})(?:-([0-9]{1,12}))?\s*", part)
        first, last = (int(ends[1]), int(ends[2] or ends[1])) if ends else (0, -1)
        require(first <= last < first + _MOST_WINDOWS, "--windows", rule, text)
        found.update(range(first, last + 1))
    require(len(found) <= _MOST_WINDOWS, "--windows", rule, text)
    return sorted(found)


def in_words(windows: Iterable[int]) -> str:
    """Numbers as people write them, ascending.

    >>> in_words([20, 21, 22, 30])
    '20-22,30'
    """
    rows: list[list[int]] = []
    for number in sorted(windows):
        if rows and number == rows[-1][1] + 1:
            rows[-1][1] = number
        else:
            rows.append([number, number])
    return ",".join(f"{first}" if first == last else f"{first}-{last}" for first, last in rows)


def candidates(history: History, model: str, logs: str = "") -> dict[int, Candidate]:
    """The windows of a model that were judged, by their numbers.

    Args:
      history: of the store.
      model: the name of its monitoring pipeline.
      logs: the folder that the windows are spans of; "": that of the newest run.

    Raises:
      MonitorError: there are none.

    """
    runs = {run.id: run for run in history.runs}
    known = [each for each in all_series(history) if each.model == model]
    series = next((each for each in known if logs in ("", each.logs)), None)
    if series is None:
        folders = ", ".join(each.logs for each in known) or "none"
        raise MonitorError(
            f"`--logs` must be a folder of which windows of {model} were judged: {folders}. Received: {logs!r}"
        )
    judged = ((record, runs[record.run]) for record in series.records if record.run in runs)
    return {record.window: Candidate(record, baseline_of(run), _examples(run)) for record, run in judged}


def choose(known: Mapping[int, Candidate], wanted: Sequence[int], bundle: Bundle) -> list[Candidate]:
    """The windows that become the reference.

    Args:
      known: those that were judged, by their numbers.
      wanted: their numbers.
      bundle: of the version that is served.

    Raises:
      MonitorError: some cannot be, which it names in one sentence with the reason of each, or together they have too
        few examples.

    """
    refused: dict[str, list[int]] = {}
    for number in wanted:
        why = _refusal(known.get(number), bundle)
        if why:
            refused.setdefault(why, []).append(number)
    if refused:
        told = "; ".join(f"{_some(which)} {why}" for why, which in refused.items())
        raise MonitorError(f"Only windows that were fine and are of the served version can be the reference: {told}")
    chosen = [known[number] for number in wanted]
    total = sum(each.record.examples for each in chosen)
    rule = f"have {MIN_BASELINE_EXAMPLES} examples or more together"
    require(total >= MIN_BASELINE_EXAMPLES, "--windows", rule, total)
    return chosen


def promise(chosen: Sequence[Candidate], window: int, rate: float) -> Promise:
    """What becomes of the false-alarm rate `rate` of windows of `window` examples."""
    reference = min(sum(each.record.examples for each in chosen), MAX_ROWS)
    before = chosen[-1].record.baseline_compared
    size = min(window, MAX_ROWS)

    def limit(examples: int) -> float:
        return p_value_threshold(rate / _COMPARISONS, size, examples)

    return Promise(window, reference, limit(reference), limit(before) if before else None)


def reference_from(chosen: Sequence[Candidate], made: Made) -> Reference:
    """What the bundle says of these windows, from now on."""
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    total = sum(each.record.examples for each in chosen)
    return Reference(in_words(each.record.window for each in chosen), now, total, made.examples)


def publish(serving_dir: Path | None, served: Bundle, made: Made, reference: Reference) -> str:
    """Publishes the reference, all or nothing; the folder of the version that has it now.

    Args:
      serving_dir: the folder of versions that servers watch: there will be a new one. None: the bundle gives way to one
        in its place.
      served: the bundle of the version that is served, as it was looked at.
      made: what it gets.
      reference: what its manifest says of that.

    Raises:
      MonitorError: another version was pushed, or the bundle was replaced, meanwhile; or what was put together is no
        whole bundle.
      OSError: from the file system. Nothing is published then.

    """
    said = {"reference": reference, "parts": _parts(served)}

    def change(bundle: Path) -> dict[str, Any]:
        _put(bundle, made)
        return said

    if serving_dir is not None:
        return os.path.join(str(serving_dir), str(publish_copy(str(serving_dir), served, served, change=change)))

    def fill(payload: str) -> None:
        if baseline_bundle.read(served.version_dir).manifest != served.manifest:
            raise MonitorError(f"{served.version_dir} was given another bundle meanwhile: nothing was published")
        shutil.copytree(os.path.join(served.version_dir, BUNDLE), payload, dirs_exist_ok=True, ignore=LEFTOVERS)
        write_manifest(Path(payload), served.manifest, **change(Path(payload)))

    check: Callable[[str], object] = lambda folder: baseline_bundle.read_bundle(served.version_dir, folder)  # noqa: E731
    publish_bundle(served.version_dir, fill, check, replace=True)
    return served.version_dir


def _parts(served: Bundle) -> tuple[str, ...]:
    return tuple(part for part in OPTIONAL_PARTS if part in (*served.manifest.parts, REFERENCE_STATISTICS_DIR))


def _put(bundle: Path, made: Made) -> None:
    """Puts statistics and schema into the folder of a bundle, in the place of what it has."""
    shutil.rmtree(bundle / REFERENCE_STATISTICS_DIR, ignore_errors=True)
    shutil.copytree(made.statistics, bundle / REFERENCE_STATISTICS_DIR)
    name = os.path.basename(baseline_bundle.SCHEMA_FILE)
    shutil.copyfile(Path(made.schema, name), bundle / baseline_bundle.SCHEMA_FILE)


def _refusal(found: Candidate | None, bundle: Bundle) -> str:
    """Why a window cannot be part of a reference; "" where it can."""
    if found is None:
        return "not judged"
    if found.bundle != bundle.version_dir:
        return f"of version {Path(found.bundle).name}"
    if found.record.late:
        return "late"
    if not found.record.fine:
        return found.record.state.words
    return "" if found.examples else "without their examples, which were removed"


def _some(windows: Sequence[int]) -> str:
    named = in_words(windows).split(",")
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return f"{', '.join(named[:_NAMED])}{more}"


def _examples(run: Run) -> str:
    """The folder of a window's examples, as far as they are there."""
    node = run.nodes.get(roles.LOGS)
    made = node.outputs.get("examples", []) if node else []
    return made[0].uri if made and os.path.isdir(made[0].uri) else ""
