"""What describing JPEG files costs by the code of this tree, and by that of another commit, in one run.

    python -m benchmarks.two_trees COMMIT [--rounds 5]

The files are those of `benchmarks.throughput`, 400 crops of 224 x 224, five times each in one file of Examples, of
which each tree's ImageStatisticsGen makes statistics and a sample. Both run in processes of their own, which live
through the run, in this environment: once each for what is loaded at first use, then by turns. Told are processor
seconds, and their medians.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from components.common.pipes import output_of

ROOT = Path(__file__).resolve().parent.parent
# Runs in either tree: what it calls has been there, under these names, since files are read in parts.
CHILD = """
import sys, time
from components.common.image_spec import ImageSpec
from components.image_statistics_gen.describe_examples import describe_here
from components.image_statistics_gen.statistics_generator import ImageStatisticsGenerator

spec = ImageSpec(feature="image", format="jpeg", channels=3)
for path in map(str.strip, sys.stdin):
    began = time.process_time()
    described = describe_here([path], ImageStatisticsGenerator(spec, describe_image=True, sample_size=10_000), None)
    took = time.process_time() - began
    print("took", took, described.statistics.datasets[0].num_examples, flush=True)
"""


@contextlib.contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """A folder with the files of a commit."""
    with tempfile.TemporaryDirectory() as folder:
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", folder, commit], check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run([*git, "remove", "--force", folder], check=True)


class Tree:
    """A process that describes files with the code of one tree."""

    def __init__(self, folder: Path) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": str(folder),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "OPENBLAS_NUM_THREADS": "1",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-c", CHILD], cwd=folder, env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def describe(self, path: str, images: int) -> float:
        """The processor seconds that it took. Raises `RuntimeError` where it did not describe all images."""
        print(path, file=self._process.stdin, flush=True)
        for line in output_of(self._process):
            if line.startswith("took "):
                _, took, count = line.split()
                if int(count) != images:
                    raise RuntimeError(f"{images} images must be described. Received: {count}")
                return float(took)
        raise RuntimeError("the process has ended")

    def end(self) -> None:
        self._process.communicate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", help="of the other code")
    parser.add_argument("--rounds", type=int, default=5)
    told = parser.parse_args()
    # here, for it imports what `--help` can do without
    from benchmarks.throughput import REPEATED, example, jpeg_file, photographs, write  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder, checked_out(told.commit) as other:
        files = [jpeg_file(image) for image in photographs()] * REPEATED
        path = write(f"{folder}/files", list(map(example, files, range(len(files)))))
        trees = {"other": Tree(other), "this": Tree(ROOT)}
        for tree in trees.values():
            tree.describe(path, len(files))
        took: dict[str, list[float]] = {name: [] for name in trees}
        for _ in range(told.rounds):
            for name, tree in trees.items():
                took[name].append(tree.describe(path, len(files)))
        for tree in trees.values():
            tree.end()
    median = {name: statistics.median(each) for name, each in took.items()}
    print(
        json.dumps(
            {"images": len(files), "cpu_s": took, "median_cpu_s": median, "ratio": median["other"] / median["this"]}
        )
    )


if __name__ == "__main__":
    main()
