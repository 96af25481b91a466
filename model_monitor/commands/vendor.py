"""`model-monitor vendor`: the components as a folder of one's own project, under a name of one's own."""

import argparse
import keyword
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

import components
from components.common.errors import MonitorError, require

from ..terminal import make_console
from . import EXIT_FINE

DESCRIPTION = """Copies the package `components` into a project under another name, for images and workers built
from the project alone, and gives EvalConfigs the new module names. Exit code: 0 copied, 1 error."""

_SOURCE = Path(components.__file__).parent
# As EvalConfigs name the module of a metric: module: "components.classification_metrics.metrics"
_MODULE = re.compile(rf"""(\bmodule\s*:\s*["']){_SOURCE.name}(?=[."'])""")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="the project's folder, which Python imports from")
    parser.add_argument(
        "--as", dest="name", required=True, metavar="NAME", help="name of the copy, as imported, e.g. acme_monitor"
    )
    parser.add_argument(
        "--eval-config",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="an EvalConfig to rewrite; default: every *.pbtxt below DIR that names a module of the components",
    )


def run(options: argparse.Namespace) -> int:
    parts = options.name.split(".")
    good = all(part.isidentifier() and not keyword.iskeyword(part) for part in parts)
    require(good and options.name != _SOURCE.name, "--as", "be the name of another Python package", options.name)
    require(options.folder.is_dir(), "the folder", "be there", str(options.folder))
    target = options.folder.joinpath(*parts)
    require(not target.exists(), "--as", "be the name of nothing that is there", str(target))
    for file in options.eval_config:
        require(file.is_file(), "--eval-config", "be a file", str(file))
    rewritten = rewrites(options.eval_config or sorted(options.folder.rglob("*.pbtxt")), options.name)
    copied = copy(target)
    for file, text in rewritten.items():
        file.write_text(text, encoding="utf-8")
    console = make_console()
    console.print(f"Copied {copied} files; `from {options.name} import ImageStatisticsGen` works in:")
    console.print(f"  {escape(str(options.folder))}", soft_wrap=True)
    for file in rewritten:
        console.print("Module names rewritten in:")
        console.print(f"  {escape(str(file))}", soft_wrap=True)
    return EXIT_FINE


def copy(target: Path) -> int:
    """Copies the package to `target`, which becomes a package of its own; the number of files."""
    shutil.copytree(_SOURCE, target, ignore=shutil.ignore_patterns("__pycache__", "*.py[co]"))
    return sum(path.is_file() for path in target.rglob("*"))


def rewrites(files: Sequence[Path], name: str) -> dict[Path, str]:
    """The new text of each EvalConfig that names a module of the components. Raises `MonitorError`."""
    changed = {}
    for file in files:
        try:
            before = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise MonitorError(f"{file} must be a readable text file: {error}") from error
        after = _MODULE.sub(rf"\g<1>{name}", before)
        if after != before:
            changed[file] = after
    return changed
