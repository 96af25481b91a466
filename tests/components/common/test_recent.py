import pytest

from components.common.recent import Recent


def test_what_was_asked_for_last_is_remembered_and_the_rest_is_made_anew():
    made = []
    recent = Recent(2)
    for key in "aabacbb":
        assert recent.get(key, lambda key=key: made.append(key) or key.upper()) == key.upper()
    assert made == ["a", "b", "c", "b"]


def test_an_error_is_not_remembered():
    recent = Recent(2)
    with pytest.raises(ZeroDivisionError):
        recent.get("a", lambda: 1 / 0)
    assert recent.get("a", lambda: 1) == 1
