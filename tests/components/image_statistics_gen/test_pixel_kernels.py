"""Compiled code is kept where it can be, and what is wrong with the place stops nobody.

The kernel is a small one here: the whole takes seconds to compile, and how it is kept does not depend on it.
"""

import logging
import sys
import types

import numba
import numpy as np
import pytest

from components.image_statistics_gen import compiled_pixels, pixel_kernels

SOURCE = """
def describe(images, waves, properties, frequencies):
    properties[:] = len(images)
    frequencies[:] = waves[0, 0]
"""


@pytest.fixture
def kernel(monkeypatch, tmp_path):
    """Compiles a small kernel, of a file or of none, and says what it measures of two images."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "source.py").write_text(SOURCE)

    def measured(file=str(tmp_path / "source.py")):
        small = types.ModuleType("small_kernel")
        exec(compile(SOURCE, file, "exec"), vars(small))  # noqa: S102
        monkeypatch.setitem(sys.modules, "small_kernel", small)
        monkeypatch.setattr(pixel_kernels, "describe", small.describe)
        return compiled_pixels.measure(np.zeros((2, 4, 4, 1), np.uint8))[0]

    monkeypatch.setattr(compiled_pixels, "_compiled", compiled_pixels._compiled.__wrapped__)
    return measured


def kept(folder):
    return sorted(folder.glob("cache/**/*.nb[ci]"))


def test_what_was_compiled_is_kept_and_used_again(kernel, tmp_path, caplog):
    assert (kernel() == 2).all()
    files = {path: path.stat().st_mtime_ns for path in kept(tmp_path)}
    assert len(files) == 2
    assert (kernel() == 2).all()
    assert {path: path.stat().st_mtime_ns for path in kept(tmp_path)} == files
    assert not caplog.records


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize("content", [b"", b"garbage", None])
def test_damaged_files_are_passed_over(kernel, tmp_path, suffix, content):
    kernel()
    (path,) = (path for path in kept(tmp_path) if path.suffix == suffix)
    path.write_bytes(path.read_bytes()[:-40] if content is None else content)
    assert (kernel() == 2).all()


def test_without_a_folder_the_process_compiles_for_itself(kernel, caplog):
    with caplog.at_level(logging.WARNING):
        assert (kernel("<nowhere>") == 2).all()
    assert "compiled for this process alone: cannot cache function" in caplog.text


def test_a_full_disk_stops_nobody(kernel, tmp_path, monkeypatch, caplog):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    assert (kernel() == 2).all()
    assert "No space left on device" in caplog.text
