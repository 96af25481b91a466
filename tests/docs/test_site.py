"""The documentation builds as a site without a warning, needs no other machine, and leaves nothing public out."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import components

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict"]  # with -q it would not count warnings
    done = subprocess.run(
        [*build, "-f", "docs/site/mkdocs.yml", "-d", str(folder)],
        cwd=REPOSITORY,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "Documentation built" in done.stderr) == (0, True), done.stdout + done.stderr
    assert "WARNING" not in done.stderr
    return folder


def test_the_site_fetches_nothing_from_another_machine(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 30
    fetched = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)=\"?(https?:)?//")
    assert [str(page) for page in pages if fetched.search(page.read_text(encoding="utf-8"))] == []
    imports = re.compile(r"@import|url\([\"']?(?:https?:)?//")
    assert [str(sheet) for sheet in site.rglob("*.css") if imports.search(sheet.read_text(encoding="utf-8"))] == []


def test_every_public_name_of_the_components_is_in_the_reference(site):
    headings = "".join(page.read_text(encoding="utf-8") for page in (site / "reference").glob("*.html"))
    ids = set(re.findall(r'id="(components\.[\w.]+)"', headings))
    homes = {f"components.{home}.{name}" for name, home in components._HOME.items()}
    assert sorted(homes - ids) == []


def test_every_decision_is_in_the_list_of_decisions():
    pages = {page.name for page in (DOCS / "decisions").glob("2*.md")}
    listed = re.findall(r"\]\((2[^)]+\.md)\)", (DOCS / "decisions" / "index.md").read_text(encoding="utf-8"))
    assert sorted(listed) == sorted(pages)


def test_no_term_of_the_glossary_is_defined_twice_and_each_takes_one_sentence():
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", (DOCS / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)
    terms = {term: meaning for term, meaning in rows if term not in ("term", "---")}
    assert (
        len(terms) == len(rows) - 4 + 2
    )  # each of the two tables has a heading and a rule; both headings are one term
    assert [term for term, meaning in terms.items() if not re.fullmatch(r"[^.]*(?:\.\w[^.]*)*\.", meaning)] == []


def test_no_page_names_a_folder_of_one_machine():
    ours = re.compile(r"/tmp/|/home/|/root/|/Users/")  # noqa: S108 - none is used
    pages = [REPOSITORY / "README.md", *DOCS.rglob("*.md")]
    assert [page.name for page in pages if ours.search(page.read_text(encoding="utf-8"))] == []


NAMED = re.compile(
    r"`((?:components|pipelines|model_monitor|benchmarks|tests|schemas|requirements)[./][\w./]+?)(?:\(.*?\))?`"
)


def pages() -> list[Path]:
    """What people read of today; a decision stays as it was on its day."""
    return [REPOSITORY / "README.md", *(page for page in DOCS.rglob("*.md") if page.parent.name != "decisions")]


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_module_and_file_that_a_page_names_is_there(page):
    named = NAMED.findall(page.read_text(encoding="utf-8"))
    assert [name for name in named if not is_there(name)] == []


def is_there(name: str) -> bool:
    """Whether a path from the repository's root exists, or a module and what is named in it."""
    if "/" in name:
        return (REPOSITORY / name).exists()
    parts, folder = name.split("."), REPOSITORY
    while parts and (folder / parts[0]).is_dir():
        folder /= parts.pop(0)
    module = folder / f"{parts[0]}.py" if parts and (folder / f"{parts[0]}.py").is_file() else folder / "__init__.py"
    inside = parts[1:] if module.name != "__init__.py" else parts
    text = module.read_text(encoding="utf-8") if module.is_file() else ""
    return module.is_file() and all(re.search(rf"\b{part}\b", text) for part in inside)


def test_examples_of_the_reference_are_code(site):
    text = "".join(page.read_text(encoding="utf-8") for page in (site / "reference").glob("*.html"))
    examples = re.findall(r'<details class="example".*?</details>', text, re.DOTALL)
    assert len(examples) > 5
    assert [example for example in examples if "<code>" not in example] == []
