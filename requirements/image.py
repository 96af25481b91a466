"""Makes the container image of this project, of the Dockerfile beside pyproject.toml.

    python3 requirements/image.py --tag model-monitor:0.1.0

The Dockerfile's own base comes from a registry of images. Where none is in reach, the base is made of what is here: a
Debian of Debian's packages (debootstrap, as root) with the machine's Python 3.10 and its certificates. Everything else
is the same. Prints the image's name and size. Standard library only.
"""

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import install  # beside this file

REPO = Path(__file__).resolve().parent.parent
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
# What Debian's packages have of the libraries that a Python's own modules are linked with.
LIBRARIES = "ca-certificates,libbz2-1.0,libffi8,liblzma5,libncursesw6,libreadline8,libsqlite3-0,libssl3,libuuid1,zlib1g"
# Of the machine's Python: what nothing needs, or what belongs to the machine.
LEFT_OUT = ("__pycache__", "site-packages", "test", "idlelib", "tkinter", "*.a", "config-3.10*")


NO_BASE = 3  # exit code: there is no base to build on here


class ImageError(Exception):
    """Why there is no image, in one sentence."""


class NoBaseError(ImageError):
    """The same, where there is nothing to build it on."""


def docker(*arguments: str, show: bool = False) -> str:
    """Runs Docker's client. Raises `ImageError` with the end of what it said where it fails."""
    where = None if show else subprocess.PIPE
    try:
        done = subprocess.run(["docker", *arguments], stdout=where, stderr=subprocess.STDOUT, text=True, check=False)
    except FileNotFoundError as error:
        raise ImageError("Docker's client is not installed") from error
    if done.returncode:
        said = " ".join((done.stdout or "").split()[-60:])
        raise ImageError(f"docker {arguments[0]} failed{': ' if said else ''}{said}")
    return done.stdout or ""


def has(image: str) -> bool:
    return bool(docker("images", "--quiet", image).strip())


def usual_base() -> str:
    """The base that the Dockerfile names."""
    text = (REPO / "Dockerfile").read_text(encoding="utf-8")
    return re.search(r"^ARG BASE=(\S+)$", text, re.MULTILINE)[1]


def base() -> str:
    """The Dockerfile's base where it is here or can be had, and one of local files elsewhere."""
    usual = usual_base()
    if has(usual):
        return usual
    try:
        docker("pull", "--quiet", usual)
    except ImageError:
        return local_base()
    return usual


def local_base() -> str:
    """A base of Debian's packages, the machine's Python 3.10 and its certificates; made once."""
    python = interpreter()
    release = codename()
    made_of = f"{release} {python} {LIBRARIES} {LEFT_OUT}"
    name = f"model-monitor-base:{hashlib.sha256(made_of.encode()).hexdigest()[:12]}"
    if not has(name):
        if not shutil.which("debootstrap"):
            raise NoBaseError(
                f"{usual_base()} cannot be had, and debootstrap is not installed, which makes one of packages"
            )
        say(f"{usual_base()} cannot be had: making a base of Debian's packages and {python}")
        with tempfile.TemporaryDirectory(prefix="base") as folder:
            root = Path(folder, "root")
            fill(root, release, python)
            imported(root, name)
    return name


def interpreter() -> Path:
    """The folder of a Python 3.10 that can be moved: one that has a folder of its own, as pyenv's and uv's have."""
    for python in install.interpreters("3.10"):
        code = "import sys; print(sys.base_prefix)"
        prefix = subprocess.run([python.path, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        if prefix not in ("/usr", "/usr/local"):
            return Path(prefix)
    raise NoBaseError("no Python 3.10 in a folder of its own is on this machine, such as `pyenv install 3.10` makes")


def codename() -> str:
    """The release of Debian that the machine runs, for whose libraries its Python was built."""
    try:
        found = re.search(
            r"^VERSION_CODENAME=(\w+)$", Path("/etc/os-release").read_text(encoding="utf-8"), re.MULTILINE
        )
    except OSError:
        found = None
    if not found:
        raise NoBaseError("this machine does not say which release of Debian it runs")
    return found[1]


def fill(root: Path, release: str, python: Path) -> None:
    """Debian's essential packages and the libraries, and the Python under /usr/local."""
    command = ["debootstrap", "--variant=minbase", f"--include={LIBRARIES}", release, str(root)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise ImageError(f"debootstrap failed: {' '.join(done.stdout.split()[-40:])}")
    shutil.rmtree(root / "var" / "cache" / "apt" / "archives")
    ignored = shutil.ignore_patterns(*LEFT_OUT)
    shutil.copytree(python, root / "usr" / "local", symlinks=True, ignore=ignored, dirs_exist_ok=True)
    (root / "usr" / "local" / "lib" / "python3.10" / "site-packages").mkdir()
    if Path(CERTIFICATES).exists():
        shutil.copy(CERTIFICATES, root / CERTIFICATES.lstrip("/"))
    for command in (["ldconfig"], ["python3", "-m", "ensurepip", "--default-pip"]):
        subprocess.run(["chroot", root, *command], stdout=subprocess.DEVNULL, check=True)


def imported(root: Path, name: str) -> None:
    """Docker's image of a root file system; its Pythons trust the machine's certificates."""
    settings = f"ENV SSL_CERT_FILE={CERTIFICATES} PIP_CERT={CERTIFICATES}"
    with subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE) as archive:
        command = ["docker", "import", "--change", settings, "--change", 'CMD ["python3"]', "-", name]
        subprocess.run(command, stdin=archive.stdout, stdout=subprocess.DEVNULL, check=True)


def build(tag: str, extras: str, base_image: str) -> None:
    arguments = ["--build-arg", f"BASE={base_image}", "--build-arg", f"MODEL_MONITOR_EXTRAS={extras}"]
    docker("build", "--network", "host", *arguments, "--tag", tag, str(REPO), show=True)


def size_of(image: str) -> int:
    return json.loads(docker("image", "inspect", image))[0]["Size"]


def say(text: str) -> None:
    print(f"image: {text}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tag", default="model-monitor:latest", help="the image's name; default: %(default)s")
    parser.add_argument(
        "--base", default="", help="image with a Python 3.10; default: the Dockerfile's, or a local one"
    )
    parser.add_argument("--extras", default="kfp", help="extras of pyproject.toml, separated by blanks; default: kfp")
    options = parser.parse_args()
    build(options.tag, options.extras, options.base or base())
    say(f"{options.tag} has {size_of(options.tag) / 1e9:.2f} GB")


if __name__ == "__main__":
    try:
        main()
    except NoBaseError as error:
        sys.stderr.write(f"image: {error}\n")
        sys.exit(NO_BASE)
    except ImageError as error:
        sys.exit(f"image: {error}")
