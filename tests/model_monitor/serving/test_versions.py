"""Which version is served while folders come and go. What loads a version is a function that keeps its path."""

import shutil

import pytest

from components.common.errors import MonitorError
from model_monitor.serving.server import versions as module
from model_monitor.serving.server.errors import Code, NotAnsweredError
from model_monitor.serving.server.versions import State, Versions


@pytest.fixture
def served(tmp_path):
    loaded = []

    def load(path):
        loaded.append(path)
        if (tmp_path / "serving" / path / "broken").exists():
            raise MonitorError("no model in it")
        return path

    (tmp_path / "serving").mkdir()
    versions = Versions(str(tmp_path / "serving"), "m", load)
    versions.loads = loaded
    versions.folder = tmp_path / "serving"
    return versions


def add(served, number, *, broken=False):
    (served.folder / str(number)).mkdir()
    if broken:
        (served.folder / str(number) / "broken").touch()
    served.poll()


def states(served):
    return {each.version: each.state for each in served.statuses("m")}


def test_the_largest_number_is_served_and_the_one_before_goes_when_it_is_ready(served):
    add(served, 9)
    assert served.get("m")[0] == 9
    add(served, 10)
    assert served.get("m") == (10, str(served.folder / "10"))
    assert states(served) == {10: State.AVAILABLE, 9: State.END}
    with pytest.raises(NotAnsweredError, match=r"^Servable not found for request: Specific\(m, 9\)$"):
        served.get("m", 9)


def test_a_smaller_number_changes_nothing(served):
    add(served, 9)
    add(served, 3)
    assert served.get("m")[0] == 9
    assert len(served.loads) == 1


def test_what_is_no_version_is_not_looked_at(served):
    add(served, 9)
    for name in ("10x", ".11", "x"):
        (served.folder / name).mkdir()
    (served.folder / "12").touch()
    served.poll()
    assert served.get("m")[0] == 9


def test_one_that_cannot_be_loaded_changes_nothing_and_is_tried_again_later(served, monkeypatch):
    add(served, 9)
    add(served, 10, broken=True)
    served.poll()
    assert served.get("m")[0] == 9
    assert len(served.loads) == 2
    (status,) = served.statuses("m", 10)
    assert (status.state, status.error) == (State.END, "no model in it")
    (served.folder / "10" / "broken").unlink()
    monkeypatch.setattr(module, "_AGAIN_SECONDS", 0.0)
    served.poll()
    assert served.get("m")[0] == 10


def test_a_version_that_is_gone_is_followed_by_the_next_largest(served):
    add(served, 9)
    add(served, 10)
    shutil.rmtree(served.folder / "10")
    served.poll()
    assert served.get("m")[0] == 9
    assert states(served) == {10: State.END, 9: State.AVAILABLE}
    shutil.rmtree(served.folder / "9")
    served.poll()
    with pytest.raises(NotAnsweredError, match=r"^Servable not found for request: Latest\(m\)$") as caught:
        served.get("m")
    assert caught.value.code is Code.NOT_FOUND
    assert not served.is_ready


def test_a_folder_that_is_away_for_now_changes_nothing(served):
    add(served, 9)
    served.folder.rename(served.folder.with_name("away"))
    served.poll()
    assert served.get("m")[0] == 9


def test_the_one_that_answers_stays_where_the_newest_is_broken_and_it_is_gone(served):
    add(served, 9)
    add(served, 10, broken=True)
    shutil.rmtree(served.folder / "9")
    served.poll()
    assert served.get("m")[0] == 9


@pytest.mark.parametrize(
    ("asked", "code", "told"),
    [
        (("other",), Code.NOT_FOUND, "Servable not found for request: Latest(other)"),
        (("",), Code.INVALID_ARGUMENT, "ModelSpec has no name specified."),
        (("m", None, "stable"), Code.INVALID_ARGUMENT, "Unrecognized servable version label: stable"),
    ],
)
def test_what_is_not_there_is_said_as_tensorflow_serving_says_it(served, asked, code, told):
    add(served, 9)
    with pytest.raises(NotAnsweredError) as caught:
        served.get(*asked)
    assert (caught.value.code, str(caught.value)) == (code, told)


def test_versions_that_ended_are_not_told_of_for_ever(served):
    for number in range(1, 40):
        add(served, number)
    assert len(states(served)) == module._MOST_ENDED + 1
