import os
import subprocess
import sys

import pytest

from components.common.processor import TIMEOUT, VARIABLE, core_type, tell_openblas

WIDE = "avx2 fma avx512f avx512cd avx512bw avx512dq avx512vl"


@pytest.mark.parametrize(
    ("flags", "kind"),
    [("sse2 ssse3", ""), ("avx2", ""), ("avx2 fma", "Haswell"), ("avx2 fma avx512f", "Haswell"), (WIDE, "SkylakeX")],
)
def test_the_best_kind_whose_flags_are_all_there(flags, kind):
    assert core_type(flags.split()) == kind


def test_what_is_set_stays(tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: fpu {WIDE}\nprocessor\t: 1\nflags\t\t: fpu\n")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setenv(VARIABLE, "Zen")
    tell_openblas(tmp_path / "cpuinfo")
    assert os.environ[VARIABLE] == "Zen"
    monkeypatch.delenv(VARIABLE)
    tell_openblas(tmp_path / "none")
    assert VARIABLE not in os.environ
    tell_openblas(tmp_path / "cpuinfo")
    assert os.environ[VARIABLE] == "SkylakeX"


def test_threads_rest_unless_somebody_said_how_long_they_wait(tmp_path, monkeypatch):
    monkeypatch.setenv(TIMEOUT, "26")
    tell_openblas(tmp_path / "none")
    assert os.environ[TIMEOUT] == "26"
    monkeypatch.delenv(TIMEOUT)
    tell_openblas(tmp_path / "none")
    assert os.environ[TIMEOUT] == "16"


def test_the_tool_tells_before_it_imports_numpy():
    code = "import sys, model_monitor; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
