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
from dataclasses import dataclass
from pathlib import Path

from pipelines.cifar10 import dataset

from . import containers, recorded_run

VOLUME = "/store"
_MOUNT = f"kubeflow.mounts=[{{claim: store, path: {VOLUME}}}]"


@dataclass(frozen=True)
class Demo:
    """The pipelines of the worked example, and where they run.

    Attributes:
      folder: of everything that is made.
      image: the project's.
      settings: of the training, `key=value` each.

    """

    folder: Path
    image: str
    settings: tuple[str, ...] = ()

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
        settings = ("name=cifar10-training", *self.settings)
        compiled = self._compiled("training", *settings, f"serving_dir={VOLUME}/serving")
        return self._run(compiled, data=f"{VOLUME}/data")

    def monitor(self, span: int) -> containers.LocalRun:
        """Compiles the monitoring pipeline and runs it on a span of the logs in the store."""
        spec = containers.REPOSITORY / "schemas" / "cifar10" / "model_spec.yaml"
        compiled = self._compiled(
            "monitoring", f"model_spec={spec}", f"serving_dir={VOLUME}/serving", f"serving_logs={VOLUME}/logs"
        )
        return self._run(compiled, span=str(span))

    def replay(self, *arguments: str) -> None:
        """Writes a span of logs as a server of the pushed model would."""
        where = ["--serving", str(self.store / "serving"), "--logs", str(self.store / "logs")]
        model_monitor("replay", *where, *arguments)

    def _compiled(self, pipeline: str, *settings: str) -> Path:
        out = self.folder / f"{pipeline}.yaml"
        told = [part for setting in (*settings, _MOUNT) for part in ("--set", setting)]
        model_monitor("compile", "--pipeline", pipeline, "--image", self.image, *told, "-o", str(out))
        return out

    def _run(self, pipeline: Path, **parameters: str) -> containers.LocalRun:
        containers.give_away(self.store)
        ran = containers.run(pipeline, self.store / "runs", parameters, mounts=[f"{self.store}:{VOLUME}"])
        recorded_run.record(pipeline.read_text(encoding="utf-8"), ran, self.metadata.parent, parameters)
        return ran


def model_monitor(*arguments: str) -> str:
    """What a command prints. Raises `RunFailedError` where it ends in an error."""
    command = [sys.executable, "-m", "model_monitor.cli", *arguments]
    done = subprocess.run(command, cwd=containers.REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode == 1:
        raise containers.RunFailedError(f"model-monitor {arguments[0]}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


def tell(folder: Path) -> None:
    """The story: a model that is pushed, a span that is fine, and one that is blurred."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "store").mkdir(parents=True)
    say("The image (some minutes where it has to be built)")
    demo = Demo(folder.absolute(), containers.image())
    say(f"The training pipeline in containers of {demo.image} (five minutes or so)")
    demo.train(dataset.resolve("sample"))
    say(model_monitor("why", "--store", str(demo.metadata)))
    for told, shift in (("as they are", ()), ("blurred", ("--shift", "gaussian_blur"))):
        span = 1 if not shift else 2
        say(f"The monitoring pipeline, of images {told}")
        demo.replay(*shift, "--seed", str(span))
        demo.monitor(span)
        say(model_monitor("why", "--store", str(demo.metadata)))
    say(f"Everything is in {folder}")


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
