"""Reading a store: nothing is written, a store that is being written is read, and what is shown is for a person."""

import contextlib
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

from components.common.errors import MonitorError
from model_monitor import cli
from model_monitor.reading.history import History
from model_monitor.reading.run_store import open_store, reading
from tests.support.example_runs import Story
from tests.support.printed import too_wide

pytestmark = pytest.mark.prints

REPOSITORY = Path(__file__).resolve().parents[2]
HEAVY = ("tensorflow", "tfx", "apache_beam", "tensorflow_data_validation", "tensorflow_model_analysis", "tfx_bsl")
HOLD = """
import sqlite3, sys, time
store = sqlite3.connect(sys.argv[1], isolation_level=None)
store.execute("BEGIN " + sys.argv[2])
store.execute("UPDATE Execution SET last_update_time_since_epoch = 0")
if sys.argv[4:]:  # more than SQLite keeps: pages that were changed go to the file, as in the middle of a commit
    store.execute("PRAGMA cache_size = 10")
    store.execute("CREATE TABLE Filler AS SELECT zeroblob(1000000) AS content")
    store.execute("UPDATE ArtifactProperty SET string_value = hex(zeroblob(2000))")
print("begun", flush=True)
time.sleep(float(sys.argv[3]))
store.execute("ROLLBACK")
"""
COMMANDS = (
    ("inspect",),
    ("inspect", "--limit", "0"),
    ("inspect", "penguin-2"),
    ("inspect", "penguin-4", "--type", "ExampleStatistics"),
    ("inspect", "gated-2", "--node", "PushGate"),
    ("inspect", "span-3", "--node", "SkewDriftValidator"),
    ("inspect", "--type", "Model"),
    ("why",),
    ("why", "penguin-1"),
    ("why", "penguin-3"),
    ("why", "span:2"),
    ("report", "penguin-2", "--out", "{out}"),
    ("report", "span:2", "--out", "{out}"),
)


def call(stored, tmp_path, *command):
    out = str(tmp_path / "page.html")
    return cli.main([*(part.format(out=out) for part in command), "--metadata", str(stored.metadata)])


def state(root):
    """Names, contents and times of change of everything below a folder, and of the folder."""
    paths = [root, *sorted(root.rglob("*"))]
    return {path: (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"") for path in paths}


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_written(stored, tmp_path, command):
    before = state(stored.story.root)
    assert call(stored, tmp_path, *command) == 0
    assert state(stored.story.root) == before


def test_a_folder_that_may_not_be_written_can_be_read(fresh, tmp_path, capsys):
    folders = [fresh.story.root, *(path for path in fresh.story.root.rglob("*") if path.is_dir())]
    modes = {path: path.stat().st_mode for path in folders}
    try:
        for path in reversed(folders):
            path.chmod(0o555)
        fresh.metadata.chmod(0o444)
        for command in COMMANDS:
            assert call(fresh, tmp_path, *command) == 0
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


@contextlib.contextmanager
def written_by_another_process(store, lock, *more, seconds=60.0):
    """Another process has a transaction open: locks of SQLite hold between processes and not within one."""
    arguments = [str(store), lock, str(seconds), *more]
    with subprocess.Popen([sys.executable, "-c", HOLD, *arguments], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "begun\n"
        try:
            yield
        finally:
            process.kill()


@pytest.mark.parametrize("command", [("inspect",), ("inspect", "penguin-2"), ("why",), ("report", "--out", "{out}")])
def test_a_store_in_the_middle_of_a_write_is_read(fresh, tmp_path, command):
    """As a pipeline holds it: SQLite keeps readers out only while a transaction is committed."""
    with written_by_another_process(fresh.metadata, "IMMEDIATE"):
        assert call(fresh, tmp_path, *command) == 0


def test_a_store_that_is_locked_for_a_moment_is_asked_again(fresh, tmp_path):
    with written_by_another_process(fresh.metadata, "EXCLUSIVE", seconds=1.0):
        started = time.monotonic()
        assert call(fresh, tmp_path, "inspect") == 0
        assert time.monotonic() - started >= 0.5


def test_a_store_that_stays_locked_is_an_error(fresh, monkeypatch):
    monkeypatch.setattr("model_monitor.reading.stores._BUSY_SECONDS", 0.2)
    locked = written_by_another_process(fresh.metadata, "EXCLUSIVE")
    with locked, pytest.raises(MonitorError, match=r"metadata\.sqlite cannot be read: database is locked"):
        open_store(fresh.metadata)


def test_a_store_whose_writer_was_killed_in_the_middle_of_a_commit_is_read_as_it_was(fresh, tmp_path):
    before = fresh.metadata.read_bytes()
    with written_by_another_process(fresh.metadata, "EXCLUSIVE", "much"):
        pass
    assert fresh.metadata.read_bytes() != before
    assert fresh.metadata.with_name(f"{fresh.metadata.name}-journal").stat().st_size > 0
    assert call(fresh, tmp_path, "inspect", "penguin-2") == 0
    assert fresh.metadata.read_bytes() == before


def test_runs_that_another_process_adds_are_seen_the_next_time(fresh, capsys, tmp_path):
    writing = "import sys; from tests.support.example_runs import Story; from pathlib import Path\n" \
              "s = Story(Path(sys.argv[1])); s._made = 500; [s.penguin(f'new-{n}') for n in range(3)]"  # fmt: skip
    with subprocess.Popen([sys.executable, "-c", writing, str(fresh.story.root)], cwd=REPOSITORY) as process:
        codes = set()
        while process.poll() is None:
            codes.add(call(fresh, tmp_path, "inspect"))
        assert process.returncode == 0
    assert codes == {0}
    assert call(fresh, tmp_path, "inspect", "new-2") == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"this is no database at all, and long enough to be one" * 40, "cannot be read"), (b"", "is empty"),
     (None, "which is not there")],
)  # fmt: skip
@pytest.mark.parametrize("command", ["inspect", "why", "report"])
def test_what_is_no_store_is_an_error_in_one_line(tmp_path, capfd, command, content, message):
    path = tmp_path / "metadata.sqlite"
    if content is not None:
        path.write_bytes(content)
    assert cli.main([command, "--metadata", str(tmp_path)]) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert (path.read_bytes() if path.exists() else None) == content


def test_the_name_that_tfx_s_examples_give_a_store_is_found_in_its_folder(fresh, tmp_path):
    fresh.metadata.rename(fresh.story.root / "metadata.db")
    assert cli.main(["inspect", "--metadata", str(fresh.story.root)]) == 0


@pytest.mark.parametrize("command", [("inspect",), ("why",), ("report", "--out", "{out}")])
def test_the_store_of_a_configuration_is_the_one_under_its_root(stored, tmp_path, command):
    out = str(tmp_path / "page.html")
    given = [*(part.format(out=out) for part in command), "--set", f"root={stored.story.root}"]
    assert cli.main(given) == 0
    file = tmp_path / "monitoring.yaml"  # a setting that only the monitoring pipeline has
    file.write_text(f"root: {stored.story.root}\nlabels: ''\n")
    assert cli.main([*given[:-2], "--config", str(file)]) == 0


def test_an_answer_that_goes_wrong_for_another_reason_is_an_error():
    def question():
        raise RuntimeError("first line\nsecond")

    with pytest.raises(MonitorError, match=r"the store cannot be read: first line$"):
        reading(question, "the store")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_output_fits_100_columns_and_has_no_colour_outside_a_terminal(stored, tmp_path, capsys, command):
    call(stored, tmp_path, *command)
    text = capsys.readouterr().out
    assert too_wide(text) == []
    assert "\x1b" not in text


def in_a_terminal(stored, **environment):
    """What `why` writes to a terminal."""
    parent, child = pty.openpty()
    given = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    command = [sys.executable, "-m", "model_monitor.cli", "why", "penguin-2", "--metadata", str(stored.metadata)]
    subprocess.run(command, cwd=REPOSITORY, stdout=child, check=True, env={**given, "TERM": "xterm", **environment})
    os.close(child)
    with os.fdopen(parent, "rb", buffering=0) as output:
        return output.read(65536).decode()


def test_a_terminal_gets_colour_unless_it_wants_none(stored):
    red = "\x1b[1;31m"
    assert red in in_a_terminal(stored)
    assert "\x1b[31m" not in in_a_terminal(stored, NO_COLOR="1")
    assert red not in in_a_terminal(stored, NO_COLOR="1")


@pytest.mark.parametrize("command", [["--help"], ["inspect"], ["inspect", "penguin-2", "--type", "ModelEvaluation"],
                                     ["why"], ["why", "penguin-2"], ["report"]])  # fmt: skip
def test_an_answer_imports_nothing_heavy(stored, tmp_path, command):
    given = [] if command == ["--help"] else ["--metadata", str(stored.metadata)]
    given += ["--out", str(tmp_path / "page.html")] if command == ["report"] else []
    code = f"""
import sys
from model_monitor import cli
try:
    assert cli.main({[*command, *given]!r}) == 0
except SystemExit as end:
    assert end.code == 0
print("heavy:", [name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "heavy: []"


def test_markup_and_control_characters_in_names_are_printed_as_they_are(tmp_path, capsys):
    name = "x[/red] [bold]y[/] \x1b[31mz"
    story = Story(tmp_path / "root")
    story.penguin(name, pipeline=name, accuracy=0.4)
    story.span(f"{name}2", 1, changed=("image_noise",), bundle=f"/srv/[bold]{name}")
    story.span(f"{name}3", 2, bundle=f"/srv/[bold]{name}")
    numbers = [str(run.id) for run in History(open_store(story.metadata)).runs]
    asked = [["inspect"], ["compare", *numbers[:2], "--out", str(tmp_path / "[b].html")]]
    asked += [[command, number] for command in ("inspect", "why") for number in numbers]
    asked += [["report", number, "--out", str(tmp_path / "[/x].html")] for number in numbers]
    for arguments in asked:
        assert cli.main([arguments[0], "--metadata", str(story.metadata), *arguments[1:]]) in (0, 2)
        out = capsys.readouterr().out
        assert "\x1b" not in out
        assert "[bold]" in out.replace("\n", "") or arguments[0] in ("report", "compare"), arguments
