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


def shim(folder: Path, name: str, text: str) -> Path:
    """A command that is a shell script."""
    folder.mkdir(exist_ok=True)
    command = folder / name
    command.write_text(f"#!/bin/sh\n{text}\n")
    command.chmod(0o755)
    return command


@pytest.fixture
def machine(install, tmp_path, monkeypatch):
    """A machine with some glibc, some interpreters and a uv that fetches some; gives what was made of which Python."""
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("TFX_LINE", raising=False)

    def make(glibc: str, pythons: list[str], fetched: tuple[str, ...] = ()) -> tuple[str, str]:
        folder = tmp_path / "bin"
        for version in pythons:
            shim(folder, f"python{version}", f"echo '{version} glibc {glibc}'")
        uv = shim(
            folder,
            "uv",
            f"[ $1 = venv ] && echo $@ > {tmp_path}/made && exit 0\n"
            f"case ' {' '.join(fetched)} ' in *\" $4 \"*) exit 0;; esac; exit 1",  # uv python install -q VERSION
        )
        monkeypatch.setattr(install, "glibc_here", lambda: install.glibc_of(f"glibc {glibc}"))
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
        line = install.make_environment(uv)
        return line.tfx, (tmp_path / "made").read_text()

    return make


def test_an_interpreter_that_pyenv_has_is_found_though_the_path_hides_it(install, tmp_path, monkeypatch):
    running = install.Interpreter.of(Path(sys.executable))
    python = interpreter(tmp_path / "versions" / f"{running.version}.9")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("PATH", "/nowhere")
    assert install.Interpreter(python, *running[1:]) in install.interpreters(running.version)
    assert install.interpreters("3.99") == []


def test_an_interpreter_says_which_glibc_it_loads(install):
    found = install.Interpreter.of(Path(sys.executable)).glibc
    assert os.confstr("CS_GNU_LIBC_VERSION") == f"glibc {install.dotted(found)}"
    assert install.glibc_of("glibc 2.41") == (2, 41) > install.TFX_1_21.glibc
    assert install.glibc_of("None") == ()  # of a Python that knows of no glibc


def test_an_interpreter_that_does_not_run_is_passed_over(install, tmp_path, monkeypatch):
    fails = shim(tmp_path, "python3.10", "echo 'pyenv: python3.10: command not found' >&2\nexit 127")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    assert fails not in [python.path for python in install.interpreters("3.10")]


def test_the_newest_line_that_the_c_library_can_load_is_taken_and_it_is_said_why(machine, capsys):
    assert machine("2.39", ["3.10", "3.12"])[0] == "1.21"
    assert "TFX 1.21 in " in capsys.readouterr().out
    assert machine("2.38", ["3.10", "3.12"])[0] == "1.16"
    assert "TFX 1.21 wants glibc 2.39, and this machine has glibc 2.38" in capsys.readouterr().out


def test_a_machine_with_only_python_3_12_and_a_new_glibc_needs_no_other(machine):
    tfx, made = machine("2.41", ["3.12"])
    assert tfx == "1.21"
    assert "bin/python3.12" in made


def test_an_interpreter_is_fetched_before_an_older_line_is_taken(machine, capsys):
    tfx, made = machine("2.41", ["3.10"], fetched=("3.12",))
    assert tfx == "1.21"
    assert "--managed-python --python 3.12" in made
    assert machine("2.41", ["3.10"])[0] == "1.16"
    assert "uv cannot fetch it (it takes Python from GitHub)" in capsys.readouterr().out


def test_an_interpreter_with_a_glibc_of_its_own_counts_by_that(machine, tmp_path):
    shim(tmp_path / "bin", "python3.12", "echo '3.12 glibc 2.41'")
    assert machine("2.36", ["3.10"])[0] == "1.21"


@pytest.mark.parametrize("line", ["1.16", "1.21"])
def test_tfx_line_chooses(machine, monkeypatch, line, capsys):
    monkeypatch.setenv("TFX_LINE", line)
    assert machine("2.41", ["3.10", "3.12"])[0] == line
    assert "as TFX_LINE says" in capsys.readouterr().out


def test_a_line_that_is_not_locked_or_cannot_be_loaded_is_refused(install, machine, monkeypatch):
    monkeypatch.setenv("TFX_LINE", "1.21")
    with pytest.raises(install.InstallError, match=r"TFX 1.21 wants glibc 2.39, and .* has glibc 2.36. A newer distri"):
        machine("2.36", ["3.10", "3.12"])
    monkeypatch.setenv("TFX_LINE", "1.15")
    with pytest.raises(install.InstallError, match=r"TFX_LINE is 1.15, and this project is locked for 1.21 and 1.16"):
        machine("2.36", ["3.10", "3.12"])


def test_no_interpreter_is_said_with_the_reasons_and_what_would_serve(install, machine):
    with pytest.raises(install.InstallError) as caught:
        machine("2.36", ["3.11"])
    message = str(caught.value)
    assert "TFX 1.21 wants glibc 2.39, and this machine has glibc 2.36" in message
    assert "TFX 1.16 wants Python 3.10, which is not on the PATH or in pyenv, and uv cannot fetch it" in message
    for way in ("pyenv install 3.10", "conda create -p DIR python=3.10", "UV_PYTHON_INSTALL_MIRROR"):
        assert way in message


def test_another_line_or_other_requirements_are_another_environment(install, tmp_path, monkeypatch):
    monkeypatch.setattr(install, "VENV", tmp_path)
    monkeypatch.delenv("TFX_LINE", raising=False)
    interpreter(tmp_path)
    assert not install.is_installed()
    (tmp_path / "installed").write_text(f"{install.stamp()} 1.16")
    assert install.is_installed()
    monkeypatch.setenv("TFX_LINE", "1.16")
    assert install.is_installed()
    monkeypatch.setenv("TFX_LINE", "1.21")
    assert not install.is_installed()
    monkeypatch.delenv("TFX_LINE")
    (tmp_path / "installed").write_text("requirements of yesterday 1.16")
    assert not install.is_installed()


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
