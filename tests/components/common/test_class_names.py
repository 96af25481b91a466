"""Names of classes, in any script, from a list or a file, and which class a label means."""

import pytest

from components.common.class_names import Labels, broken_rule, broken_rule_of_name, read_names
from components.common.errors import MonitorError


@pytest.mark.parametrize(
    "name", ["cat", "猫", "القط", "गाय", "น้ำ", "ẞtraße", "a b", "no", "0", "👩‍🚀", "می‌خواهم", "<b>", "x" * 1_000]
)
def test_names_may_be_in_any_script(name):
    assert broken_rule_of_name(name) == ""


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("", "not be blank"),
        (" ", "not be blank"),
        ("\u3000\t", "not be blank"),
        (" cat", "not begin or end with a blank"),
        ("cat\n", "not begin or end with a blank"),
        ("c\nat", "without control characters"),
        ("c\x00t", "without control characters"),
        ("c\x1b[31mt", "without control characters"),
        ("c\ud800t", "without control characters"),
        ("c\u2028t", "without control characters"),
        ("x" * 1_001, "be 1,000 characters or fewer"),
        (1, "in quotes"),
        (True, "in quotes"),
        (None, "in quotes"),
        (b"cat", "in quotes"),
    ],
)
def test_a_bad_name_breaks_a_rule(name, rule):
    assert rule in broken_rule_of_name(name)


@pytest.mark.parametrize(
    ("names", "rule"),
    [
        (["a"], "be from 2 to 100,000 class names, not 1"),
        ([], "be from 2 to 100,000 class names, not 0"),
        (["x"] * 100_001, "be from 2 to 100,000 class names, not 100,001"),
        (None, "be a list"),
        ({"a": 1, "b": 2}, "be a list"),
        (["a", 1], "class 1 (1) must be text"),
        (["a", "b", ""], "class 2 ('') must not be blank"),
        (["a", "b", "a"], "class 2 has the name of class 0: 'a'"),
        (["caf\u00e9", "cafe\u0301"], "class 1 has the name of class 0"),
        (["a", "A"], ""),
        ([str(number) for number in range(1_000)], ""),
    ],
)
def test_a_bad_list_breaks_a_rule(names, rule):
    broken = broken_rule(names)
    assert (rule in broken) if rule else (broken == "")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("cat\ndog\n", ["cat", "dog"]),
        ("cat\r\ndog\r\n\r\n", ["cat", "dog"]),
        ("\ufeffcat\ndog", ["cat", "dog"]),
        ("  cat\t\n猫\n", ["cat", "猫"]),
        ("cat\n\ndog\n", ["cat", "", "dog"]),
        ("a\u2028b\nc\x0bd\n", ["a\u2028b", "c\x0bd"]),
        ("", []),
    ],
)
def test_a_file_has_a_name_a_line(tmp_path, content, expected):
    file = tmp_path / "classes.txt"
    file.write_bytes(content.encode())
    assert read_names(file, "spec.yaml") == expected


def test_a_file_that_cannot_be_read_is_named_with_the_spec(tmp_path):
    (tmp_path / "latin.txt").write_bytes("Möwe\n".encode("latin-1"))
    for name in ("none.txt", "latin.txt", "", "a\x00b"):
        with pytest.raises(MonitorError, match=r"^spec.yaml: `classes` must be a list of names, or name a readable"):
            read_names(tmp_path / name, "spec.yaml")


NAMES = ["2", "1", "cat", "猫"]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("cat", 2),
        ("猫", 3),
        ("猫".encode(), 3),
        ("1", 1),
        ("2", 0),  # a name goes before a number
        (b"2", 0),
        ("0", 0),
        ("3", 3),
        ("+3", 3),
        ("4", None),
        ("-1", None),
        (0, 0),
        (3, 3),
        (4, None),
        (-1, None),
        ("dog", None),
        ("", None),
        (b"\xff", None),
        ("9" * 5_000, None),
        ("٣", None),
    ],
)
def test_a_label_is_a_name_or_a_number(label, expected):
    assert Labels(NAMES).number(label) == expected


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("3.0", 3),  # as pandas writes a column with gaps
        ("3.", 3),
        ("2.0", 0),  # the name "2"
        (b" 3 ", 3),
        (3.0, 3),
        ("Cat", 2),
        ("cat ", 2),
        ("CAT\t", 2),
        (b"\xef\xbb\xbfcat", None),
        ("3.5", None),
        (3.5, None),
        (float("nan"), None),
        (float("inf"), None),
        ("nan", None),
        ("c at", None),
        (None, None),
    ],
)
def test_labels_are_read_as_people_write_them(label, expected):
    assert Labels(NAMES).number(label) == expected


def test_what_could_be_several_classes_is_none():
    labels = Labels(["Cat", "cat", "dog"])
    assert [labels.number(label) for label in ("Cat", " cat", "CAT", "DOG")] == [0, 1, None, 2]


@pytest.mark.parametrize(
    ("first", "numbers"),
    [(0, [0, 1, 2, None, None]), (1, [None, 0, 1, 2, None]), (-1, [1, 2, None, None, 0])],
)
def test_labels_may_be_counted_from_another_number(first, numbers):
    labels = Labels(["cat", "dog", "frog"], first)
    assert [labels.number(label) for label in (0, 1, "2.0", 3.0, -1)] == numbers
    assert labels.number("dog") == 1
    assert labels.wanted == f"a class, such as 'cat', or its number, {first} to {first + 2}"
