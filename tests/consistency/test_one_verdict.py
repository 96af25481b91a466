"""The same artifacts held against everything that says what became of a run: all of them have to say the same.

Terminal, exit code, `why`, pages of `ui`, the page of `report`, the component ValidationReport, VerdictGuard's
property and the push gate. One more surface belongs into `SURFACES`, one more kind of artifact into `CASES`.
"""

import contextlib
import io
import json
import re
from collections.abc import Callable
from html import unescape

import pytest
from werkzeug.test import Client

from components.common.artifacts.files import local_files
from components.common.verdict_words import FAIL_ON, MARKS_OF_TONES, MEANINGS, Outcome, State
from components.validation_report import build
from model_monitor import cli
from model_monitor.commands import EXIT_BLOCKED, EXIT_FINE
from model_monitor.reading.history import History
from model_monitor.reading.report_sources import sources_of
from model_monitor.reading.run_store import open_store
from model_monitor.ui.app import Application, hosts_for
from model_monitor.ui.pages import Site

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


def by_inspect(case: Case) -> Outcome:
    code, text = command("inspect", RUN, "--metadata", str(case.metadata))
    assert code == 0
    return next(_MARKS[line.lstrip()[0]] for line in text.splitlines() if line.lstrip()[:1] in tuple(_MARKS))


def by_why(case: Case) -> Outcome:
    _, text = command("why", RUN, "--json", "--metadata", str(case.metadata))
    return Outcome(json.loads(text)["run"]["verdict"]["outcome"])


def by_exit_code(case: Case) -> bool:
    code, _ = command("why", RUN, "--exit-code", "--metadata", str(case.metadata))
    assert code in (EXIT_FINE, EXIT_BLOCKED)
    return code == EXIT_FINE


def by_exit_code_of_monitor(case: Case) -> bool:
    """What `monitor` and `train` end with."""
    history = History(open_store(case.metadata))
    return history.verdict(history.run(RUN)).exit_code(FAIL_ON) == EXIT_FINE


def _page(case: Case, path: str) -> str:
    application = Application(Site(case.metadata, case.metadata.parent), hosts=hosts_for("127.0.0.1"))
    answer = Client(application).get(path, headers={"Host": "127.0.0.1:6007"})
    assert answer.status_code == 200, answer.text
    return answer.text


def _tone_of(page: str) -> str:
    (style,) = re.findall(r'<div class="verdict (\w+)"', page)
    return style


def _verdict_on(page: str) -> Outcome:
    return _MARKS[MARKS_OF_TONES[_tone_of(page)]]


def by_page_of_the_run(case: Case) -> Outcome:
    number = History(open_store(case.metadata)).run(RUN).id
    return _verdict_on(_page(case, f"/runs/{number}"))


def by_home_page(case: Case) -> Outcome:
    return _verdict_on(_page(case, "/"))


def by_report(case: Case) -> Outcome:
    out = case.metadata.parent / "page.html"
    code, text = command("report", RUN, "--metadata", str(case.metadata), "--out", str(out))
    assert code == 0
    assert _verdict_on(out.read_text()) is _MARKS[text.lstrip()[0]]
    return _MARKS[text.lstrip()[0]]


def by_validation_report(case: Case) -> Outcome:
    """As the component in the pipeline says it, which knows the artifacts alone; VerdictGuard goes by that."""
    run = History(open_store(case.metadata)).run(RUN)
    return build.build_page(sources_of(run), local_files()).verdict.outcome


SURFACES = [by_inspect, by_why, by_exit_code, by_exit_code_of_monitor, by_page_of_the_run, by_home_page, by_report,
            by_validation_report]  # fmt: skip


@pytest.mark.parametrize(("make", "variant", "outcome"), CASES)
def test_everything_says_the_same_of_the_same_artifacts(story, make, variant, outcome):
    case = make(story, variant)
    says = {surface.__name__: surface(case) for surface in SURFACES}
    wanted = {name: outcome is Outcome.PASSED if isinstance(said, bool) else outcome for name, said in says.items()}
    assert says == wanted


@pytest.mark.parametrize(("make", "variant", "outcome"), CASES)
def test_everything_gives_the_same_sentence(story, make, variant, outcome):
    case = make(story, variant)
    history = History(open_store(case.metadata))
    run = history.run(RUN)
    sentence = history.verdict(run).sentence
    _, why = command("why", RUN, "--json", "--metadata", str(case.metadata))
    assert json.loads(why)["sentence"] == sentence
    assert build.build_page(sources_of(run), local_files()).verdict.sentence == sentence
    _, report = command("report", RUN, "--metadata", str(case.metadata), "--out", str(case.metadata.parent / "p.html"))
    assert sentence in " ".join(report.split())


# What a span is called where one of its checks fails.
WORDS = {made.drift: State.CHANGED, made.accuracy: State.DEGRADED}
OF_SPANS = [case for case in CASES if case.values[0] not in (made.push_gate, made.evaluator)]


@pytest.mark.parametrize(("make", "variant", "outcome"), OF_SPANS)
def test_everything_says_the_same_word_of_a_span(story, make, variant, outcome):
    story.writer.pipeline_run("other", "empty")
    case = make(story, variant)
    word = {Outcome.PASSED: State.FINE, Outcome.UNDECIDED: State.UNDECIDED}.get(outcome, WORDS.get(make, State.INVALID))
    history = History(open_store(case.metadata))
    run = history.run(RUN)
    _, why = command("why", RUN, "--json", "--metadata", str(case.metadata))
    _, lines = command("inspect", "--metadata", str(case.metadata))
    _, both = command("compare", RUN, "empty", "--json", "--metadata", str(case.metadata))
    out = case.metadata.parent / "page.html"
    command("report", RUN, "--metadata", str(case.metadata), "--out", str(out))
    page = _page(case, f"/runs/{run.id}")
    says = {
        "verdict": history.verdict(run).state.value,
        "why": json.loads(why)["run"]["verdict"]["state"],
        "compare": json.loads(both)["runs"][0]["verdict"]["state"],
        "component": build.build_page(sources_of(run), local_files()).verdict.state.value,
    }
    assert says == dict.fromkeys(says, word.value)
    assert f" {word.words}" in lines
    assert f" is {word.words}, " in json.loads(both)["sentences"][0]
    tones = {_tone_of(page), _tone_of(_page(case, "/")), _tone_of(out.read_text())}
    assert tones == {MEANINGS[word].tone}
    assert f"</span> {word.words}</span>" in _page(case, "/")  # its badge in the list of runs
    sentence = history.verdict(run).sentence
    assert f" {word.words}: " in sentence
    assert f"{sentence}</h1>" in unescape(page)


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
