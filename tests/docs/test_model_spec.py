"""docs/model_spec.md says what is: its files load, its table has every key, its errors are the real ones."""

import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from components.common.errors import MonitorError
from components.common.model_spec import ModelSpec
from tests.support.code_blocks import blocks

PAGE = (Path(__file__).parents[2] / "docs" / "model_spec.md").read_text(encoding="utf-8")


BLOCKS = blocks("docs/model_spec.md")


def texts(language):
    return [block.text for block in BLOCKS if block.language == language]


*GOOD, BAD = texts("yaml")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "classes.txt").write_text("".join(f"class {number}\n" for number in range(1_000)))
    return tmp_path


@pytest.mark.parametrize("text", GOOD)
def test_every_example_loads(folder, text):
    (folder / "monitor.yaml").write_text(text, encoding="utf-8")
    assert ModelSpec.load("monitor.yaml").num_classes in (2, 10, 1_000)


def test_the_errors_are_those_on_the_page(folder):
    (folder / "monitor.yaml").write_text(BAD, encoding="utf-8")
    with pytest.raises(MonitorError) as caught:
        ModelSpec.load("monitor.yaml")
    assert [f"{caught.value}\n"] == texts("text")


def test_the_python_runs_on_the_first_example(folder):
    (folder / "monitor.yaml").write_text(GOOD[0], encoding="utf-8")
    (code,) = texts("python")
    names: dict[str, object] = {}
    exec(code, names)  # noqa: S102 - the page's own
    spec = names["spec"]
    assert (spec.image_shape, spec.num_classes, spec.class_number("two")) == ((28, 28, 1), 10, 2)
    assert spec.rows.outputs.scores == "probabilities"


def keys(model, prefix=""):
    for name, field in model.model_fields.items():
        section = [a for a in (field.annotation, *get_args(field.annotation)) if isinstance(a, type)]
        inner = next((a for a in section if issubclass(a, BaseModel)), None)
        yield from keys(inner, f"{name}.") if inner else [f"{prefix}{name}"]


TABLE = dict(
    re.findall(
        r"^\| `([a-z_.]+)` \|.*\| (.*?) ?\|$", PAGE[: PAGE.index("## What the model takes for a pixel")], re.MULTILINE
    )
)


def test_the_table_has_every_key_and_no_other():
    assert sorted(TABLE) == sorted(keys(ModelSpec))


def test_the_table_leaves_the_default_open_only_where_a_key_must_be_given():
    needed = {key for key, default in TABLE.items() if not default}
    assert needed == {
        "image.feature", "image.format", "image.channels", "image.input", "classes", "outputs.scores", "outputs.kind"
    }  # fmt: skip
