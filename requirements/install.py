"""Makes `.venv` with everything this project needs, from a machine that has nothing but a Python and the registries.

    python3 requirements/install.py

It takes the newest line of TFX that the C library here can load (see `LINES`), or the one that TFX_LINE names, and an
interpreter for it; installs the locked requirements with their bytecode compiled (without it every `import tfx` costs
half a minute), and the project itself. Doing it again when nothing has changed costs nothing. VENV is another folder
than `.venv`. Standard library only, and any Python from 3.8 on can run it.
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
VENV = REPO / os.environ.get("VENV", ".venv")

Line = namedtuple("Line", "tfx python glibc lock")
# The lines of TFX this project is locked for, and the glibc that their wheels want: of 1.21, TFDV's and ML Metadata's
# are manylinux_2_39; what 1.16 is locked with is manylinux_2_28 at most.
TFX_1_21 = Line(tfx="1.21", python="3.12", glibc=(2, 39), lock=REPO / "requirements" / "tfx-1.21.txt")
TFX_1_16 = Line(tfx="1.16", python="3.10", glibc=(2, 28), lock=REPO / "requirements" / "tfx-1.16.txt")
LINES = [TFX_1_21, TFX_1_16]  # best first


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


class Interpreter(namedtuple("Interpreter", "path version glibc")):
    """A Python: its major and minor version, and the version of the glibc that it loads."""

    @classmethod
    def of(cls, path: Path) -> "Interpreter":
        """What `path` says it is; nothing when it does not run (a pyenv shim may not), or knows of no glibc."""
        code = "import os, sys; print('%d.%d' % sys.version_info[:2], os.confstr('CS_GNU_LIBC_VERSION'))"
        try:
            done = subprocess.run([str(path), "-c", code], capture_output=True, text=True, check=False, timeout=60)
        except (OSError, subprocess.TimeoutExpired):
            return cls(path, "", ())
        version, _, libc = done.stdout.strip().partition(" ")
        return cls(path, version, glibc_of(libc)) if done.returncode == 0 else cls(path, "", ())


def glibc_of(libc: str) -> "tuple[int, ...]":
    """(2, 36) of `glibc 2.36`, and () of any other C library."""
    name, _, version = libc.partition(" ")
    return tuple(int(part) for part in version.split(".")[:2]) if name == "glibc" else ()


def glibc_here() -> "tuple[int, ...]":
    """The glibc of the interpreter that runs this, which is what a fetched one would load."""
    return Interpreter.of(Path(sys.executable)).glibc


def interpreters(version: str) -> "list[Interpreter]":
    """Interpreters of `version` on this machine: on the PATH, then pyenv's, which the PATH often hides."""
    roots = [Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv"), Path.home() / ".pyenv"]
    on_path = shutil.which(f"python{version}")
    paths = [Path(on_path)] if on_path else []
    for root in roots:
        paths += sorted((root / "versions").glob(f"{version}.*/bin/python"), reverse=True)
    return [python for python in map(Interpreter.of, paths) if python.version == version]


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


def wanted() -> "list[Line]":
    """The lines to try, best first: all, or the one that TFX_LINE names."""
    name = os.environ.get("TFX_LINE")
    if not name:
        return LINES
    if name not in [line.tfx for line in LINES]:
        known = " and ".join(line.tfx for line in LINES)
        raise InstallError(f"TFX_LINE is {name}, and this project is locked for {known}.")
    return [line for line in LINES if line.tfx == name]


def make_environment(uv: Path) -> Line:
    """An empty environment of the first wanted line that there is, or can be fetched, an interpreter for."""
    missing = []
    for line in wanted():
        found = [python for python in interpreters(line.python) if python.glibc >= line.glibc]
        if found:
            python = found[0].path
            run(uv, "venv", "-q", "--clear", "--python", python, VENV, hint=f"{python} cannot make an environment.")
        elif glibc_here() < line.glibc:
            missing.append(f"TFX {line.tfx} wants glibc {dotted(line.glibc)}, and this machine has {libc_here()}")
            continue
        elif fetch(uv, line.python):
            python = f"a Python {line.python} that uv fetched"
            run(uv, "venv", "-q", "--clear", "--managed-python", "--python", line.python, VENV, hint="uv venv failed.")
        else:
            missing.append(
                f"TFX {line.tfx} wants Python {line.python}, which is not on the PATH or in pyenv, and uv cannot fetch "
                "it (it takes Python from GitHub)"
            )
            continue
        why = (
            "as TFX_LINE says" if os.environ.get("TFX_LINE") else "; ".join(missing) or "the newest this project knows"
        )
        say(f"TFX {line.tfx} in {python}: {why}")
        return line
    raise InstallError(f"{'; '.join(missing)}. {what_would_serve()}")


def fetch(uv: Path, version: str) -> bool:
    """Whether uv could fetch a Python of `version`."""
    say(f"no Python {version} on this machine; trying to fetch one")
    return (
        subprocess.run([str(uv), "python", "install", "-q", version], capture_output=True, check=False).returncode == 0
    )


def what_would_serve() -> str:
    """Where else an interpreter can come from, for the wanted lines that the C library here can load."""
    lines = [line for line in wanted() if line.glibc <= glibc_here()]
    if not lines:
        return "A newer distribution would serve, or a container of one."
    names = " or ".join(f"Python {line.python}" for line in lines)
    version = lines[0].python
    return (
        f"What would serve is {names} as pythonX.Y on the PATH, from anywhere: `pyenv install {version}` (from "
        f"python.org, compiled here), `conda create -p DIR python={version}`, a package of the distribution, or "
        "UV_PYTHON_INSTALL_MIRROR set to a copy of what uv takes from GitHub."
    )


def libc_here() -> str:
    return f"glibc {dotted(glibc_here())}" if glibc_here() else "another C library"


def dotted(version: "tuple[int, ...]") -> str:
    return ".".join(map(str, version))


def stamp() -> str:
    """Changes when anything that decides the environment's content does, but for the line that was taken."""
    parts = [*(line.lock.read_bytes() for line in LINES), (REPO / "pyproject.toml").read_bytes(), str(REPO).encode()]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def is_installed() -> bool:
    """Whether the environment is one of a wanted line, from today's requirements, and still runs."""
    done = VENV / "installed"
    stamps = [f"{stamp()} {line.tfx}" for line in wanted()]
    return done.exists() and done.read_text() in stamps and bool(Interpreter.of(VENV / "bin" / "python").version)


def say(text: str) -> None:
    print(f"install: {text}", flush=True)


def install() -> None:
    if is_installed():
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
    (VENV / "installed").write_text(f"{stamp()} {line.tfx}")
    say("done")


if __name__ == "__main__":
    try:
        install()
    except InstallError as error:
        sys.exit(f"install: {error}")
