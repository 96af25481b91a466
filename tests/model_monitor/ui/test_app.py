"""What is answered and what is refused; that damage is a line on a page; that names are text and nothing else."""

import base64
import hashlib
import html
import os
import re
import shutil
import tracemalloc
from pathlib import Path

import pytest
from werkzeug.test import Client

from model_monitor.ui import app
from model_monitor.ui.app import Application
from model_monitor.ui.pages import Site

from .conftest import Pages

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


@pytest.fixture
def pages(fresh) -> Pages:
    return Pages(fresh.metadata)


# Runs that another one in the store is like: nodes, artifacts and properties of the same kinds, with other figures.
LIKE_ANOTHER = ("penguin-1", "penguin-2", "span-1", "span-2")


def everything(pages: Pages) -> dict[str, str]:
    """The page about all runs, and every page about a run of each kind and about an artifact of each kind in these."""
    paths, of_kind = ["/"], {}
    for run in (run for run in pages.history().runs if run.run_id not in LIKE_ANOTHER):
        paths += [f"/runs/{run.id}", f"/runs/{run.id}/report", f"/runs/{run.id}/report/content"]
        of_kind |= {(node.name, made.type): made.id for node in run.nodes.values() for made in node.made}
    paths += [f"/artifacts/{number}" for number in of_kind.values()]
    return {path: pages.text(path) for path in paths}


def add_report(fresh, folder, run_id="reported"):
    """A run whose report is said to be in this folder."""
    run = fresh.story.writer.pipeline_run("monitoring", run_id)
    run.node("ValidationReport", outputs={"report": [fresh.story.writer.artifact("components.HtmlReport", folder)]})
    return fresh.run(run_id).id


@pytest.mark.parametrize("path", ["/", "/runs/{run}", "/runs/{run}/report", "/runs/{run}/report/content",
                                  "/artifacts/{artifact}", "/static/ui.css",
                                  "/static/report.css", "/static/ui.js", "/static/report.js"])  # fmt: skip
def test_every_page_is_there_for_get_and_head_and_for_nothing_else(told, path):
    run = told.history().runs[0]
    path = path.format(run=run.id, artifact=run.made("ExampleAnomalies")[0][1].id)
    answer = told.ask(path)
    assert answer.status_code == 200
    head = told.ask(path, "HEAD")
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == answer.headers["Content-Length"]
    before = told.metadata.read_bytes()
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        refused = told.ask(path, method)
        assert refused.status_code == 405
        assert set(refused.headers["Allow"].split(", ")) == {"GET", "HEAD"}
    assert told.metadata.read_bytes() == before


@pytest.mark.parametrize(
    "path",
    ["/runs/999999", "/runs/999999/report", "/artifacts/999999", "/runs/x", "/runs/-1", "/nothing", "/static/app.py",
     "/static/../app.py", "/static/..%2fapp.py", "/static/%2fetc%2fpasswd", "/metadata.sqlite", "/../metadata.sqlite",
     "/artifacts/..%2f..%2fetc%2fpasswd", "//etc/passwd", "/runs/99999999999999999999999999"],
)  # fmt: skip
def test_what_is_not_there_is_said_on_a_page(told, path):
    answer = told.ask(path)
    assert answer.status_code == 404
    assert "<h1>404 Not Found</h1>" in answer.text
    assert "root:" not in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1:6007", "localhost:6007", "LOCALHOST", "[::1]:6007", "127.0.0.1", "[::1]",
                                  "[0:0:0:0:0:0:0:1]",
                                  "localhost:65535", "localHost:1"])  # fmt: skip
def test_it_answers_under_the_names_of_this_machine(told, host):
    assert told.ask("/static/ui.css", host=host).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:6007", "127.0.0.1.evil.example", "", "localhost.evil", "[::2]", "localhost:6007:1",
     "localhost:evil.example", "localhost:", "localhost:99999", "localhost:1 evil", "[::1].evil.example", "[::1]evil:1",
     "[::1", "::1", "[localhost]", "[127.0.0.1]", "user@localhost", "localhost@evil.example", "localhost/evil",
     "localhost#",
     "evil.example,localhost", "localhost,evil.example", "localhost.", "127.1", "2130706433", "127.0.0.1\u0660",
     "localho\u017ft", "[::ffff:127.0.0.1]"],
)  # fmt: skip
def test_it_answers_under_no_other_name(told, host):
    assert told.ask("/static/ui.css", host=host).status_code == 421
    answer = told.ask("/", host=host)
    assert answer.status_code == 421
    assert "cifar10" not in answer.text


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("::1", True),
        ("127.0.0.2", True),
        ("0.0.0.0", False),  # noqa: S104
        ("10.0.0.1", False),
    ],
)
def test_names_are_checked_where_only_this_machine_is_meant(host, names):
    found = app.hosts_for(host)
    assert (found is not None and host in found) is names


def test_pages_load_nothing_from_elsewhere_and_are_kept_nowhere(told):
    answer = told.ask("/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "http://" not in answer.text.replace("http://www.w3.org", "")
    assert " style=" not in answer.text


def test_a_report_is_kept_from_the_pages(told):
    path = f"/runs/{told.history().runs[0].id}/report"
    around = told.ask(path)
    frame = re.search(r"<iframe [^>]*>", around.text)[0]
    assert f'src="{path}/content"' in frame
    assert 'sandbox="allow-scripts"' in frame
    assert "frame-src 'self'" in around.headers["Content-Security-Policy"]  # where the report may go, too
    answer = told.ask(f"{path}/content", headers={"Sec-Fetch-Dest": "iframe"})
    policy = answer.headers["Content-Security-Policy"]
    assert policy.endswith("; sandbox allow-scripts")
    assert "unsafe-inline" not in policy.replace("style-src 'unsafe-inline'", "")
    assert "connect-src" not in policy  # so that it is default-src's 'none'
    (script,) = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy  # it runs, and nothing else does


@pytest.mark.parametrize("shown_in", ["document", "object", "embed", "empty", "script", "frame"])
def test_a_report_is_no_page_of_its_own(told, shown_in):
    path = f"/runs/{told.history().runs[0].id}/report"
    answer = told.ask(f"{path}/content", headers={"Sec-Fetch-Dest": shown_in})
    assert (answer.status_code, answer.headers["Location"]) == (302, path)


def test_for_a_browser_that_does_not_say_what_it_asks_for_a_report_runs_nothing(told):
    policy = told.ask(f"/runs/{told.history().runs[0].id}/report/content").headers["Content-Security-Policy"]
    assert policy.endswith("; sandbox")
    assert "script-src" not in policy  # so that it is default-src's 'none'


def test_a_large_report_is_passed_on_in_blocks_and_one_beyond_the_limit_is_named(fresh, pages, monkeypatch):
    folder = fresh.story.root / "artifacts" / "report"
    folder.mkdir()
    with (folder / "report.html").open("wb") as file:
        file.write(b"<h1>large</h1>")
        file.truncate(60_000_000)  # takes no room on the disk
    path = f"/runs/{add_report(fresh, folder)}"
    tracemalloc.start()
    answer = pages.ask(f"{path}/report/content", buffered=False)
    sizes = [len(block) for block in answer.response]
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(sizes) == int(answer.headers["Content-Length"]) == 60_000_000
    assert most < 20_000_000
    os.truncate(folder / "report.html", 1_500_000_000)
    for page in (path, f"{path}/report"):
        text = html.unescape(pages.text(page))
        assert "report.html must have at most 67.1 MB to be read. Received: 1.5 GB" in text
    assert len(pages.text(f"{path}/report/content")) < 1_000_000  # one that is made now


def test_an_artifact_beyond_the_limit_is_a_line_with_its_size(fresh, pages):
    run = fresh.run("span-3")
    found = run.node("SkewDriftValidator").made[0]
    (report,) = fresh.story.root.glob(f"artifacts/SkewDriftValidator/**/{Path(found.uri).name}/drift_report.json")
    os.truncate(report, 1_500_000_000)
    for page in (f"/artifacts/{found.id}", f"/runs/{run.id}/report/content"):
        text = html.unescape(pages.text(page))
        assert "drift_report.json must have at most 16.8 MB to be read. Received: 1.5 GB" in text


def test_the_report_that_a_run_made_is_shown_as_it_is(fresh, pages):
    folder = fresh.story.root / "artifacts" / "report"
    folder.mkdir()
    (folder / "report.html").write_text("<h1>as it was made</h1>")
    number = add_report(fresh, folder)
    assert pages.text(f"/runs/{number}/report/content") == "<h1>as it was made</h1>"
    assert "as the run made it" in pages.text(f"/runs/{number}")


def test_a_report_outside_the_root_is_not_shown(fresh, pages, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "report.html").write_text("SECRET")
    inside = fresh.story.root / "artifacts" / "link"
    inside.symlink_to(outside)
    other = fresh.story.root / "artifacts" / "file"
    other.mkdir()
    (other / "report.html").symlink_to(outside / "report.html")
    dotted = f"{fresh.story.root}/artifacts/../../{outside.name}/../{outside.name}"
    for number, folder in enumerate((outside, inside, other, dotted, f"{fresh.story.root}/../{outside.name}")):
        run = add_report(fresh, folder, f"report-{number}")
        for path in (f"/runs/{run}", f"/runs/{run}/report", f"/runs/{run}/report/content"):
            assert "SECRET" not in pages.text(path)
        artifact = fresh.run(f"report-{number}").node("ValidationReport").output("report")
        assert "SECRET" not in pages.text(f"/artifacts/{artifact.id}")
    assert "outside the pipeline root" in pages.text(f"/runs/{run}")


def test_a_link_out_of_an_artifact_gives_nothing_away(fresh, pages, tmp_path_factory):
    secret = tmp_path_factory.mktemp("outside") / "secret"
    secret.write_text("SECRET " * 20)
    for file in [each for each in fresh.story.root.glob("artifacts/**/*") if each.is_file()]:
        file.unlink()
        file.symlink_to(secret)
    for path, text in everything(pages).items():
        assert "SECRET" not in text, path
    assert "outside the pipeline root" in pages.text("/")


def _empty(file):
    file.write_bytes(b"")


def _cut(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _garbage(file):
    file.write_bytes(bytes(range(256)) * 3)


def _text(file):
    file.write_text('{"format_version": 1, "verdicts": [1], "alarm": null}')


def _nested(file):
    file.write_text("[" * 100_000)


def _nested_whole(file):
    file.write_text('{"a":' * 5_000 + "1" + "}" * 5_000)


def _digits(file):
    file.write_text("9" * 5_000)


def _folder(file):
    file.unlink()
    file.mkdir()


def _pipe(file):
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize(
    "damage", [os.unlink, _empty, _cut, _garbage, _text, _nested, _nested_whole, _digits, _folder, _pipe]
)
def test_damaged_files_are_lines_on_the_pages(fresh, pages, damage):
    for file in [each for each in fresh.story.root.glob("artifacts/**/*") if each.is_file()]:
        damage(file)
    for path, text in everything(pages).items():
        assert "Traceback" not in text, path
        assert "mistake in the program" not in text, path
    span = fresh.run("span-3")
    assert "Could not be read" in pages.text("/")
    assert "undecided" in pages.text(f"/runs/{span.id}") or "degraded" in pages.text(f"/runs/{span.id}")


def test_artifacts_that_are_gone_are_said_to_be(fresh, pages):
    shutil.rmtree(fresh.story.root / "artifacts")
    assert all("mistake in the program" not in text for text in everything(pages).values())
    assert "(gone)" in pages.text(f"/runs/{fresh.run('span-3').id}")


def test_properties_that_make_no_sense_are_lines_too(fresh, pages):
    run = fresh.story.writer.pipeline_run("monitoring", "odd")
    odd = {"outcome": "passed", "p_value": "high", "estimated_accuracy": "good", "state": 7, "split_names": "["}
    made = fresh.story.writer.artifact("ExampleAnomalies", fresh.story.root / "artifacts" / "odd", **odd)
    run.node("Odd", outputs={"anomalies": [made]}, parameters={"false_alarm_rate": "often", "class_names": "{"})
    everything(pages)
    text = pages.text(f"/runs/{fresh.run('odd').id}")
    assert "what became of the run cannot be read: ValueError: could not convert string to float" in text
    assert "Of the classes that Odd was told" in pages.text(f"/runs/{fresh.run('odd').id}/report/content")


def test_names_are_text(fresh, pages):
    fresh.story.penguin(HOSTILE, pipeline=HOSTILE, accuracy=0.4)
    run = fresh.run(HOSTILE)
    for path in ("/", f"/runs/{run.id}", f"/runs/{run.id}/report/content", f"/artifacts/{run.made('Model')[0][1].id}"):
        text = pages.text(path)
        assert "<script>alert" not in text, path
        assert "<img src=x" not in text, path
        assert "&lt;script&gt;alert(1)" in text, path


def test_new_runs_appear_on_reload(fresh, pages):
    assert "penguin-9" not in pages.text("/")
    fresh.story.penguin("penguin-9")
    newest = fresh.run("latest")
    assert f'<a href="/runs/{newest.id}">{newest.id}</a>' in pages.text("/")


def test_a_stock_pipeline_is_a_list_of_runs_with_verdicts(stored):
    pages = Pages(stored.metadata)
    text = pages.ask("/", pipeline="penguin").text
    assert "so there is no timeline" in text
    assert text.count('<td class="when">') == 5
    assert "not blessed" in text or "not pushed" in text
    assert "failed" in text


def test_a_run_page_says_why_and_leads_on(stored):
    pages = Pages(stored.metadata)
    run = stored.run("span-3")
    text = pages.text(f"/runs/{run.id}")
    assert "Span 3 is degraded" in text
    assert "image_noise against the baseline" in text
    assert f'href="/runs/{stored.run("span-2").id}"' in text
    assert f'href="/runs/{run.id}/report"' in text
    assert "SkewDriftValidator" in text
    for made in run.node("SkewDriftValidator").made:
        assert f'href="/artifacts/{made.id}"' in text


def test_only_the_newest_runs_are_listed_unless_all_are_asked_for(told, monkeypatch):
    monkeypatch.setattr("model_monitor.ui.pages.RUNS_SHOWN", 5)
    monkeypatch.setattr("model_monitor.ui.pages.SPANS_SHOWN", 4)
    short, long = told.text("/"), told.text("/?spans=all&runs=all")
    assert (short.count('<td class="when">'), long.count('<td class="when">')) == (5, 22)
    assert (short.count('class="column"'), long.count('class="column"')) == (4, 18)
    assert "All 22 runs" in short
    assert "All 18 spans" in short


def test_an_empty_store_has_a_page(tmp_path):
    from tests.support.metadata_store import StoreWriter

    store = StoreWriter(tmp_path / "metadata.sqlite")
    pages = Pages(store.path)
    assert "There is no run in the store yet." in pages.text("/")
    store.pipeline_run("p", "r")  # a run that has only just begun
    assert "No verdict: nothing was checked." in pages.text("/")
    assert "No node has run yet." in pages.text(f"/runs/{pages.history().runs[0].id}")


def test_a_store_that_went_away_is_said_on_a_page(tmp_path):
    answer = Pages(tmp_path / "metadata.sqlite").ask("/")
    assert answer.status_code == 503
    assert "which is not there" in answer.text


def test_a_mistake_in_the_program_shows_no_traceback(told, monkeypatch, caplog):
    monkeypatch.setattr("model_monitor.ui.pages.home", lambda *_, **__: 1 / 0)
    answer = told.ask("/")
    assert answer.status_code == 500
    assert "ZeroDivisionError" not in answer.text
    assert "ZeroDivisionError" in caplog.text


def test_the_root_may_be_wider_than_the_store_s_folder(fresh, tmp_path_factory):
    apart = tmp_path_factory.mktemp("apart")
    shutil.copy(fresh.metadata, apart / "metadata.sqlite")
    number = fresh.run("span-3").id
    path = f"/runs/{number}"
    assert "outside the pipeline root" in Pages(apart / "metadata.sqlite").text(path)
    wide = Client(Application(Site(apart / "metadata.sqlite", fresh.story.root))).get(path)
    assert wide.status_code == 200
    assert "outside the pipeline root" not in wide.text
