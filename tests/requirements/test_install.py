"""The installer: which interpreter it takes, and what it says when there is none. Nothing is downloaded here."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def install() -> ModuleType:
    spec = importlib.util.spec_from_file_location("install", REPOSITORY / "requirements" / "install.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def interpreter(folder: Path) -> Path:
    """A real interpreter of the running version, as pyenv lays them out."""
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    return python


def test_an_interpreter_that_pyenv_has_is_found_though_the_path_hides_it(install, tmp_path, monkeypatch):
    version = install.version_of(Path(sys.executable))
    python = interpreter(tmp_path / "versions" / f"{version}.9")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("PATH", "/nowhere")
    assert python in install.interpreters(version)
    assert install.interpreters("3.99") == []


def test_an_interpreter_that_does_not_run_is_passed_over(install, tmp_path, monkeypatch):
    shim = tmp_path / "python3.10"
    shim.write_text("#!/bin/sh\necho 'pyenv: python3.10: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    assert shim not in install.interpreters("3.10")


def test_no_interpreter_is_said_in_a_sentence_that_names_the_version_and_the_reason(install, tmp_path, monkeypatch):
    fetches_nothing = tmp_path / "uv"
    fetches_nothing.write_text("#!/bin/sh\nexit 1\n")
    fetches_nothing.chmod(0o755)
    monkeypatch.setattr(install, "interpreters", lambda version: [])
    with pytest.raises(install.InstallError) as caught:
        install.make_environment(fetches_nothing)
    message = str(caught.value)
    assert "needs Python 3.10 (for TFX 1.16), because" in message
    assert os.confstr("CS_GNU_LIBC_VERSION") in message


def test_every_locked_requirement_has_its_hash_and_no_lock_names_a_server(install):
    for lock in [line.lock for line in install.LINES] + [REPOSITORY / "requirements" / "uv.txt"]:
        text = lock.read_text()
        requirements = text.replace("\\\n", " ").splitlines()
        assert requirements
        assert all("--hash=sha256:" in r for r in requirements)
        assert "://" not in text


def test_the_script_runs_on_the_oldest_syntax_it_promises(install):
    source = (REPOSITORY / "requirements" / "install.py").read_text()
    code = "import ast, sys; ast.parse(sys.stdin.read(), feature_version=(3, 8))"
    subprocess.run([sys.executable, "-c", code], input=source, text=True, check=True)
