"""Gives an interpreter of this machine the C library of the next Debian, which the wheels of TFX 1.21 need.

    PATH="$(python3 .ci/newer_glibc.py 3.12):$PATH" make test

Prints the folder to put on the PATH: `pythonX.Y` in it is the machine's own, with glibc and libstdc++ of Debian 13 from
the machine's own mirror, unpacked beside it. Nothing else uses them, and the system's stay as they are. Where the
interpreter loads such a glibc anyway, its own folder is printed. Needs Debian 12, no root. Standard library only.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
BUILD = REPO / "build" / "newer-glibc"
SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
PACKAGES = ("libc6", "libstdc++6", "libgcc-s1", "patchelf")

sys.path.insert(0, str(REPO / "requirements"))
from install import TFX_1_21, Interpreter, interpreters  # noqa: E402


class NoGlibcError(Exception):
    """Why there is none, in one sentence."""


def unpack(release, folder):
    """Unpacks `PACKAGES` of a release of Debian, from the mirror that this machine uses."""
    if not SOURCES.is_file() or not shutil.which("apt-get"):
        raise NoGlibcError(f"{SOURCES} and apt-get say where Debian's packages are; one of them is missing")
    apt, debs = folder / "apt", folder / "debs"
    for place in (apt / "lists" / "partial", apt / "cache" / "archives" / "partial", debs):
        place.mkdir(parents=True)
    own = re.search(r"^VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text(), re.MULTILINE)
    if not own:
        raise NoGlibcError("/etc/os-release does not name this machine's release of Debian")
    sources = apt / "next.sources"
    sources.write_text(re.sub(rf"\b{own[1]}\b", release, SOURCES.read_text()))
    settings = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "-",
        "Dir::State::Lists": apt / "lists",
        "Dir::Cache": apt / "cache",
        "APT::Sandbox::User": "root",  # its own user cannot write to these folders
    }
    command = ["apt-get", "-q", *(word for name, value in settings.items() for word in ("-o", f"{name}={value}"))]
    run([*command, "update"])
    run([*command, "download", *PACKAGES], cwd=debs)
    for deb in sorted(debs.glob("*.deb")):
        run(["dpkg-deb", "-x", deb, folder])


def patch(python, libraries, patchelf):
    """Makes `python`, which is a copy, start with the `libraries`' loader and look for libraries there first."""
    loader = libraries / "ld-linux-x86-64.so.2"
    own = said(python, "sysconfig.get_config_var('LIBDIR')")
    # What is loaded with the interpreter is not looked up again by wheels, which would find the system's.
    needed = [word for name in ("libstdc++.so.6", "libgcc_s.so.1", "libm.so.6") for word in ("--add-needed", name)]
    for settings in (needed, ["--force-rpath", "--set-rpath", f"{libraries}:{own}"], ["--set-interpreter", loader]):
        run([loader, "--library-path", libraries, patchelf, *settings, python])


def make(version, folder):
    """An interpreter of `version` in `folder`/bin, with a newer glibc beside it."""
    found = interpreters(version)
    if not found:
        raise NoGlibcError(f"there is no Python {version} on the PATH or in pyenv")
    shutil.rmtree(folder, ignore_errors=True)
    unpack("trixie", folder / "debian")
    own = Path(said(found[0].path, "os.path.realpath(getattr(sys, '_base_executable', sys.executable))"))
    python = folder / "bin" / f"python{version}"
    python.parent.mkdir()
    shutil.copy2(own, python)
    for name in ("lib", "include"):  # where Python looks for its modules, and compilers for its headers
        (folder / name).symlink_to(own.parent.parent / name)
    debian = folder / "debian" / "usr"
    patch(python, debian / "lib" / "x86_64-linux-gnu", debian / "bin" / "patchelf")


def said(python, expression):
    """What an expression comes to in another interpreter."""
    code = f"import os, sys, sysconfig; print({expression})"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def run(command, **settings):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True, **settings)
    if done.returncode:
        raise NoGlibcError(f"{' '.join(map(str, command))} ended with {done.returncode}: {done.stdout[-2000:].strip()}")


def folder_of(version):
    """The folder of an interpreter of `version` that loads what TFX 1.21 needs; made when there is none."""
    for python in interpreters(version):
        if python.glibc >= TFX_1_21.glibc:
            return python.path.parent
    folder = BUILD / version
    made = folder / "bin" / f"python{version}"
    if Interpreter.of(made).glibc < TFX_1_21.glibc:
        make(version, folder)
    now = Interpreter.of(made)
    if now.glibc < TFX_1_21.glibc:
        raise NoGlibcError(f"{made} was made, and does not run or still loads glibc {now.glibc}")
    return made.parent


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        print(folder_of(sys.argv[1]))
    except NoGlibcError as error:
        sys.exit(f"newer_glibc: {error}")
