"""Tables of the docs that list what the code has are whole, and README leads to pages and sections that are there."""

import re

import pytest
from pydantic import BaseModel

from components.serving_log_example_gen.problems import Problem
from pipelines.cifar10.config import Cifar10Config
from pipelines.config import MonitoringConfig
from tests.support.code_blocks import REPOSITORY

LINK = re.compile(r"\]\(([^)\s]+)\)")


def text(page: str) -> str:
    return (REPOSITORY / page).read_text(encoding="utf-8")


def test_every_problem_of_serving_logs_is_in_the_table():
    first_cells = " ".join(re.findall(r"^\| ([^|]+) \|", text("docs/serving_logs.md"), re.MULTILINE))
    missing = {problem.short for problem in Problem if problem.short not in first_cells}
    # the scales share a row, which names them after its first
    scales = {"Pixels scaled to 0..1", "Pixels scaled to -1..1", "Pixels scaled to 0..255"}
    assert missing <= scales
    assert all(scale.removeprefix("Pixels scaled to ") in first_cells for scale in scales)


def settings(kind: type[BaseModel], prefix: str = "") -> set[str]:
    found = set()
    for name, field in kind.model_fields.items():
        inner = field.annotation
        section = isinstance(inner, type) and issubclass(inner, BaseModel)
        found |= settings(inner, f"{name}.") if section else {f"{prefix}{name}"}
    return found


@pytest.mark.parametrize("kind", [Cifar10Config, MonitoringConfig])
def test_every_setting_is_in_the_tables_of_the_configuration(kind):
    page = text("docs/configuration.md")
    known = {
        name for cell in re.findall(r"^\| (`[^|]+) \|", page, re.MULTILINE) for name in re.findall(r"`(.+?)`", cell)
    }
    missing = {name for name in settings(kind) if name not in known and f"{name.split('.')[0]}.*" not in known}
    assert missing == set()


def slug(heading: str) -> str:
    """What a heading is called in addresses, as GitHub and the site have it."""
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", heading.strip().lower()))


def test_every_link_of_readme_leads_somewhere():
    broken = []
    for link in LINK.findall(text("README.md")):
        if link.startswith("http"):
            continue
        page, _, section = link.partition("#")
        page = page or "README.md"
        there = (REPOSITORY / page).exists()
        headings = {slug(found) for found in re.findall(r"^#+ (.+)$", text(page), re.MULTILINE)} if section else set()
        if not there or (section and section not in headings):
            broken.append(link)
    assert broken == []


def test_readme_begins_with_a_sentence_a_verdict_two_commands_and_three_for_ones_own_model():
    first_screen = text("README.md").split("## ")[0]
    assert first_screen.count("\n") <= 60
    order = [
        "Span 2 is degraded",
        "make demo",
        "make test",
        "model-monitor init",
        "model-monitor adopt",
        "monitor --logs",
    ]
    places = [first_screen.index(part) for part in order]
    assert places == sorted(places)
