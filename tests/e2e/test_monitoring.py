"""Serving logs through the command line: a clean span passes, a blurred and a rescaled one are told by name.

One story on the model of `good`, which begins as README tells it: spans are replayed, monitored, judged again with
labels, and compared with a new model; each test evaluates its part of it.
"""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from PIL import Image
from rich.console import Console
from werkzeug.test import Client

from components.common import baseline_bundle
from components.common.records.drift_report import DRIFT_REPORT_JSON, DriftReport
from components.common.records.performance import PERFORMANCE_JSON, Performance
from model_monitor.alerts.picture import picture_of_run
from model_monitor.live import clients as live_clients
from model_monitor.live import playing
from model_monitor.live.story import PUSH, STORY
from model_monitor.live.telling import Teller
from model_monitor.reading import run_store as inspect
from model_monitor.ui.app import Application
from model_monitor.ui.pages import Site
from pipelines.cifar10 import images as images_of
from pipelines.config import MonitoringConfig, load
from tests.support.code_blocks import labels, named
from tests.support.printed import words
from tests.support.warm.starting import warm

from .conftest import EPOCHS, REPOSITORY, SAMPLE, Outcome, as_written, model_monitor, run_pipeline, train

pytestmark = pytest.mark.long

# What blurring takes away, whatever the picture.
DETAIL = {"image_noise", "image_sharpness", "image_gradient", "image_edge_density"}


LOG = "{name: log, type: json_lines}"
NOTEBOOK = REPOSITORY / "docs" / "inspect.ipynb"


def replay(root: Path, logs: Path, *arguments: str) -> str:
    done = model_monitor("replay", "--serving", str(root / "serving"), "--logs", str(logs), *arguments)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


def reports(outcome: Outcome) -> tuple[DriftReport, Performance]:
    drift = Path(outcome.run.node("SkewDriftValidator").output("anomalies").path(DRIFT_REPORT_JSON))
    performance = Path(outcome.run.node("PerformanceEstimator").output("anomalies").path(PERFORMANCE_JSON))
    return DriftReport.from_json(drift.read_text()), Performance.from_json(performance.read_text())


@pytest.fixture(scope="module")
def watched(root: Path, good: Outcome) -> Outcome:
    """README's commands, as they are written: a span as it is and a blurred one, and what `monitor` says of both."""
    block = named("README.md", "replay and monitor")
    *replays, monitored = [as_written(root.parent, command) for command in block.commands]
    for done in replays:
        assert (done.returncode, done.stderr) == (0, "")
    return Outcome(monitored.returncode, monitored.stdout + monitored.stderr, good.versions, monitoring_runs(root)[-1])


def monitoring_runs(root: Path) -> list[inspect.Run]:
    return list(inspect.runs(inspect.open_store(root / "metadata.sqlite"), "monitoring"))


@pytest.fixture(scope="module")
def logs(root: Path, watched: Outcome) -> Path:
    """Three spans: as it is, blurred, and scaled to 0..1."""
    folder = root.parent / "logs"
    replay(root, folder, "--shift", "unit_scale", "--count", "500", "--seed", "2")
    return folder


@pytest.fixture(scope="module")
def clean(root: Path, watched: Outcome) -> Outcome:
    """The first span, of the two that were monitored by one command."""
    output = watched.output.split("Span 2 is degraded")[0]
    return Outcome(watched.code, output, watched.versions, monitoring_runs(root)[0])


@pytest.fixture(scope="module")
def rest(root: Path, logs: Path, clean: Outcome) -> Outcome:
    """The span that was not judged yet; somebody is told of incidents from here on."""
    return run_pipeline("monitor", root, "--logs", str(logs), "--set", f"alerts.channels=[{LOG}]")


def test_readme_shows_what_monitor_prints(watched: Outcome):
    shown = named("README.md", "a bad span").text
    assert shown.startswith("Span 2 is degraded: ")
    assert labels(shown)
    assert labels(shown) - labels(watched.output) == set()


def test_a_clean_span_passes(clean: Outcome):
    assert "Span 1 is fine" in clean.output
    drift, performance = reports(clean)
    assert (drift.state.value, drift.outcome.value) == ("no_previous_span", "passed")
    assert (drift.window.examples, drift.baseline.examples) == (1000, 2000)
    assert abs(performance.estimate.value - performance.baseline.value) < 0.05
    assert clean.run.node("ServingLogExampleGen").output("examples").properties["rows"] == 1000
    page = Path(clean.run.node("ValidationReport").output("report").path("report.html"))
    assert "Span 1 is fine" in page.read_text()
    assert f" {page}\n" in clean.output


def test_spans_are_judged_in_order_and_once(watched: Outcome, rest: Outcome, root: Path, logs: Path):
    assert watched.code == rest.code == 2, watched.output + rest.output
    assert watched.output.index("Span 1 is fine") < watched.output.index("Span 2 is degraded")
    assert "Span 1" not in rest.output
    assert "Span 2 is" not in rest.output
    assert "Span 3 is invalid" in rest.output
    again = model_monitor("monitor", "--set", f"root={root}", "--logs", str(logs))
    assert (again.returncode, again.stdout) == (
        0,
        "There is no other span to judge; `--span N` judges one again.\n",
    )


def test_a_blurred_span_is_flagged_with_the_right_properties_on_top(watched: Outcome):
    drift, performance = reports(watched)
    assert drift.state.value == "changed"
    assert set(drift.features[:3]) <= DETAIL
    assert drift.p_value <= 0.01
    assert drift.previous.examples == 1000
    assert performance.check.outcome.value == "failed"
    assert any(name in watched.output.split("Moved most")[-1] for name in DETAIL)


def test_a_span_scaled_to_0_1_is_named_as_such(rest: Outcome):
    assert "Pixels scaled to 0..1" in rest.words.split("Span 3 is invalid")[1]


def test_what_was_judged_before_is_an_incident_that_is_recorded_and_shown_with_its_images(root: Path, rest: Outcome):
    """The third span makes it no worse, so that nobody is told; what came before there was a channel is not told of."""
    assert '"kind":' not in rest.output
    store = inspect.open_store(root / "metadata.sqlite")
    (recorded,) = store.get_contexts_by_type("ModelMonitorIncident")
    runs = [run.id for run in monitoring_runs(root)[1:3]]
    assert {child.id for child in store.get_children_contexts_by_context(recorded.id)} == set(runs)
    done = model_monitor("incidents", "2", "--json", "--set", f"root={root}")
    found = json.loads(done.stdout)
    assert (found["severity"], found["open"], found["runs"]) == ("critical", True, runs)
    assert set(found["cause"]["of"]) <= DETAIL
    picture = Image.open(io.BytesIO(picture_of_run(root / "metadata.sqlite", runs[0])))
    assert picture.size == (6 * 136 + 8, 144)
    page = Client(Application(Site(root / "metadata.sqlite", root))).get("/incidents/2").text
    assert page.count('src="data:image/png;base64,') == 12  # of the window and of the baseline


def test_the_timeline_in_the_browser_shows_the_spans_the_push_and_the_report(root: Path, rest: Outcome):
    pages = Client(Application(Site(root / "metadata.sqlite", root)))
    text = pages.get("/").text
    assert 'aria-label="Span 1: fine, p = ' in text
    assert 'aria-label="Span 2: degraded, p = ' in text
    assert 'class="push"' in text
    span = list(inspect.runs(inspect.open_store(root / "metadata.sqlite"), "monitoring"))[-1]
    assert "Pixels scaled to 0..1" in pages.get(f"/runs/{span.id}").text
    made = Path(span.node("ValidationReport").output("report").path("report.html"))
    assert f"/runs/{span.id}/report/content" in pages.get(f"/runs/{span.id}/report").text
    assert pages.get(f"/runs/{span.id}/report/content").text == made.read_text()


def test_delayed_labels_give_the_real_accuracy(root: Path, clean: Outcome, rest: Outcome):
    (command,) = named("docs/when_it_alarms.md", "delayed labels").commands
    done = as_written(root.parent, command)
    found = Outcome(done.returncode, done.stdout + done.stderr, [], monitoring_runs(root)[-1])
    assert found.code == 0, found.output
    _, performance = reports(found)
    assert performance.labelled.overall.total == performance.labelled.used == 1000
    assert "Accuracy on 1000 labelled examples" in found.words
    assert found.run.node("ServingLogExampleGen").cached


def test_two_spans_side_by_side(root: Path, rest: Outcome):
    done = model_monitor("compare", "span:1", "span:2", "--json", "--set", f"root={root}")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["sentences"][0] == "Span 1 is fine, span 2 is degraded."
    assert found["problems"] == [[], []]
    assert {each["feature"] for each in found["features"][:6]} & DETAIL
    assert [each["values"] for each in found["counts"] if each["name"] == "examples"] == [[1000, 1000]]
    overall = next(each for each in found["accuracy"] if each["known"] == "estimated")
    assert overall["difference"]["high"] < 0
    page = root.parent / "spans.html"
    done = model_monitor("compare", "span:1", "span:2", "--out", str(page), "--set", f"root={root}")
    assert done.returncode == 0, done.stderr
    assert page.read_text().count("<svg") >= 7  # six features, the accuracy, and that of each class where labels came


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a kernel that is Python's own, but need not import TFX."""
    command = [str(warm().commands / "python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    described = {"argv": command, "display_name": "warm", "language": "python"}
    (tmp_path / "kernels" / "warm").mkdir(parents=True)
    (tmp_path / "kernels" / "warm" / "kernel.json").write_text(json.dumps(described))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    return "warm"


def test_the_notebook_runs_and_its_tables_name_what_moved(
    root: Path, rest: Outcome, kernel: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MODEL_MONITOR_ROOT", str(root))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    places = {"metadata": {"path": str(NOTEBOOK.parent)}}
    NotebookClient(notebook, timeout=600, kernel_name=kernel, resources=places).execute()  # raises what a cell does
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert not [output for output in outputs if output.output_type in ("error", "stream")]
    tables = [output.data.get("text/html", "") for output in outputs]
    features = reports(rest)[0].features
    assert any("Anomaly long description" in table and f"'{features[0]}'" in table for table in tables)
    assert any("worst_class_accuracy" in table for table in tables)
    assert sum("image/png" in output.data for output in outputs) == 2
    assert sum("facets" in table for table in tables) == 2


def test_the_committed_notebook_shows_no_place_of_a_machine_and_is_small():
    assert NOTEBOOK.stat().st_size < 1_000_000
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    live = [cell for cell in notebook.cells if "live" in cell.metadata.get("tags", ())]
    assert [cell.outputs for cell in live] == [[]] * 4
    shown = [cell for cell in notebook.cells if cell.cell_type == "code" and cell not in live]
    assert all(cell.outputs for cell in shown[2:])
    for output in (output for cell in shown for output in cell.outputs):
        output.data.pop("image/png", None)
    text = nbformat.writes(notebook)
    assert not [place for place in ("/tmp", "/root", "/home", "/work") if place in text]  # noqa: S108


def test_skew_blocks_the_push_of_a_good_model(root: Path, good: Outcome, logs: Path):
    skewed = root.parent / "skewed"
    replay(root, skewed, "--shift", "gaussian_blur", "--count", "500")
    settings = (EPOCHS, f"serving_dir={root}/elsewhere")
    blocked = train(root, SAMPLE, *settings, arguments=("--serving-logs", str(skewed)))
    assert blocked.code == 2, blocked.output
    assert blocked.run.node("Trainer").cached  # the same model as the one that was pushed
    assert not (root / "elsewhere").exists()
    blocking = [v for v in json.loads(blocked.reasons)["verdicts"] if v["outcome"] != "passed"]
    assert any(v["subject"] == "SkewDriftValidator, serving" for v in blocking)
    assert all(v["gate"] == "anomalies" for v in blocking)
    sentence = words(blocked.output.split("Not pushed: ")[1])
    assert sentence.startswith("the dataset: The window as a whole differs from the baseline, most in image_")


def test_logs_like_the_baseline_block_nothing(root: Path, good: Outcome, logs: Path):
    like = root.parent / "like"
    replay(root, like, "--count", "500")
    settings = (EPOCHS, f"serving_dir={root}/elsewhere")
    pushed = train(root, SAMPLE, *settings, arguments=("--serving-logs", str(like)))
    assert pushed.code == 0, pushed.output
    assert "SkewDriftValidator" in pushed.output


def test_past_windows_are_evaluated_under_other_settings_and_the_picked_one_is_written(root: Path, rest: Outcome):
    settings = ("--rates", "0.01,0.2", "--features", "all", "--features", "prediction_*")
    marked = model_monitor("incidents", "real", "2", "--because", "the lens was dirty", "--set", f"root={root}")
    assert marked.returncode == 0, marked.stderr
    file = root.parent / "tuned.yaml"
    where = ("--set", f"root={root}")
    written = ("--choose", "4", "--write", str(file), "--because", "predictions are what matters")
    done = model_monitor("tune", *where, *settings, *written)
    assert done.returncode == 0, done.stderr
    assert "1 is what windows are judged by now." in done.stdout
    found = json.loads(model_monitor("tune", *where, *settings, "--json").stdout)
    assert [(each["false_alarm_rate"], each["features"]) for each in found["tried"]] == [
        (0.01, []), (0.01, ["prediction_*"]), (0.2, []), (0.2, ["prediction_*"]),
    ]  # fmt: skip
    first = found["tried"][0]
    assert first["windows"] == 3
    assert [2] in first["rang"]
    assert [1] not in first["rang"]
    assert 2 in first["caught"]
    by_logs = json.loads(model_monitor("tune", *where, "--one-example-per", "image,600s", "--json").stdout)
    assert [each["windows"] for each in by_logs["tried"]] == [3, 3]
    tuned = load(MonitoringConfig, file)
    assert (tuned.monitor.false_alarm_rate, tuned.monitor.features) == (0.2, ("prediction_*",))
    again = model_monitor("monitor", "--config", str(file), *where, "--logs", str(root.parent / "logs"), "--span", "1")
    assert again.returncode in (0, 2), again.stderr
    drift, _ = reports(Outcome(0, "", [], monitoring_runs(root)[-1]))
    assert {each.feature.split("_")[0] for each in drift.measurements if each.feature} == {"prediction"}


def test_an_earlier_version_is_rolled_back_to_and_why_says_by_whom(root: Path, good: Outcome):
    serving = root.parent / "versions"
    first = Path(good.versions[0])
    shutil.copytree(first, serving / first.name)
    shutil.copytree(first, serving / str(int(first.name) + 1))
    where = ("--set", f"root={root}", "--set", f"serving_dir={serving}")
    because = ("--because", "it confuses cats and dogs", "--by", "ann")
    told = model_monitor("rollback", *where, *because, "--dry-run")
    assert (told.returncode, len(list(serving.glob("[0-9]*")))) == (0, 2)
    done = model_monitor("rollback", *where, *because)
    assert done.returncode == 0, done.stderr
    newest = baseline_bundle.newest(str(serving))
    assert newest.manifest.copied_from == str(serving / first.name)
    why = model_monitor("why", Path(newest.version_dir).name, "--set", f"root={root}")
    assert why.returncode == 0, why.stderr
    version = Path(newest.version_dir).name
    assert f"Rolled back to version {first.name}, which is version {version} now, by ann" in words(why.stdout)
    assert "it confuses cats and dogs" in words(why.stdout)


def test_a_fine_window_becomes_the_reference_of_a_new_version(root: Path, good: Outcome, rest: Outcome):
    """A pushed version stays as it is: the same model gets a new number, and windows are compared with that one."""
    serving, first = root.parent / "referred", Path(good.versions[0])
    shutil.copytree(first, serving / first.name)
    where = ("--set", f"root={root}", "--set", f"serving_dir={serving}")
    because = ("--because", "the summer is here", "--by", "ann")
    span = ("--logs", str(root.parent / "logs"), "--span", "1")
    assert model_monitor("monitor", *where, *span).returncode == 0  # against this very version
    done = model_monitor("rebaseline", "--windows", "1", *where, *because)
    assert done.returncode == 0, done.stdout + done.stderr
    newest = baseline_bundle.newest(str(serving))
    version = Path(newest.version_dir)
    assert int(version.name) > int(first.name)
    assert (newest.manifest.reference.windows, newest.manifest.reference.examples) == ("1", 1000)
    assert (version / "saved_model.pb").read_bytes() == (first / "saved_model.pb").read_bytes()
    logs = root.parent / "referred_logs"
    sent = model_monitor("replay", "--serving", str(serving), "--logs", str(logs), "--count", "500")
    assert sent.returncode == 0, sent.stderr
    found = model_monitor("monitor", *where, "--logs", str(logs))
    assert found.returncode == 0, found.stdout + found.stderr
    assert "1,000 images of windows 1, the reference since" in words(found.stdout)
    why = model_monitor("why", "span:1", "--set", f"root={root}")
    became = f"made the reference of version {first.name}, which is version {version.name} now, by ann"
    assert became in words(why.stdout)
    back = model_monitor("rollback", first.name, *where, *because)
    assert back.returncode == 0, back.stderr
    assert baseline_bundle.newest(str(serving)).manifest.reference is None


def test_the_demonstration_tells_of_clean_traffic_and_of_a_bad_push_that_is_rolled_back(root: Path, good: Outcome):
    """Server, proxy and watcher are processes of their own; two chapters of the story, with small windows."""
    settings = playing.Settings(root / "live", Path(good.versions[0]), window=120)
    spec = playing.prepare(settings).manifest.spec
    images, labels = images_of.read(SAMPLE, images_of.unseen_split(SAMPLE))
    console = Console(file=io.StringIO(), width=100)
    push = next(chapter for chapter in STORY if chapter.first == PUSH)
    chapters = [replace(STORY[0], windows=STORY[0].windows[:1]), replace(push, windows=push.windows[:1])]
    played = playing.play(
        settings,
        lambda address: live_clients.Client(address, playing.MODEL, spec.input, images, labels),
        Teller(console),
        chapters,
    )
    text = words(console.file.getvalue())
    assert not played.untrue, text
    assert played.records[0].state.value == "fine"
    assert f"Rolled back to version {Path(good.versions[0]).name}" in text
    newest = baseline_bundle.newest(str(settings.serving))
    assert newest.manifest.copied_from == str(settings.serving / Path(good.versions[0]).name)
    why = model_monitor("why", f"span:{played.records[-1].window}", "--set", f"root={settings.root}")
    assert "Rolled back to version" in words(why.stdout)
