"""Steps whose work needs no TFX: they run by themselves, in a tenth of the time and memory."""

import importlib
import importlib.util
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from components.common.artifacts.files import Artifact, Files, Properties
from components.common.artifacts.properties import scalar
from components.common.artifacts.splits import named_splits
from components.common.step import Output, Step

from . import lost_folders
from .executor_input import Declared, ExecutorInput, Json, RuntimeArtifact, plain_parameters
from .places import Places
from .run_names import RunNames

Run = Callable[[Step], None]
_EXECUTOR, _TFX = ".executor.Executor", "tfx."
_CUSTOM = "custom:"  # what TFX puts before a custom property of which the type has another of the same name


def light_step(executor_class: str, spread: Properties | None = None) -> Run | None:
    """What the executor `ROOM.COMPONENT.executor.Executor` runs, if that is a step that needs no TFX; None if not.

    It is one where there is a module `ROOM.COMPONENT.step`, and `ROOM.common.step` that says what a step is: this
    project's components, under whatever name they are vendored. Where that module has a function `spreads`, it says of
    the execution properties whether Beam would share the work out.

    Args:
      executor_class: the path of the class.
      spread: the execution properties, where Beam has workers elsewhere; None: where it has none.

    """
    component = executor_class.removesuffix(_EXECUTOR)
    room = component.rpartition(".")[0]
    if component == executor_class or not all(map(_is_there, (room, f"{room}.common.step", f"{component}.step"))):
        return None
    module = importlib.import_module(f"{component}.step")
    if spread is not None and hasattr(module, "spreads") and module.spreads(spread):
        return None
    run: Run = module.run
    return run


@dataclass(frozen=True)
class LightStep:
    """How such a step is run.

    Attributes:
      run: the step.
      places: where this machine has copies.
      files: how other files are read.
      names: of the pipeline and the run.

    """

    run: Run
    places: Places
    files: Files
    names: RunNames

    def make(self, given: ExecutorInput, declared: Declared) -> dict[str, list[Json]]:
        """Runs it, and gives the artifacts that it made. Raises whatever the step raises."""
        step = Step(
            inputs={key: [self._input(each) for each in several] for key, several in given.inputs.items() if several},
            outputs={key: [self._output(each) for each in several] for key, several in given.outputs.items()},
            parameters=plain_parameters(given, declared),
            files=self.files,
            pipeline=self.names.pipeline,
            run_id=self.names.run,
        )
        self.run(step)
        return {key: [_said(each) for each in several] for key, several in step.outputs.items()}

    def _input(self, given: RuntimeArtifact) -> Artifact:
        local, properties = self.places.local(given.uri), _properties(given.metadata)
        made = Artifact(local, _type(given), "", _id(given), properties, self._address(given))
        if self.places.has(given.uri):
            lost_folders.restore(local, named_splits(made))
        return made

    def _output(self, given: RuntimeArtifact) -> Output:
        return Output(self.places.local(given.uri), _type(given), _id(given), self._address(given))

    def _address(self, given: RuntimeArtifact) -> str:
        return given.uri if self.places.has(given.uri) else ""


def _is_there(module: str) -> bool:
    """Whether there is such a module, of which only the packages that it is in are imported."""
    try:
        return bool(module) and importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _type(given: RuntimeArtifact) -> str:
    """The name of the type, as TFX has it: it calls its own by their names alone."""
    return given.title.removeprefix(_TFX)


def _id(given: RuntimeArtifact) -> int:
    """The number in ML Metadata, which is the name of an input on Kubeflow; 0 where it is not known."""
    return int(given.name) if given.name.isascii() and given.name.isdecimal() else 0


def _properties(metadata: Json) -> Mapping[str, int | float | str]:
    """Properties and custom properties together, of which the latter count where both have a name."""
    said = {key: scalar(value) for key, value in metadata.items() if value is not None}
    custom = {key.removeprefix(_CUSTOM): value for key, value in said.items() if key.startswith(_CUSTOM)}
    return {**{key: value for key, value in said.items() if not key.startswith(_CUSTOM)}, **custom}


def _said(output: Output) -> Json:
    said: Json = dict(output.properties)
    if output.split_names is not None:
        said["split_names"] = json.dumps(output.split_names)
    if output.span is not None:
        said["span"] = output.span
    return {"uri": output.uri, "metadata": said}
