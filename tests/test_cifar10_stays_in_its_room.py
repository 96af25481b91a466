"""Nothing outside the worked example's rooms knows a number, a name or a class of CIFAR-10."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
ROOMS = ("pipelines/cifar10/", "components/cifar10_example_gen/", "schemas/cifar10/")
KNOWS = re.compile(r"(?i:cifar|airplane)|\bCLASS_NAMES\b|\b32, 32\b|\b3,?072\b")
# Every line elsewhere that may, and why.
ALLOWED = {
    # The components are exported by name, this one among them.
    "components/__init__.py": {'"Cifar10ExampleGen": "cifar10_example_gen.component",'},
    # The one module by which the command line reaches the worked example.
    "model_monitor/worked_example.py": {
        "from pipelines.cifar10 import dataset",
        "from pipelines.cifar10 import images as images_of",
        "from pipelines.cifar10.config import Cifar10Config as ExampleConfig",
        'NAME = "CIFAR-10"',
        'PIPELINE = "cifar10.training"  # the module in `pipelines`',
    },
}
# Where its corruptions come from: CIFAR-10-C is the name of a published benchmark, and of a paper's data.
CITATION = re.compile(r"CIFAR-10-C|the long-tailed CIFAR of Cui et al\.")


def knowing_lines() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for package in ("components", "model_monitor", "pipelines", "schemas"):
        for path in sorted((REPOSITORY / package).rglob("*")):
            name = path.relative_to(REPOSITORY).as_posix()
            if path.is_file() and "__pycache__" not in name and not name.startswith(ROOMS):
                for line in path.read_text(encoding="utf-8").splitlines():
                    if KNOWS.search(line) and not (name.startswith("model_monitor/traffic/") and CITATION.search(line)):
                        found.setdefault(name, set()).add(line.strip())
    return found


def test_only_the_lines_listed_here_know_of_it():
    assert knowing_lines() == ALLOWED


def test_the_search_finds_what_the_rooms_hold():
    inside = [path for room in ROOMS for path in (REPOSITORY / room).glob("*") if path.is_file()]
    assert sum(bool(KNOWS.search(path.read_text(encoding="utf-8"))) for path in inside) > 5
