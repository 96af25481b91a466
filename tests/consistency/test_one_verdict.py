"""The same artifacts held against everything that says what became of a run: all of them have to say the same.

Terminal, exit code, `why`, pages of `ui`, the page of `report`, the component ValidationReport, VerdictGuard's
property and the push gate. One more surface belongs into `SURFACES`, one more kind of artifact into `CASES`.
"""

import contextlib
import io
import json
import re
from collections.abc import Callable
from functools import cache, cached_property
from html import unescape
from typing import Any

import pytest
from werkzeug.test import Client

from components.common.artifacts.files import local_files
from components.common.verdict import Verdict
from components.common.verdict_words import FAIL_ON, MARKS_OF_TONES, MEANINGS, Outcome, State
from components.validation_report import build
from model_monitor import cli
from model_monitor.commands import EXIT_BLOCKED, EXIT_FINE
from model_monitor.reading.history import History
from model_monitor.reading.report_sources import sources_of
from model_monitor.reading.run_store import open_store
from model_monitor.reading.verdicts import RunVerdict
from model_monitor.ui.app import Application, hosts_for
from model_monitor.ui.pages import Site
from tests.support.example_runs import Story
from tests.support.kubeflow.recorded_runs import recorded
from tests.support.kubeflow.recorder import Recorder

from . import conftest as made
from .conftest import RUN, Case

KINDS: list[tuple[Callable[..., Case], dict[str, Outcome]]] = [
    (made.example_validator, made.ANOMALIES),
    (made.transform, made.ANOMALIES),
    (made.distribution_validator, made.ANOMALIES),
    (made.serving_logs, made.ANOMALIES),
    (made.drift, made.RECORDS),
    (made.accuracy, made.RECORDS),
    (made.push_gate, made.DECISIONS),
    (made.evaluator, made.BLESSINGS),
]
CASES = [
    pytest.param(make, variant, outcome, id=f"{make.__name__}-{variant}")
    for make, variants in KINDS
    for variant, outcome in variants.items()
]
_MARKS = {"✓": Outcome.PASSED, "✗": Outcome.FAILED, "?": Outcome.UNDECIDED}


def command(*arguments: str) -> tuple[int, str]:
    """A command's exit code and what it printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = cli.main(list(arguments))
    return code, printed.getvalue()


class Shown:
    """What each surface shows of a case; each is asked once, and several tests look at the answer."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self._metadata = str(case.metadata)

    @cached_property
    def history(self) -> History:
        return History(open_store(self.case.metadata))

    @cached_property
    def verdict(self) -> RunVerdict:
        return self.history.verdict(self.history.run(RUN))

    @cached_property
    def on_a_cluster(self) -> RunVerdict:
        """The verdict on the same run and files, as Kubeflow Pipelines records them."""
        folder = self.case.metadata.parent
        there = recorded(self.case.metadata, folder / "serving", Recorder.in_memory(), folder.with_name("objects"))
        history = History(there.recorder.store, files=there.files)
        return history.verdict(history.run(RUN))

    @cached_property
    def why(self) -> dict[str, Any]:
        return json.loads(command("why", RUN, "--json", "--metadata", self._metadata)[1])

    @cached_property
    def report(self) -> tuple[str, str]:
        """What `report` prints, and the page that it writes."""
        out = self.case.metadata.parent / "page.html"
        code, text = command("report", RUN, "--metadata", self._metadata, "--out", str(out))
        assert code == 0
        return text, out.read_text()

    @cached_property
    def component(self) -> Verdict:
        """As the component ValidationReport says it, which knows the artifacts alone; VerdictGuard goes by that."""
        return build.build_page(sources_of(self.history.run(RUN)), local_files()).verdict

    @cached_property
    def run_page(self) -> str:
        return self._page(f"/runs/{self.history.run(RUN).id}")

    @cached_property
    def home_page(self) -> str:
        return self._page("/")

    def _page(self, path: str) -> str:
        application = Application(Site(self.case.metadata, self.case.metadata.parent), hosts=hosts_for("127.0.0.1"))
        answer = Client(application).get(path, headers={"Host": "127.0.0.1:6007"})
        assert answer.status_code == 200, answer.text
        return answer.text


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Shown]:
    """A case, made once, beside a run in which nothing has happened."""

    @cache
    def of(make: Callable[..., Case], variant: str) -> Shown:
        story = Story(tmp_path_factory.mktemp("case") / "root")
        story.writer.pipeline_run("other", "empty")
        return Shown(make(story, variant))

    return of


def by_inspect(shown: Shown) -> Outcome:
    code, text = command("inspect", RUN, "--metadata", str(shown.case.metadata))
    assert code == 0
    return next(_MARKS[line.lstrip()[0]] for line in text.splitlines() if line.lstrip()[:1] in tuple(_MARKS))


def by_why(shown: Shown) -> Outcome:
    return Outcome(shown.why["run"]["verdict"]["outcome"])


def by_exit_code(shown: Shown) -> bool:
    code, _ = command("why", RUN, "--exit-code", "--metadata", str(shown.case.metadata))
    assert code in (EXIT_FINE, EXIT_BLOCKED)
    return code == EXIT_FINE


def by_exit_code_of_monitor(shown: Shown) -> bool:
    """What `monitor` and `train` end with."""
    return shown.verdict.exit_code(FAIL_ON) == EXIT_FINE


def _tone_of(page: str) -> str:
    (style,) = re.findall(r'<div class="verdict (\w+)"', page)
    return style


def _verdict_on(page: str) -> Outcome:
    return _MARKS[MARKS_OF_TONES[_tone_of(page)]]


def by_page_of_the_run(shown: Shown) -> Outcome:
    return _verdict_on(shown.run_page)


def by_home_page(shown: Shown) -> Outcome:
    return _verdict_on(shown.home_page)


def by_report(shown: Shown) -> Outcome:
    text, page = shown.report
    assert _verdict_on(page) is _MARKS[text.lstrip()[0]]
    return _MARKS[text.lstrip()[0]]


def by_the_run_on_a_cluster(shown: Shown) -> Outcome:
    return shown.on_a_cluster.outcome


def by_validation_report(shown: Shown) -> Outcome:
    return shown.component.outcome


SURFACES = [by_inspect, by_why, by_exit_code, by_exit_code_of_monitor, by_page_of_the_run, by_home_page, by_report,
            by_validation_report, by_the_run_on_a_cluster]  # fmt: skip


@pytest.mark.parametrize(("make", "variant", "outcome"), CASES)
def test_everything_says_the_same_of_the_same_artifacts(shown, make, variant, outcome):
    says = {surface.__name__: surface(shown(make, variant)) for surface in SURFACES}
    wanted = {name: outcome is Outcome.PASSED if isinstance(said, bool) else outcome for name, said in says.items()}
    assert says == wanted


@pytest.mark.parametrize(("make", "variant", "outcome"), CASES)
def test_everything_gives_the_same_sentence(shown, make, variant, outcome):
    case = shown(make, variant)
    sentence = case.verdict.sentence
    assert case.why["sentence"] == sentence
    assert case.component.sentence == sentence
    assert sentence in " ".join(case.report[0].split())


# What a span is called where one of its checks fails.
WORDS = {made.drift: State.CHANGED, made.accuracy: State.DEGRADED}
OF_SPANS = [case for case in CASES if case.values[0] not in (made.push_gate, made.evaluator)]


@pytest.mark.parametrize(("make", "variant", "outcome"), OF_SPANS)
def test_everything_says_the_same_word_of_a_span(shown, make, variant, outcome):
    word = {Outcome.PASSED: State.FINE, Outcome.UNDECIDED: State.UNDECIDED}.get(outcome, WORDS.get(make, State.INVALID))
    case = shown(make, variant)
    metadata = str(case.case.metadata)
    _, lines = command("inspect", "--metadata", metadata)
    _, both = command("compare", RUN, "empty", "--json", "--metadata", metadata)
    says = {
        "verdict": case.verdict.state.value,
        "cluster": case.on_a_cluster.state.value,
        "why": case.why["run"]["verdict"]["state"],
        "compare": json.loads(both)["runs"][0]["verdict"]["state"],
        "component": case.component.state.value,
    }
    assert says == dict.fromkeys(says, word.value)
    assert f" {word.words}" in lines
    assert f" is {word.words}, " in json.loads(both)["sentences"][0]
    assert {_tone_of(page) for page in (case.run_page, case.home_page, case.report[1])} == {MEANINGS[word].tone}
    assert f"</span> {word.words}</span>" in case.home_page  # its badge in the list of runs
    sentence = case.verdict.sentence
    assert f" {word.words}: " in sentence
    assert f"{sentence}</h1>" in unescape(case.run_page)


@pytest.mark.parametrize("fail_on", [state.value for state in FAIL_ON])
@pytest.mark.parametrize(("make", "variant"), [(made.drift, "failed"), (made.accuracy, "failed"),
                         (made.serving_logs, "error"), (made.drift, "undecided"), (made.drift, "passed")])  # fmt: skip
def test_what_fails_fails_everywhere(story, make, variant, fail_on):
    """The exit code of `monitor`, that of `why`, and VerdictGuard, each told one word."""
    case = make(story, variant)
    history = History(open_store(case.metadata))
    says = history.verdict(history.run(RUN))
    wanted = says.state.value == fail_on
    assert (says.exit_code([fail_on]) == EXIT_BLOCKED) is wanted
    told = ("--set", f"monitor.fail_on=[{fail_on}]", "--set", f"root={case.metadata.parent}")
    code, _ = command("why", RUN, "--exit-code", "--metadata", str(case.metadata), *told)
    assert code == (EXIT_BLOCKED if wanted else EXIT_FINE)
    assert made.guard_fails(says, [fail_on]) is wanted


# A decision of the gate itself is not handed to a gate again.
GIVEN = [case for case in CASES if case.values[0] is not made.push_gate]


@pytest.mark.parametrize(("make", "variant", "outcome"), GIVEN)
def test_the_push_gate_says_the_same(story, make, variant, outcome, gate):
    case = make(story, variant)
    assert gate(case) is outcome
