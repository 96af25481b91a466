"""A store whose artifacts are damaged: every command and every page reads it, and none calls anything fine for it."""

import itertools
import json
import os
import random
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from werkzeug.test import Client

from model_monitor import cli
from model_monitor.reading.history import History
from model_monitor.reading.run_store import open_store
from model_monitor.ui.app import Application, hosts_for
from model_monitor.ui.pages import Site
from model_monitor.ui.server import listen
from tests.model_monitor.conftest import tell
from tests.support.chromium import browser
from tests.support.poison import poisoned, poisons

pytestmark = pytest.mark.long

REPOSITORY = Path(__file__).resolve().parents[2]
SOAKED = 240  # seconds for each store, of the full attack
MOST_POISONED = 1 << 22  # bytes of a file; models and examples have more, and are not read


@dataclass(frozen=True)
class Poisonable:
    """A file of an artifact, with the run that gave it."""

    file: Path
    run: int
    artifact: int


@dataclass
class Store:
    """A store, and what it says while all is whole."""

    metadata: Path
    intact: dict[int, str] = field(default_factory=dict)  # the verdict of each run, by `why`

    def __post_init__(self) -> None:
        application = Application(Site(self.metadata, self.metadata.parent), hosts=hosts_for("127.0.0.1"))
        self.client = Client(application)
        self.runs = [run.id for run in History(open_store(self.metadata)).runs]

    def files(self) -> list[Poisonable]:
        """One of each kind of file of each type of artifact in each run."""
        found: dict[tuple[int, str, str], Poisonable] = {}
        for run in History(open_store(self.metadata)).runs:
            for made in (made for node in run.nodes.values() for made in node.made):
                for file in sorted(Path(made.uri).rglob("*")):
                    if file.is_file() and file.stat().st_size <= MOST_POISONED:
                        found.setdefault((run.id, made.type, file.name), Poisonable(file, run.id, made.id))
        return list(found.values())

    def page(self, path: str) -> str:
        answer = self.client.get(path, headers={"Host": "127.0.0.1"})
        text = answer.get_data().decode(errors="replace")  # a report is passed on as it is
        assert answer.status_code in (200, 404), (path, answer.status_code, text[-1000:])
        return text


def command(store: Store, capsys, *arguments: str) -> tuple[int, str]:
    """The exit code of a command, and what it printed. An exception is one of the test."""
    capsys.readouterr()
    code = cli.main([arguments[0], "--metadata", str(store.metadata), *arguments[1:]])
    out, err = capsys.readouterr()
    assert code in (0, 1, 2), arguments
    assert "Traceback" not in out + err, (arguments, err)
    return code, out


def verdict(store: Store, capsys, run: int) -> str:
    """The outcome that `why` gives: "passed" is what nothing else may become."""
    code, out = command(store, capsys, "why", str(run), "--json")
    return json.loads(out)["run"]["verdict"]["outcome"] if code != 1 else "error"


def read_all(store: Store, capsys, place: Poisonable, other: int, out: Path) -> str:
    """Every way there is to look at a run and one of its artifacts; gives the verdict on the run."""
    number = str(place.run)
    command(store, capsys, "inspect", number)
    command(store, capsys, "inspect", f"artifact:{place.artifact}")
    command(store, capsys, "inspect", f"artifact:{place.artifact}", "--json")
    command(store, capsys, "why", number)
    command(store, capsys, "report", number, "--out", str(out / "report.html"))
    command(store, capsys, "compare", number, str(other), "--out", str(out / "compared.html"))
    for path in (f"/runs/{number}", f"/runs/{number}/report/content", f"/artifacts/{place.artifact}"):
        store.page(path)
    return verdict(store, capsys, place.run)


@pytest.fixture(scope="module")
def stores(tmp_path_factory, pytestconfig):
    """The made-up runs of the tests; with --soak also real ones, of `train`, `replay` and `monitor`."""
    found = [Store(tell(tmp_path_factory.mktemp("told")).metadata)]
    given = os.environ.get("POISONED_STORE")  # a folder of runs that are there already
    if given or pytestconfig.getoption("--soak"):
        found.append(Store(Path(given or real_runs(tmp_path_factory.mktemp("real"))) / "metadata.sqlite"))
    return found


def real_runs(folder: Path) -> Path:
    root, settings = folder / "runs", ("--set", f"root={folder / 'runs'}")
    shift = ("--shift", "gaussian_blur", "--severity", "5")
    small = ("--set", "trainer.model=tiny_cnn", "--set", "trainer.batch_size=64", "--set", "trainer.epochs=6")
    for expected, *arguments in (
        (0, "train", *small),
        (0, "replay", "--logs", str(folder / "logs"), "--count", "200", "--span", "1"),
        (0, "replay", "--logs", str(folder / "logs"), "--count", "200", "--span", "2", *shift),
        (2, "monitor", "--logs", str(folder / "logs"), "--set", "cache=false"),
    ):
        command = [sys.executable, "-m", "model_monitor.cli", *arguments, *settings]
        assert subprocess.run(command, cwd=REPOSITORY, check=False).returncode == expected
    return root


def test_a_damaged_artifact_is_read_by_all_and_makes_nothing_fine(stores, tmp_path, capsys, tries, report):
    draw = random.Random(9)  # noqa: S311 - the same attack every time
    tried = held = 0
    for store in stores:
        places = store.files()
        intact = {run: verdict(store, capsys, run) for run in store.runs}
        end = time.monotonic() + tries(float("inf"), SOAKED)
        for place in itertools.islice(itertools.cycle(draw.sample(places, len(places))), tries(8, 100_000)):
            if time.monotonic() > end:
                break
            other = next((run for run in store.runs if run != place.run), place.run)
            what, damaged = next(poisons(place.file.read_bytes(), draw))
            with poisoned(place.file, damaged):
                try:
                    says = read_all(store, capsys, place, other, tmp_path)
                except Exception as error:
                    raise AssertionError(f"{place.file}, {what}") from error
            assert says != "passed" or intact[place.run] == "passed", (place.file, what)
            tried, held = tried + 1, held + 1
    report("damaged artifacts read by inspect, why, report, compare and the ui", tried, held)


def test_the_ui_over_a_poisoned_store_in_a_browser(stores, tmp_path, tries, report):
    """All files are damaged at once; each page is opened. The console says nothing, no dialog opens, no page fails."""
    draw = random.Random(10)  # noqa: S311
    tried = held = 0
    for store in stores:
        before = {place.file: place.file.read_bytes() for place in store.files()}
        try:
            for file, content in before.items():
                file.write_bytes(next(poisons(content, draw))[1])
            opened, complaints = crawl(store, tmp_path / f"profile-{tried}", tries(6, 10_000), draw)
        finally:
            for file, content in before.items():
                file.write_bytes(content)
        assert complaints == []
        tried, held = tried + opened, held + opened
    report("pages of the ui over a poisoned store, in Chromium", tried, held)


def crawl(store: Store, profile: Path, most: int, draw: random.Random) -> tuple[int, list]:
    """Opens the pages that the pages lead to, from the first on; gives their number and what was complained of."""
    server = listen(Application(Site(store.metadata, store.metadata.parent)), "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    address, complaints, opened = f"http://127.0.0.1:{server.port}", [], 0
    try:
        with browser(profile) as chromium:
            waiting, seen = ["/"], {"/"}
            while waiting and opened < most:
                path = waiting.pop(draw.randrange(len(waiting)))
                chromium.open(address + path)
                chromium.wait(0.2)
                opened += 1
                statuses = [each["response"]["status"] for each in chromium.of("Network.responseReceived")]
                odd = [status for status in statuses if status >= 400]
                dialogs = chromium.of("Page.javascriptDialogOpening")
                complaints += [(path, each) for each in (*chromium.complaints(), *odd, *dialogs)]
                links = chromium.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href'))")
                for link in (link.partition("#")[0] for link in links):
                    if link.startswith("/") and link not in seen:
                        seen.add(link)
                        waiting.append(link)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    return opened, complaints
