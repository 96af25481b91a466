"""Makes `.venv` with everything this project needs, from a machine that has nothing but a Python and the registries.

    python3 requirements/install.py

It looks for an interpreter that suits the machine (see `LINES`), installs the locked requirements with their bytecode
compiled (without it every `import tfx` costs half a minute), and the project itself. Doing it again when nothing has
changed costs nothing. Standard library only, and any Python from 3.8 on can run it.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
TOOLS = REPO / ".tools"
VENV = REPO / ".venv"

Line = namedtuple("Line", "tfx python lock")
# The lines of TFX this project is locked for, best first. TFX 1.16 runs on every glibc since 2.17; the wheels of TFDV
# and ML Metadata that newer lines need want glibc 2.38.
LINES = [Line(tfx="1.16", python="3.10", lock=REPO / "requirements" / "tfx-1.16.txt")]


class InstallError(Exception):
    """Something the person at the machine has to do; said in one sentence."""


def run(*command: object, hint: str) -> None:
    """Runs a command, showing its output only if it fails."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [str(c) for c in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        check=False,
        text=True,
    )
    if done.returncode:
        raise InstallError(f"{done.stdout.rstrip()}\n{hint}")


def interpreters(version: str) -> "list[Path]":
    """Interpreters of `version` on this machine: on the PATH, then pyenv's, which the PATH often hides."""
    roots = [Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv"), Path.home() / ".pyenv"]
    on_path = shutil.which(f"python{version}")
    found = [Path(on_path)] if on_path else []
    for root in roots:
        found += sorted((root / "versions").glob(f"{version}.*/bin/python"), reverse=True)
    return [p for p in found if version_of(p) == version]


def version_of(python: Path) -> str:
    """The major and minor version that `python` says it is, or nothing when it does not run (a pyenv shim may not)."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def find_uv() -> Path:
    """The uv of this checkout, installed from its hashed requirement beside the environment when it is not there."""
    uv = TOOLS / "bin" / "uv"
    if uv.exists() and subprocess.run([str(uv), "--version"], capture_output=True, check=False).returncode == 0:
        return uv
    say("installing uv, which installs the rest")
    no_venv = f"{sys.executable} cannot make a virtual environment: install its venv module (Debian: python3-venv)."
    run(sys.executable, "-m", "venv", "--clear", TOOLS, hint=no_venv)
    lock = REPO / "requirements" / "uv.txt"
    offline = "uv could not be installed: is the Python package index within reach?"
    run(TOOLS / "bin" / "python", "-m", "pip", "install", "-q", "--require-hashes", "-r", lock, hint=offline)
    return uv


def make_environment(uv: Path) -> Line:
    """An empty `.venv` of the first line that this machine has, or can fetch, an interpreter for."""
    for line in LINES:
        for python in interpreters(line.python):
            run(uv, "venv", "-q", "--clear", "--python", python, VENV, hint=f"{python} cannot make an environment.")
            return line
    for line in LINES:
        say(f"no Python {line.python} on this machine; trying to fetch one")
        fetch = [str(uv), "python", "install", "-q", line.python]
        if subprocess.run(fetch, capture_output=True, check=False).returncode == 0:
            run(uv, "venv", "-q", "--clear", "--managed-python", "--python", line.python, VENV, hint="uv venv failed.")
            return line
    wanted = " or ".join(f"Python {line.python} (for TFX {line.tfx})" for line in LINES)
    libc = " ".join(filter(None, [os.confstr("CS_GNU_LIBC_VERSION") if hasattr(os, "confstr") else ""]))
    raise InstallError(
        f"This project needs {wanted}, because that is what the TFX it is locked to has wheels for on this machine "
        f"({libc or sys.platform}); none was found on the PATH or in pyenv, and none could be downloaded: "
        f"install one, e.g. `pyenv install {LINES[0].python}`."
    )


def stamp() -> str:
    """Changes when anything that decides the environment's content does."""
    parts = [*(line.lock.read_bytes() for line in LINES), (REPO / "pyproject.toml").read_bytes(), str(REPO).encode()]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def say(text: str) -> None:
    print(f"install: {text}", flush=True)


def install() -> None:
    done = VENV / "installed"
    if done.exists() and done.read_text() == stamp() and version_of(VENV / "bin" / "python"):
        return
    if not sys.platform.startswith("linux"):
        raise InstallError(
            f"TFX has wheels for Linux only, and this is {sys.platform}: use a Linux machine or container."
        )
    uv = find_uv()
    line = make_environment(uv)
    say(f"installing TFX {line.tfx} and the rest, about 200 packages: one to three minutes")
    python = VENV / "bin" / "python"
    sync = ["pip", "sync", "-q", "--python", python, "--compile-bytecode", "--require-hashes", line.lock]
    run(uv, *sync, hint="The locked requirements could not be installed: is the Python package index within reach?")
    project = ["pip", "install", "-q", "--python", python, "--no-deps", "--no-build-isolation", "-e", REPO]
    run(uv, *project, hint="The project itself could not be installed.")
    done.write_text(stamp())
    say("done")


if __name__ == "__main__":
    try:
        install()
    except InstallError as error:
        sys.exit(f"install: {error}")
