"""What refers to itself is gone after a hundred windows, and what was there after the first is not looked through."""

import gc
import weakref

import pytest

from model_monitor.watch.garbage import WINDOWS, Garbage


class Circle:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def garbage():
    gc.disable()  # so that it is ours alone that looks
    yield Garbage()
    gc.unfreeze()
    gc.enable()


def test_circles_of_windows_go(garbage):
    garbage.judged()
    made = [weakref.ref(Circle()) for _ in range(3)]
    for _ in range(WINDOWS - 2):
        garbage.judged()
    assert all(each() is not None for each in made)
    garbage.judged()
    assert not any(each() is not None for each in made)


def test_what_the_first_window_left_there_is_not_looked_through(garbage):
    before = gc.get_freeze_count()
    garbage.judged()
    assert gc.get_freeze_count() > before
    assert len(gc.get_objects()) < 1_000
