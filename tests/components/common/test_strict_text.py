"""Every text ends in a value or a sentence: YAML and JSON that somebody wrote to do harm, or did not mean to."""

import contextlib
import re
import time
from pathlib import Path

import pytest
import yaml

from components.common.errors import MonitorError
from components.common.strict_text import MOST_CHARACTERS, TextError, parse_json, parse_yaml, parse_yaml_documents

REPOSITORY = Path(__file__).resolve().parents[3]
LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)
MERGED_LAUGHS = "a0: &a0 {x: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 10)
)
CHAIN = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 3_000))
DIGITS = "9" * 5_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 2024-01-31", "Received: a date, line 1, column 4"),
        ("a: 2024-01-31 10:00:00", "Received: a date"),
        ("b: 1\na: !!set {x, y}", "Received: a set, line 2, column 4"),
        ("a: !!binary aGVsbG8=", "Received: binary data"),
        ("a: !!omap [x: 1]", "Received: 'omap'"),
        ("a: !!timestamp soon", "Received: a date"),
        ("a: =", "Received: `=`"),
        ("a: !!bool maybe", "must be YAML. Received: KeyError"),
        ("a: !!int x", "must be YAML. Received: ValueError"),
        ("a: !!map [x]", "must be YAML. Received: "),
        ("a: &x [*x]", "must not have an anchor that holds itself. Received: one, line 1, column 4"),
        ("a: &x {b: {c: *x}}", "must not have an anchor that holds itself"),
        ("&x a: *x\n? *x\n: 1", "is there twice"),
        (f"a: {DIGITS}", "numbers of at most 40 digits. Received: one of 5,000, line 1, column 4"),
        (f"a: -{DIGITS}", "numbers of at most 40 digits"),
        (f"a: {DIGITS}.0", "numbers of at most 40 digits"),
        ("a: " + "[" * 200 + "]" * 200, "nested deeper than 100 levels"),
        ("".join(f"{'  ' * n}a:\n" for n in range(150)), "nested deeper than 100 levels"),
        ("- " * 5_000 + "a", "nested deeper than 100 levels"),
        (LAUGHS, "at most 100,000 values, .*Received: more, what aliases repeat"),
        (MERGED_LAUGHS, "at most 100,000 values, .*Received: more"),
        (CHAIN, "at most 100 levels deep. Received: more"),
        ("1: a", "keys that are text; quotes make it text. Received: another, line 1, column 1"),
        ("yes: a", "keys that are text"),
        ("~: a", "keys that are text"),
        ("[a, b]: c", "keys that are text"),
        ("2024-01-31: c", "keys that are text"),
        ("a: 1\nb: {x: 1, 'x': 2}", "the key 'x' is there twice, line 2, column 11"),
        ("a: *nothing", "must be YAML. Received: .*undefined alias"),
        ("a: b\n---\nc: d", "must be YAML. Received: .*single document"),
        ("\ud800", "must be YAML"),
        ('a: "\\ud83d"', r"must be text in Unicode. Received: '\\ud83d' in it, line 1, column 4"),
        ('a: "\\0"', "must not hold the character NUL. Received: one, line 1, column 4"),
        ("x" * (MOST_CHARACTERS + 1), "at most 1,048,576 characters. Received: 1,048,577"),
    ],
)
def test_yaml_ends_in_a_sentence(text, said):
    with pytest.raises(TextError, match=re.compile(said, re.DOTALL)):
        parse_yaml(text)


@pytest.mark.parametrize(
    "unit", ["[", "{a: ", "- ", "? ", "a: &x\n", "{", "a,", "[a,", "'", '"', "# ", "\n", "&a ", "*a ", "!!a ", "a: b\n",
             "- a\n", "a" , "%YAML 1.1\n---\n", "--- ", "| \n", "<<: ", "{a: b, ", "\t", ": "],
)  # fmt: skip
def test_no_repetition_of_anything_takes_long(unit):
    started = time.process_time()
    with contextlib.suppress(TextError):
        parse_yaml(unit * ((1 << 15) // len(unit)))
    assert time.process_time() - started < 5  # what takes longer by the square of its length took minutes


@pytest.mark.parametrize(
    "text",
    ["", "a: 1", "a: [1, 2.5, true, null, x]", "a: &x {b: 1}\nc: *x", "a: &x {b: 1}\nc: {<<: *x, d: 2}",
     "'1': '2024-01-31'", "a: .inf", "a: 1e3", "a: 0x1f",
     "top: {base: &b {<<: {x: 1}, x: 2}}\nother: {<<: *b, y: 3}", "a: |\n  text\n"],
)  # fmt: skip
def test_what_settings_are_made_of_is_read_as_any_parser_reads_it(text):
    assert parse_yaml(text) == yaml.safe_load(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must be JSON"),
        ("{", "must be JSON"),
        ("nul", "must be JSON"),
        (b"\xff\xfe\xff", "must be JSON"),
        (None, "must be JSON"),
        ("[" * 100_000, "nested deeper than 100 levels"),
        ("[" * 500 + "]" * 500, "nested deeper than 100 levels"),
        ('{"a":' * 101 + "1" + "}" * 101, "nested deeper than 100 levels"),
        (DIGITS, "at most 40 digits. Received: one of 5,000"),
        (f"[-{DIGITS}]", "at most 40 digits"),
        ('["\\ud800"]', "must be text in Unicode"),
        ('{"\\udfff": 1}', "must be text in Unicode"),
        ('["\ud800"]', "must be text in Unicode"),
        ('{"p_value": NaN}', "must have finite numbers. Received: NaN"),
        ("[-Infinity]", "must have finite numbers. Received: -Infinity"),
        ("1e999", "must have finite numbers. Received: 1e999"),
    ],
)
def test_json_ends_in_a_sentence(text, said):
    with pytest.raises(TextError, match=said):
        parse_json(text)
    with pytest.raises(TextError, match=f"^runs.json must .*{said.removeprefix('must ')}"):
        parse_json(text, "runs.json")


def test_json_within_bounds_is_read():
    assert parse_json("[" * 100 + "]" * 100)
    assert parse_json('{"a": [1, -2, 1.5, "x", null, true], "b": 18446744073709551615}')["b"] == 2**64 - 1
    assert parse_json('"\\ud83d\\ude00"') == "\U0001f600"
    assert issubclass(TextError, MonitorError)


def test_documents_of_a_text_are_read_each_within_bounds():
    assert parse_yaml_documents("a: 1\n---\n[b]\n") == [{"a": 1}, ["b"]]
    assert parse_yaml_documents("# nothing\n") == []
    with pytest.raises(TextError, match="must not have an anchor that holds itself"):
        parse_yaml_documents("a: 1\n---\nb: &b [*b]\n")


def test_nothing_else_reads_yaml_or_json():
    """One loader for all: a second one would have other bounds, or none."""
    other = re.compile(r"json\.loads?\(|json\.loads\b|yaml\.(safe_|full_|unsafe_)?load|Loader\)|JSONDecoder")
    home = REPOSITORY / "components" / "common" / "strict_text.py"
    files = [
        path for root in ("components", "model_monitor", "pipelines") for path in (REPOSITORY / root).rglob("*.py")
    ]
    of_requests = REPOSITORY / "model_monitor" / "serving" / "protocols" / "json_values.py"  # which may hold NaN
    known = (home, of_requests)
    assert [str(path) for path in files if path not in known and other.search(path.read_text())] == []
    assert other.search(home.read_text())
