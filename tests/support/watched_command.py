"""`watch` as people start it, under a root of its own, and what it made of the logs that it was given."""

import collections
import contextlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from components.common.artifacts.tfrecord import read_records
from components.serving_log_writer.log_files import LogFile
from model_monitor.reading.history import History
from model_monitor.reading.run_store import open_store
from model_monitor.watch.journal import Journal
from model_monitor.watch.journal_rows import JUDGED
from tests.support.started_commands import Command, Home

EXAMPLES = 100  # of a window, and of each file that `replay` wrote two requests into
LIVE = ("--set", f"watch.window_examples={EXAMPLES}", "--set", "watch.settle_seconds=0")


def records_in(paths: Iterable[Path]) -> "collections.Counter[bytes]":
    """How often each record is in some files, and b"damaged" for each stretch that is none."""
    found: collections.Counter[bytes] = collections.Counter()
    for path in paths:
        with path.open("rb") as file:
            found.update(each.data if each.damage is None else b"damaged" for each in read_records(file))
    return found


@dataclass
class Watched(Home):
    """A folder with an adopted model, and logs of the test's own.

    Attributes:
      name: of the test.
      place: of the root; one below the folder unless it is given.

    """

    name: str
    place: Path | None = None

    @property
    def logs(self) -> Path:
        return self.folder / f"logs-{self.name}"

    @property
    def root(self) -> Path:
        return self.place or self.folder / f"root-{self.name}"

    @property
    def arguments(self) -> tuple[str, ...]:
        """Of a `watch` over these logs."""
        given = ("--logs", self.logs.name, "--bundle", "models/7", "--set", f"root={self.root}")
        return ("watch", *given, *LIVE)

    def watch(self, *arguments: str) -> Command:
        return self.start(*self.arguments, *arguments)

    def publish(self, span: int, records: list[bytes]) -> None:
        file = LogFile(str(self.logs), span)
        for record in records:
            file.append(record)
        file.publish()

    def traffic(self) -> list[bytes]:
        """The records of the two spans that were replayed: four requests of 100 images."""
        return [record for path in sorted(self.folder.glob("logs/*/*")) for record in records_in([path])]

    def journal(self) -> Journal:
        return Journal(self.root / "watch")

    def in_windows(self) -> "collections.Counter[bytes]":
        return records_in(self.root.glob("windows/*/*"))

    def runs(self) -> list[int]:
        return [run.id for run in History(open_store(self.root / "metadata.sqlite")).runs]

    def verdicts(self) -> dict[int, int]:
        """How often a verdict on each window was delivered."""
        files = self.root.glob("evaluated/monitoring/*/*.json")
        return {int(path.stem): len(json.loads(path.read_text())["evaluations"]) for path in files}

    def complaints(self, sent: "collections.Counter[bytes]", examples: int, unnamed: int = 0) -> list[str]:
        """What was lost, doubled or not counted, where every window was judged; a sentence each.

        Args:
          sent: the records that the logs had.
          examples: how many images these are, of requests whose log names the version.
          unnamed: records whose log does not, and which the pipeline therefore leaves out.

        """
        with contextlib.closing(self.journal()) as journal:
            windows, totals = journal.windows(JUDGED), journal.totals()
            records = list(journal.records)
        runs = History(open_store(self.root / "metadata.sqlite"))
        numbers = [row.window.number for row in windows]
        holds = {
            "each record is in one window": self.in_windows() == sent,
            "each example is counted": sum(row.window.examples for row in windows) == totals["examples"] == examples,
            "what names no version is counted": totals["others"] == unnamed,
            "nothing is damaged or late": not totals["damaged"] + totals["late"],
            "every window was judged": sorted(self.root.glob("windows/*"), key=lambda path: int(path.name))
            == [self.root / "windows" / str(number) for number in numbers],
            "one verdict on each was delivered": self.verdicts() == dict.fromkeys(numbers, 1),
            "each has one record": sorted(record.window for record in records) == numbers,
            "each record is of a run on it": all(
                runs.verdict(runs.run(record.run_id)).span == record.window for record in records
            ),
        }
        return [f"{what}: not so" for what, so in holds.items() if not so]
