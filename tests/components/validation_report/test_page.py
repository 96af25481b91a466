"""The page of real artifacts: what it says, that it is valid and safe, and what damage does to it."""

import dataclasses
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from components.common.artifacts.files import Artifact, local_files
from components.common.artifacts.sources import Sources
from components.common.baseline_bundle import BUNDLE, Manifest
from components.common.pages import charts
from components.common.pages.parts import Outcome
from components.common.recent import Recent
from components.common.records.drift_report import Side
from components.common.statistics.feature_sample import FeatureSample
from components.validation_report import build, distributions, rendering
from tests.support.example_runs import _drift_report
from tests.support.model_specs import digits_spec

VOID = {"meta", "img", "input", "br", "hr", "link"}


class Checker(HTMLParser):
    """Collects what a browser would load, and complains of what is not well formed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.images, self.tags = [], [], [], [], []
        self.text = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        assert len(given) == len(attributes), f"{tag} has an attribute twice"
        self.tags.append((tag, given))
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given[name] for name in ("src", "href", "xlink:href") if name in given]
        if tag == "img":
            self.images.append(given)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def page_of(sources):
    return build.build_page(sources, local_files())


def html_of(sources):
    return rendering.render(page_of(sources))


def check(text):
    found = Checker(text)
    assert len(found.ids) == len(set(found.ids))
    assert all(each.get("alt") for each in found.images)
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in found.links)
    assert {link[1:] for link in found.links if link.startswith("#")} <= set(found.ids)
    pointed = [
        given[name] for _, given in found.tags for name in given if name.startswith("aria-") and name.endswith("by")
    ]
    assert pointed
    assert set(pointed) <= set(found.ids)
    assert [tag for tag, _ in found.tags].count("script") == 1
    assert not [name for _, given in found.tags for name in given if name.startswith("on")]
    assert len(text.encode()) < 1_500_000
    return found


def test_a_monitored_window_that_changed(monitored):
    page = page_of(monitored)
    assert page.problems == ()
    assert page.verdict.outcome is Outcome.FAILED
    assert page.verdict.sentence.startswith("Span 7 is changed: the window differs from the baseline")
    outcomes = {each.title.partition(" (")[0]: each.outcome for each in page.checks}
    assert outcomes["Serving logs"] is Outcome.PASSED
    assert outcomes["Data"] is Outcome.FAILED
    first = page.moved.charts[0]
    assert first.outcome is Outcome.FAILED
    assert list(page.moved.series) == ["baseline", "window", "previous"]
    shares = [float(row[2].rstrip("%")) for row in first.table.rows]
    assert sum(shares) == pytest.approx(100, abs=1)
    assert {strip.title for strip in page.strips} >= {"Typical of the baseline", "Most unusual of the window"}
    assert first.title in {strip.group for strip in page.strips}
    assert [chart.title for chart in page.accuracy.charts] == [
        "Accuracy on the window",
        "Accuracy by class",
        "Calibration",
    ]
    tables = {table.caption: table for table in page.data}
    assert ("Dead letters", "3") in tables["Serving logs"].rows
    assert tables["Dead letters are kept in"].rows[0][1] == monitored.anomalies[0].path("dead_letters")
    assert ("Window", "300", "0") in tables["Examples"].rows


def test_the_page_of_a_window_is_valid_and_complete(monitored):
    text = html_of(monitored)
    found = check(text)
    assert text.count("<svg") == len(page_of(monitored).moved.charts) + 3
    assert len(found.images) == sum(len(strip.pictures) for strip in page_of(monitored).strips) > 20
    assert [tag for tag, _ in found.tags if tag in ("header", "main", "nav", "h1")].count("h1") == 1
    assert [tag for tag, _ in found.tags].count("table") == [tag for tag, _ in found.tags].count("caption")


def test_a_blocked_push_says_why_and_hostile_names_are_text(trained):
    text = html_of(trained)
    found = check(text)
    assert "Not pushed: accuracy of label 3 is 0.2, below 0.25." in " ".join(found.text)
    assert "<script>alert(1)</script>" in "".join(found.text)  # as text, in the names of classes
    assert '"><img src=x onerror=alert(2)>' in "".join(found.text)
    page = page_of(trained)
    assert page.verdict.outcome is Outcome.FAILED
    assert page.accuracy.confusion.counts[3] == (0, 0, 80, 20)
    by_class = next(chart for chart in page.accuracy.charts if chart.title == "Accuracy by class")
    assert by_class.table.rows[3][2:] == ("0.200", "0.133 to 0.289")
    assert ("accuracy", "0.6875") in page.accuracy.metrics.rows
    assert "Most confident and wrong" in {strip.title for strip in page.strips}


def test_a_page_of_nothing_is_undecided():
    page = page_of(Sources())
    assert page.verdict.outcome is Outcome.UNDECIDED
    check(rendering.render(page))


def test_pushed_although_nothing_says_so_is_undecided(trained, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "BLESSED").touch()
    blessing = Artifact(str(tmp_path / "other"), producer="Evaluator", properties={"blessed": 1})
    fine = dataclasses.replace(trained, blessing=blessing)
    assert page_of(fine).verdict.outcome is Outcome.UNDECIDED
    pushed = dataclasses.replace(fine, pushed_model=Artifact("/x", properties={"pushed": 1, "pushed_version": "12"}))
    assert page_of(pushed).verdict.sentence == "Pushed as version 12: every check let it pass."


def test_reasons_that_contradict_themselves_are_no_pass(trained):
    path = Path(trained.blessing.uri) / "reasons.json"
    path.write_text(path.read_text().replace('"blessed": false', '"blessed": true'))
    page = page_of(trained)
    assert page.verdict.outcome is Outcome.UNDECIDED
    assert "must follow from the verdicts" in page.checks[0].reason


@pytest.mark.parametrize(
    ("part", "file", "says"),
    [
        ("statistics", "Split-serving/FeatureStats.pb", "Of the statistics of the window"),
        ("statistics", "Split-serving/FeatureSample.npz", "Of the sample of the window"),
        ("baseline_statistics", "Split-eval/FeatureSample.npz", "Of the sample of the baseline"),
        ("examples", "Split-serving/data_tfrecord-00000-of-00001.gz", "Of the images of the window"),
    ],
)
@pytest.mark.parametrize("how", ["cut", "gone"])
def test_a_damaged_or_missing_file_is_a_line(damaged, cut_off, part, file, says, how):
    path = Path(getattr(damaged, part).uri) / file
    cut_off(path) if how == "cut" else path.unlink()
    text = html_of(damaged)
    check(text)
    if part == "examples" and how == "gone":
        assert "Most unusual of the window" not in text
    else:
        assert says in text


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"format_version": 9}', b'{"state": 1}', b"\xff\xfe"])
@pytest.mark.parametrize(("number", "file"), [(0, "counts.json"), (1, "drift_report.json"), (2, "performance.json")])
def test_a_damaged_report_is_a_line_and_never_a_pass(damaged, content, number, file):
    (Path(damaged.anomalies[number].uri) / file).write_bytes(content)
    page = page_of(damaged)
    assert page.problems
    if number:
        of_it = next(each for each in page.checks if damaged.anomalies[number].producer in each.title)
        assert of_it.outcome is Outcome.UNDECIDED
    check(rendering.render(page))


def test_anomalies_that_cannot_be_read_are_undecided(damaged):
    (Path(damaged.anomalies[0].uri) / "Split-serving" / "SchemaDiff.pb").write_bytes(b"hello")
    page = page_of(damaged)
    assert page.checks[0].outcome is Outcome.UNDECIDED
    assert any("SchemaDiff.pb must hold a" in line for line in page.problems)


def test_a_folder_that_is_gone_leaves_the_rest(damaged):
    for given in (damaged.previous_statistics, damaged.baseline_examples):
        shutil.rmtree(given.uri)
    page = page_of(damaged)
    assert len(page.problems) == 2
    assert list(page.moved.series) == ["baseline", "window"]
    check(rendering.render(page))


def bundle_naming(folder, uri):
    """The schema that a BaselineImporter gives for a pushed version whose bundle names these held-out examples."""
    manifest = Manifest(7, digits_spec(), "2026-01-02T03:04:05+00:00", "/model", uri, "", None, None, None, "2", "1")
    (folder / BUNDLE).mkdir(parents=True)
    (folder / BUNDLE / "manifest.json").write_text(manifest.to_json())
    return Artifact(str(folder), "Schema", "BaselineImporter", properties={"bundle_uri": str(folder)})


def test_the_images_of_the_baseline_are_those_that_its_bundle_names(monitored, tmp_path):
    held_out = monitored.baseline_examples.uri
    schema = bundle_naming(tmp_path / "7", held_out)
    page = page_of(dataclasses.replace(monitored, baseline_examples=None, schema=schema))
    assert page.strips == page_of(monitored).strips
    assert not any("Images" in line for line in page.problems)


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_a_damaged_bundle_is_said(monitored, tmp_path, content):
    schema = bundle_naming(tmp_path / "7", "/nowhere")
    (tmp_path / "7" / BUNDLE / "manifest.json").write_text(content)
    page = page_of(dataclasses.replace(monitored, baseline_examples=None, schema=schema))
    assert any("manifest.json" in line for line in page.problems)
    check(rendering.render(page))


def test_missing_inputs_keep_a_fine_run_from_passing(monitored):
    fine = dataclasses.replace(monitored, anomalies=monitored.anomalies[:1])
    assert page_of(fine).verdict.outcome is Outcome.PASSED
    lost = dataclasses.replace(fine, missing=("SkewDriftValidator gave no anomalies",))
    page = page_of(lost)
    assert page.verdict.outcome is Outcome.UNDECIDED
    assert page.verdict.sentence == "Span 7 is undecided: SkewDriftValidator gave no anomalies."


def test_without_the_plotting_library_the_numbers_stand_alone(monitored, monkeypatch):
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    for kept in ("_drawn", "_compiled"):
        monkeypatch.setattr(charts, kept, Recent(1))
    charts._engine.cache_clear()
    text = html_of(monitored)
    charts._engine.cache_clear()
    assert "Charts are not shown" in text
    assert "<svg" not in text
    check(text)


def test_the_page_of_ten_thousand_examples_is_small(monitored, pool, tmp_path, write_images):
    count = 10_000
    sample_file = Path(monitored.statistics.uri) / "Split-serving" / "FeatureSample.npz"
    sample = FeatureSample.read(str(sample_file))
    rows = np.random.default_rng(5).integers(0, len(sample.ids), count)
    many = FeatureSample(sample.names, sample.values[rows], count, tuple(f"image:{i}" for i in range(count)),
                         sample.classes[rows], sample.probabilities[rows])  # fmt: skip
    shutil.copytree(monitored.statistics.uri, tmp_path / "statistics")
    many.write(str(tmp_path / "statistics" / "Split-serving" / "FeatureSample.npz"))
    examples = write_images(tmp_path / "examples", "serving", pool[np.arange(count) % len(pool)])
    statistics = dataclasses.replace(monitored.statistics, uri=str(tmp_path / "statistics"))
    large = dataclasses.replace(monitored, statistics=statistics, examples=examples)
    text = html_of(large)
    assert len(text.encode()) < 1_500_000
    assert "Could not be read" not in text
    assert text.count("<img") == html_of(monitored).count("<img")


@pytest.mark.parametrize(("examples", "says"), [(1999, True), (2000, False)])
def test_of_a_small_baseline_it_is_said_what_is_not_promised(examples, says):
    report = dataclasses.replace(_drift_report(()), baseline=Side(examples, examples, 0))
    told = dict(distributions._facts(report)).get("With so small a baseline", "")
    assert told.startswith("up to 1.7 times as many false alarms as asked for") == says
