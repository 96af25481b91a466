"""Locks of open files: one holder alone or several that share it, none waited for unless that is asked for."""

import os

import pytest

from components.common.durable_files import open_to_lock, release, take, try_to_take


@pytest.fixture
def two(tmp_path):
    """Two descriptors of one file, as two processes have them."""
    path = str(tmp_path / "lock")
    opened = [open_to_lock(path), open_to_lock(path)]
    yield opened
    for descriptor in opened:
        os.close(descriptor)


def test_one_holds_it_alone_until_it_lets_go(two):
    first, second = two
    take(first)
    assert not try_to_take(second)
    assert not try_to_take(second, shared=True)
    release(first)
    assert try_to_take(second)
    assert not try_to_take(first)


def test_those_that_share_it_hold_it_together_and_keep_others_out(two):
    first, second = two
    assert try_to_take(first, shared=True)
    assert try_to_take(second, shared=True)
    assert not try_to_take(second)


def test_what_is_no_file_that_can_be_locked_is_an_error():
    reading, writing = os.pipe()
    os.close(reading)
    os.close(writing)
    with pytest.raises(OSError, match="Bad file descriptor"):
        try_to_take(reading)
