"""What each step of a compiled pipeline costs: processor time and memory of its container's command.

    python -m benchmarks.kubeflow.steps [--folder DIR]

Both pipelines of the worked example are compiled and walked as Kubeflow's driver and launcher walk them. Each step is
run twice on the same inputs: as its container runs it, and in TFX's own entry point, as every step was run before.
Prints the table of docs/kubeflow.md.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.common import baseline_bundle
from pipelines.cifar10 import dataset
from tests.support.kubeflow.walk import Walk

from . import meter

REPOSITORY = Path(__file__).resolve().parents[2]
SPEC = REPOSITORY / "schemas" / "cifar10" / "model_spec.yaml"
LIGHT = (3.0, 300.0)  # processor seconds and MiB that a step without TensorFlow is to keep within


@dataclass(frozen=True)
class Step:
    """A step's cost: processor seconds, MiB at its peak, and seconds, of ours and of TFX's."""

    pipeline: str
    name: str
    ours: tuple[float, float, float]
    tfx: tuple[float, float, float]


@dataclass(frozen=True)
class Place:
    """Where it is measured: the folder of everything, and the volume of it that steps know."""

    folder: Path

    @property
    def volume(self) -> Path:
        return self.folder / "volume"

    def walk(self, pipeline: str, *settings: str, **parameters: str) -> Iterator[Step]:
        """Compiles a pipeline, walks it, and gives what its steps cost."""
        out = self.folder / f"{pipeline}.yaml"
        mount = f"kubeflow.mounts=[{{claim: volume, path: {self.volume}}}]"
        told = [part for setting in (*settings, mount) for part in ("--set", setting)]
        _model_monitor("compile", "--pipeline", pipeline, "--image", "measured", *told, "-o", str(out))
        measures = self.folder / f"{pipeline}.jsonl"
        measures.unlink(missing_ok=True)
        run = Walk(
            out.read_text(encoding="utf-8"),
            self.folder / pipeline,
            commands=_commands(self.folder / "commands"),
            environment={meter.FILE: str(measures)},
        ).run(parameters)
        ran = [name for name, task in run.tasks.items() if task.given]
        lines = measures.read_text(encoding="utf-8").splitlines()
        for name, line in zip(ran, lines, strict=True):
            measured = json.loads(line)
            if measured["codes"] != [0, 0]:
                raise SystemExit(f"{name} ended with {measured['codes']}")
            yield Step(pipeline, name, tuple(measured["ours"]), tuple(measured["tfx"]))


def steps(folder: Path) -> Iterator[Step]:
    """Both pipelines: a training that pushes the first version, and a span of its logs."""
    place = Place(folder)
    place.volume.mkdir(parents=True)
    shutil.copytree(dataset.resolve("sample"), place.volume / "data")
    serving, logs = place.volume / "serving", place.volume / "logs"
    yield from place.walk("training", "trainer.epochs=6", f"serving_dir={serving}", data=str(place.volume / "data"))
    if not baseline_bundle.versions(str(serving)):
        raise SystemExit("no version was pushed")
    _model_monitor("replay", "--serving", str(serving), "--logs", str(logs))
    settings = (f"model_spec={SPEC}", f"serving_dir={serving}", f"serving_logs={logs}")
    yield from place.walk("monitoring", *settings)


def table(measured: Sequence[Step]) -> str:
    """The table of the page, in Markdown."""
    lines = ["| pipeline | step | CPU s | before | MiB | before |", "|---|---|---|---|---|---|"]
    for step in measured:
        (cpu, memory, _), (tfx_cpu, tfx_memory, _) = step.ours, step.tfx
        light = "**" if cpu <= LIGHT[0] and memory <= LIGHT[1] else ""
        lines.append(
            f"| {step.pipeline} | {step.name} | {light}{cpu:.1f}{light} | {tfx_cpu:.1f} "
            f"| {light}{memory:.0f}{light} | {tfx_memory:.0f} |"
        )
    for name in dict.fromkeys(step.pipeline for step in measured):
        of = [step for step in measured if step.pipeline == name]
        cpu, tfx = sum(step.ours[0] for step in of), sum(step.tfx[0] for step in of)
        lines.append(f"| {name} | all {len(of)} | {cpu:.0f} | {tfx:.0f} | | |")
    return "\n".join(lines)


def _commands(folder: Path) -> Path:
    """A folder with the `python` of a container, which is measured."""
    folder.mkdir(exist_ok=True)
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "{meter.__file__}" "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    return folder


def _model_monitor(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "model_monitor.cli", *arguments], cwd=REPOSITORY, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=REPOSITORY / "build" / "steps", help="of what is made anew")
    folder = parser.parse_args().folder.absolute()
    shutil.rmtree(folder, ignore_errors=True)
    print(table(list(steps(folder))))


if __name__ == "__main__":
    main()
