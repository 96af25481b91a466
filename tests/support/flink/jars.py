"""Flink and Beam's runner for it, fetched once by Maven, held against known checksums, and kept in build/."""

import hashlib
import os
import shutil
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
KEPT = HERE.parents[2] / "build" / "flink"
CHECKSUMS = HERE / "jars.sha256"  # as sha256sum writes them
BEAM = "2.59.0"  # as pom.xml has it
_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
_NEEDED = ("java", "javac", "mvn")


class MissingError(Exception):
    """What is needed for Flink cannot be had on this machine."""


@dataclass(frozen=True)
class Jars:
    """What a cluster needs.

    Attributes:
      classpath: for Java.
      submitted: a jar that Beam puts a pipeline into.

    """

    classpath: str
    submitted: Path


def fetch(folder: Path = KEPT) -> Jars:
    """Fetches what is not there yet, and compiles what Beam does not publish.

    Raises:
      MissingError: there is no Java or Maven, or it gives no jars.
      ValueError: a jar is another one than was written down.

    """
    missing = [name for name in _NEEDED if shutil.which(name) is None]
    if missing:
        raise MissingError(f"Flink needs {', '.join(_NEEDED)}; there is no {', '.join(missing)}")
    jars = folder / "jars"
    if not _are_those(jars):
        _download(jars)
    check(jars)
    classes = folder / "classes"
    sources = sorted(map(str, (HERE / "java").rglob("*.java")))
    subprocess.run(["javac", "-cp", f"{jars}/*", "-d", str(classes), *sources], check=True)
    submitted = folder / "submitted.jar"
    with zipfile.ZipFile(submitted, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n\n")
    return Jars(f"{classes}{os.pathsep}{jars}/*", submitted)


def check(jars: Path) -> None:
    """Raises `ValueError` unless a folder holds exactly the jars that were written down."""
    known = _known()
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in jars.iterdir()}
    wrong = sorted(name for name in known.keys() | found.keys() if known.get(name) != found.get(name))
    if wrong:
        raise ValueError(f"{jars} must hold the files of {CHECKSUMS.name}. Others are: {', '.join(wrong)}")


def _known() -> dict[str, str]:
    lines = CHECKSUMS.read_text().splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def _are_those(jars: Path) -> bool:
    return jars.is_dir() and {path.name for path in jars.iterdir()} == _known().keys()


def _download(jars: Path) -> None:
    shutil.rmtree(jars, ignore_errors=True)
    repository = jars.parent / "repository"
    told = [f"-DoutputDirectory={jars}", "-DincludeScope=runtime", f"-Dmaven.repo.local={repository}"]
    command = ["mvn", "-B", "-q", "-f", str(HERE / "pom.xml"), _PLUGIN, *told]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        shutil.rmtree(jars, ignore_errors=True)
        raise MissingError(f"Maven gives no jars: {(done.stdout + done.stderr).strip()[:500]}")
