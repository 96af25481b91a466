"""How long `model-monitor` takes to answer, with a store of many runs.

    python -m benchmarks.command_line [--runs 200] [--times 3]

The store is written to a temporary folder: runs of TFX's penguin example and monitored spans by turns, with their
files. Each command is a process of its own; the best and the worst of its times are in seconds. What the commands
import is compiled first, as `make install` does it.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support.example_runs import Story

REPOSITORY = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args()
    subprocess.run([sys.executable, "-m", "compileall", "-q", "components", "pipelines"], cwd=REPOSITORY, check=True)
    with tempfile.TemporaryDirectory() as folder:
        story = write_story(Path(folder), options.runs)
        print(f"{options.runs} runs, {story.metadata.stat().st_size / 1e6:.1f} MB of ML Metadata\n")
        print(f"{'command':<48}{'best':>8}{'worst':>8}")
        for command in COMMANDS:
            given = [] if command[0].startswith("--") else ["--metadata", str(story.metadata)]
            times = [seconds([*command, *given], story.root) for _ in range(options.times)]
            print(f"{' '.join(command):<48}{min(times):8.2f}{max(times):8.2f}")


COMMANDS = (
    ["--help"],
    ["inspect"],
    ["inspect", "--limit", "0"],
    ["inspect", "latest"],
    ["inspect", "latest", "--type", "ExampleAnomalies"],
    ["inspect", "--type", "ModelBlessing"],
    ["why"],
    ["why", "span:1"],
    ["why", "span:90"],
    ["report"],
    ["report", "span:90"],
    ["compare", "span:1", "span:90"],
    ["compare", "span:1", "span:90", "--out", "compared.html"],
)


def write_story(root: Path, runs: int) -> Story:
    """A store of `runs` runs: every other one looks at a span, and each spell of ten spans is changed for three."""
    story = Story(root)
    for number in range(runs):
        run_id = f"2026-01-{number:05d}"
        if number % 2 == 0:
            story.penguin(run_id, accuracy=0.5 if number % 20 == 0 else 0.9)
        else:
            span = number // 2 + 1
            story.span(run_id, span, changed=("image_sharpness", "image_noise") if span % 10 > 6 else ())
    return story


def seconds(arguments: list[str], folder: Path) -> float:
    """How long one command takes, called in a folder. Raises `CalledProcessError` if it fails."""
    command = [sys.executable, "-m", "model_monitor.cli", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    started = time.monotonic()
    subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
    return time.monotonic() - started


if __name__ == "__main__":
    main()
