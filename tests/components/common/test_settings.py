"""YAML is read strictly, and errors name file, key, rule and value."""

from typing import Annotated

import pytest
from pydantic import Field, ValidationError

from components.common.errors import MonitorError, require
from components.common.settings import Described, Section, explain, keys, read_yaml, shown
from components.common.strict_text import parse_yaml


class Inner(Section):
    count: Annotated[int, Field(ge=1)] = 1
    name: str = ""


class Outer(Described):
    path: str
    several: list[Inner] = []  # noqa: RUF012 - pydantic copies it
    numbers: list[int] = []  # noqa: RUF012
    inner: Inner = Inner()
    maybe: Inner | None = None


def errors(record):
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(record)
    return explain(Outer, caught.value, lambda path: f"<{path}>").splitlines()


def test_every_error_has_a_line_with_place_key_rule_and_value():
    assert errors({"path": 3, "inner": {"count": 0, "nam": 1}, "mabe": 1}) == [
        "<path>: `path` must be a valid string. Received: 3",
        "<inner.count>: `inner.count` must be greater than or equal to 1. Received: 0",
        "<inner.nam>: there is no key `inner.nam` (did you mean 'name'?). The keys are: count, name",
        "<mabe>: there is no key `mabe` (did you mean 'maybe'?). The keys are: inner, maybe, numbers, path, several",
    ]


def test_a_missing_key_is_told_from_the_keys_that_are_there():
    assert errors({"inner": {}}) == ["<path>: `path` must be given. Received: inner"]
    assert errors({}) == ["<path>: `path` must be given. Received: no key"]


@pytest.mark.parametrize("name", ["cou.nt", ".", "a.b.c", "count[0]", "[", "`", ""])
def test_a_key_that_is_not_known_may_have_any_characters(name):
    (line,) = errors({"path": "", "inner": {name: 1}})
    assert f"there is no key `inner.{name}`" in line
    assert line.endswith("The keys are: count, name")


def test_keys_of_an_optional_section_are_known():
    assert keys(Outer, ["maybe"]) == ["count", "name"]


def test_an_entry_of_a_list_has_its_number_where_keys_follow():
    assert errors({"path": "", "several": [{}, {"counts": 1}], "numbers": [1, "2"]}) == [
        "<several[1].counts>: there is no key `several[1].counts` (did you mean 'count'?). The keys are: count, name",
        "<numbers>: `numbers` must be a valid integer. Received: '2'",
    ]


def test_long_values_are_cut():
    assert len(shown(["x" * 1_000] * 1_000)) < 3_000
    assert shown([1, 2]) == "[1, 2]"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a: 1\nb: 2\na: 3\n", "the key 'a' is there twice"),
        (b"a: {b: 1, b: 2}", "the key 'b' is there twice"),
        (b"a: [", "`spec`: .* must be YAML. Received: "),
        (b"a: \xff", "must be a readable YAML file"),
        (b"a: \x01", "must be YAML. Received: "),
        (
            b"a: !!python/object/apply:os.getcwd []",
            "must be text, .* Received: 'python/object/apply:os.getcwd'",
        ),
        (b"[" * 3_000, "must not be nested deeper than 100 levels. Received: more, line 1, column 101"),
        (b"- 1\n- 2\n", "must hold keys and values"),
        (b"just text", "must hold keys and values"),
    ],
)
def test_a_bad_file_is_named(tmp_path, content, expected):
    file = tmp_path / "bad.yaml"
    file.write_bytes(content)
    with pytest.raises(MonitorError, match=expected) as caught:
        read_yaml(file, "spec")
    assert str(file) in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(MonitorError, match=r"`spec` must be a readable YAML file. Received: .*none\.yaml"):
        read_yaml(tmp_path / "none.yaml", "spec")


def test_an_empty_file_has_no_keys_and_a_byte_order_mark_is_no_part_of_one(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_bytes(b"# nothing\n")
    assert read_yaml(file, "spec") == {}
    file.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_yaml(file, "spec") == {"a": 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "the manifest must be JSON. Received: .* in '{'"),
        ("[" * 100_000, "the manifest must not be nested deeper than 100 levels"),
        ("[]", "`the manifest` must be keys and values"),
        ('{"path": 3}', "the manifest: `path` must be a valid string"),
    ],
)
def test_bad_json_is_named(text, expected):
    with pytest.raises(MonitorError, match=expected):
        Outer.from_json(text, "the manifest")


def test_what_travels_comes_back():
    outer = Outer(path="c/日本", inner=Inner(count=3))
    assert Outer.from_json(outer.to_json()) == outer
    assert Outer.from_record(parse_yaml(outer.to_yaml())) == outer
    assert outer.to_yaml() == "path: c/日本\nseveral: []\nnumbers: []\ninner: {count: 3, name: ''}\n"


def test_a_value_without_end_does_not_bury_the_rule():
    with pytest.raises(
        MonitorError, match=r"`x` must be short. Received: 'yyy.*yyy \.\.\. \(100,002 characters\)$"
    ) as caught:
        require(False, "x", "be short", "y" * 100_000)
    assert len(str(caught.value)) < 6_000
