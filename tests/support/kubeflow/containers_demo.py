"""`make kfp-demo`: the worked example in containers, by Kubeflow's own kfp.local, from nothing to its verdicts.

    python -m tests.support.kubeflow.containers_demo [FOLDER]

The folder `store` in it stands for what lasts on a cluster: the object store with the artifacts, and a volume that
steps find under /store. Each step runs in a container of the project's image that sees nothing else of this machine and
has no network. What the runs say is asked of ML Metadata as Kubeflow records it.
"""

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape

from model_monitor.commands.running import summary_of
from model_monitor.reading.history import History
from model_monitor.reading.run_store import Run, open_store
from model_monitor.showing.lines import say
from model_monitor.terminal import make_console
from pipelines.cifar10 import dataset
from pipelines.cifar10.config import SCHEMA_DIR
from pipelines.config import MODEL_SPEC_FILE

from . import containers, recorded_run

VOLUME = "/store"
_MOUNT = f"kubeflow.mounts=[{{claim: store, path: {VOLUME}}}]"
_SPEC = Path(SCHEMA_DIR, MODEL_SPEC_FILE)
Tell = Callable[[str, float], object]


def _nobody(step: str, seconds: float) -> None:
    """Tells nobody of a step that has ended."""


@dataclass(frozen=True)
class Demo:
    """The pipelines of the worked example, and where they run.

    Attributes:
      folder: of everything that is made.
      image: the project's.
      settings: of the training, `key=value` each.
      tell: is told of each step that has ended.

    """

    folder: Path
    image: str
    settings: tuple[str, ...] = ()
    tell: Tell = _nobody

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def metadata(self) -> Path:
        """The database that the runs are recorded in."""
        return self.folder / "metadata" / "metadata.sqlite"

    def train(self, data: Path) -> containers.LocalRun:
        """Compiles the training pipeline and runs it on the files of a data set."""
        shutil.copytree(data, self.store / "data", dirs_exist_ok=True)
        compiled = self._compiled("training", *self.settings, f"serving_dir={VOLUME}/serving")
        return self._run(compiled, data=f"{VOLUME}/data")

    def monitor(self, **parameters: str) -> containers.LocalRun:
        """Compiles the monitoring pipeline and runs it on a span of the logs in the store."""
        folders = {"serving_dir": "serving", "serving_logs": "logs", "statistics_dir": "statistics"}
        where = [f"{key}={VOLUME}/{name}" for key, name in folders.items()]
        compiled = self._compiled("monitoring", f"model_spec={_SPEC}", "monitor.drift_against=previous", *where)
        return self._run(compiled, **parameters)

    def replay(self, *arguments: str) -> None:
        """Writes a span of logs as a server of the pushed model would."""
        where = ["--serving", str(self.store / "serving"), "--logs", str(self.store / "logs")]
        model_monitor("replay", *where, *arguments)

    def newest(self) -> tuple[History, Run]:
        """The run that was recorded last, as it is read from the metadata."""
        history = History(open_store(self.metadata))
        return history, history.runs[0]

    def log(self, pipeline: str) -> Path:
        """All that the last run of a pipeline printed."""
        return self.folder / f"{pipeline}.log"

    def _compiled(self, pipeline: str, *settings: str) -> Path:
        out = self.folder / f"{pipeline}.yaml"
        told = [part for setting in (*settings, _MOUNT) for part in ("--set", setting)]
        model_monitor("compile", "--pipeline", pipeline, "--image", self.image, *told, "-o", str(out))
        return out

    def _run(self, pipeline: Path, **parameters: str) -> containers.LocalRun:
        containers.give_away(self.store)
        mounts = [f"{self.store}:{VOLUME}"]
        ran = containers.run(pipeline, self.store / "runs", parameters, mounts=mounts, tell=self.tell)
        self.log(pipeline.stem).write_text(ran.printed, encoding="utf-8")
        recorded_run.record(pipeline.read_text(encoding="utf-8"), ran, self.metadata.parent, parameters)
        return ran


def model_monitor(*arguments: str) -> str:
    """What a command prints. Raises `RunFailedError` where it ends in an error."""
    command = [sys.executable, "-m", "model_monitor.cli", *arguments]
    done = subprocess.run(command, cwd=containers.REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode == 1:
        raise containers.RunFailedError(f"model-monitor {arguments[0]}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def tell(folder: Path) -> None:
    """The story: a model that is pushed, a span that is fine, and one that is blurred."""
    console = make_console()
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "store").mkdir(parents=True)
    say(console, "[bold]The image[/], of the Dockerfile and this folder: some minutes where there is none yet")
    began = time.monotonic()
    image = containers.image()
    say(console, f"  {image}, {time.monotonic() - began:.0f} s")
    demo = Demo(folder.absolute(), image, tell=lambda step, seconds: say(console, f"  {step:<24}{seconds:4.0f} s"))
    say(console, f"\n[bold]The training pipeline[/], each step in a container of {image} without a network")
    say(console, f"  the steps have one folder of this machine: {escape(str(demo.store))}")
    demo.train(dataset.resolve("sample"))
    _show(demo, "training", root=demo.store)
    for span, (told, shift) in enumerate((("as they are", ()), ("blurred", ("--shift", "gaussian_blur"))), 1):
        say(console, f"\n[bold]The monitoring pipeline[/], span {span}: images {told}")
        demo.replay(*shift, "--seed", str(span))
        demo.monitor(span=str(span))
        _show(demo, "monitoring")
    say(
        console,
        f"\nEverything is in {escape(str(folder))}. Why it is so, as of any run of a cluster:",
    )
    say(console, f"  .venv/bin/model-monitor why --store {escape(str(demo.metadata))}")


def _show(demo: Demo, pipeline: str, **more: Path) -> None:
    """What `model-monitor train` and `monitor` show of a run at its end, of the run that was recorded last."""
    history, run = demo.newest()
    told = {"verdict": history.verdict(run), "log_file": demo.log(pipeline), **more}
    summary_of(run, f"showing.{pipeline}", **told).show(make_console())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=containers.REPOSITORY / "build" / "kfp-demo")
    try:
        tell(parser.parse_args().folder)
    except containers.MonitorError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
