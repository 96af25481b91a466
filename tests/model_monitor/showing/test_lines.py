"""Text in lines: as wide as the console, and a path is never torn."""

import pytest

from model_monitor.showing.lines import Facts, say
from tests.support.printed import console, text_of, words

pytestmark = pytest.mark.prints

LENGTHS = (5, 40, 97, 98, 99, 100, 101, 150, 300)


def said(markup, width=100):
    out = console(width)
    say(out, markup)
    return text_of(out).splitlines()


def facts(width, **rows):
    out, table = console(width), Facts()
    for heading, markup in rows.items():
        table.add(heading, markup)
    table.show(out)
    return text_of(out).splitlines()


def path(length):
    return "/" + "x" * (length - 1)


@pytest.mark.parametrize("width", [40, 80, 100])
@pytest.mark.parametrize("length", LENGTHS)
def test_what_stands_around_a_path_looks_the_same_however_long_it_is(length, width):
    before, after = "the file that was made before", "is gone from the folder"
    assert said(f"{before} {path(length)} {after}", width) == [before, f"  {path(length)}", after]


@pytest.mark.parametrize("length", LENGTHS)
def test_a_path_alone_is_not_broken_and_not_indented(length):
    assert said(path(length)) == [path(length)]


@pytest.mark.parametrize(
    "named",
    ["/a/b", "'/a b/c'", "/a/b,", "(/a/b).", "gs://bucket/a", "./a", "../a", "~/a", '"data/sample one"', "`runs/a`;"],
)
def test_what_is_a_path(named):
    assert said(f"made from {named} as told") == ["made from", f"  {named}", "as told"]


@pytest.mark.parametrize("text", ["and/or", "0/1", "12 / 34", "a 3x3/s2 net", "image/encoded", "5 images/s", "it's so"])
def test_what_is_no_path(text):
    assert said(f"made from {text} as told") == [f"made from {text} as told"]


def test_text_breaks_between_words():
    lines = said("one two three " * 20, width=30)
    assert max(map(len, lines)) <= 30
    assert {word for line in lines for word in line.split()} == {"one", "two", "three"}
    assert words("\n".join(lines)) == ("one two three " * 20).strip()


def test_paragraphs_and_columns_stay_as_they_are():
    assert said("a   b\n\n  c") == ["a   b", "", "  c"]


def test_two_paths_have_a_line_each():
    assert said("from /a to /b") == ["from", "  /a", "to", "  /b"]


def test_markup_is_not_shown():
    assert said("[bold red]gone: /a/b[/]") == ["gone:", "  /a/b"]


@pytest.mark.parametrize("length", LENGTHS)
def test_facts_stand_beside_their_headings(length):
    lines = facts(40, Data="train: 3 images\neval: 4 images", Pushed=path(length), Gate="a reason " * 8)
    assert lines[:3] == ["Data    train: 3 images", "        eval: 4 images", f"Pushed  {path(length)}"]
    assert words("\n".join(lines[3:])) == words("Gate " + "a reason " * 8)
    assert max(map(len, lines[3:])) <= 40


def test_a_heading_with_nothing_beside_it():
    assert facts(40, Data="", Gate="passed") == ["Data", "Gate  passed"]


def test_a_mark_stays_at_its_path():
    assert said("[red]✗[/] /a/b must be a file") == ["✗ /a/b", "must be a file"]
