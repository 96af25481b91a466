"""What a component does, whoever runs it: TFX's executor, or an entry point that has no TFX.

A component whose work needs no TensorFlow has it in `step.py`, as `run(step)`. Its `executor.py` is how TFX runs that
(`step_executor.py`), and the entry point of containers runs it by itself, in a tenth of the time and memory.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import text_format
from google.protobuf.message import Message

from .artifacts.files import Artifact, Files, Properties, local_files
from .artifacts.names import SPLIT_PREFIX
from .artifacts.writing import Writing, local_writing
from .errors import MonitorError
from .object_store.address import is_address
from .object_store.files import files_for
from .object_store.places import copy_tree

MOST_READ = 4 << 30  # bytes of a file: what steps read is the pipeline's own, and may be a shard of large examples
Inputs = Mapping[str, Sequence[Artifact]]


@dataclass
class Output:
    """An artifact that a step makes.

    Attributes:
      uri: its folder, where this process writes it.
      type: the name of its type.
      id: in ML Metadata; 0 where it is not known.
      address: the URI by which everybody else will know it, where that is another.
      properties: custom properties: `int`, `float` or `str`, each recorded as what it is.
      split_names: of its splits; None: it says nothing of any.
      span: the number of its span; None: it has none.

    """

    uri: str
    type: str = ""
    id: int = 0
    address: str = ""
    properties: dict[str, int | float | str] = field(default_factory=dict)
    split_names: list[str] | None = None
    span: int | None = None

    @property
    def known_as(self) -> str:
        """What records name it by: it means the same in every process."""
        return self.address or self.uri

    def path(self, *parts: str) -> str:
        """What lies in its folder under these names."""
        return os.path.join(self.uri, *parts)

    def split_path(self, split: str, *parts: str) -> str:
        """What lies in the folder of one of its splits.

        >>> Output("/runs/7").split_path("eval", "SchemaDiff.pb")
        '/runs/7/Split-eval/SchemaDiff.pb'
        """
        return self.path(f"{SPLIT_PREFIX}{split}", *parts)


@dataclass(frozen=True)
class Step:
    """What a step is given, and how it reads and writes.

    Attributes:
      inputs: artifacts by the key of their input. An input that nothing is connected to has no key.
      outputs: artifacts to be made, by the key of their output.
      parameters: the execution properties; those without a value are left out.
      files: how files are read.
      writing: how files are written.
      pipeline: the name of the pipeline, "" where it is not known.
      run_id: of the run, "" where it is not known.

    """

    inputs: Inputs
    outputs: Mapping[str, Sequence[Output]]
    parameters: Properties
    files: Files = field(default_factory=local_files)
    writing: Writing = field(default_factory=local_writing)
    pipeline: str = ""
    run_id: str = ""

    def input(self, key: str) -> Artifact:
        """The one artifact of an input. Raises `MonitorError` unless there is exactly one."""
        return _only(self.inputs.get(key, ()), f"input `{key}`")

    def optional(self, key: str) -> Artifact | None:
        """The one artifact of an input, None without any. Raises `MonitorError` for several."""
        return self.input(key) if self.inputs.get(key) else None

    def output(self, key: str) -> Output:
        """The one artifact of an output. Raises `MonitorError` unless there is exactly one."""
        return _only(self.outputs.get(key, ()), f"output `{key}`")

    def parameter(self, key: str) -> Any:
        """The value of an execution property. Raises `MonitorError` where it has none."""
        if key not in self.parameters:
            known = ", ".join(sorted(self.parameters)) or "none"
            raise MonitorError(f"The step must be given the execution property `{key}`. Received: {known}")
        return self.parameters[key]

    def text(self, key: str) -> str:
        """The text of an execution property, "" where it has none."""
        return str(self.parameters.get(key, ""))

    def write_text(self, path: str, text: str) -> None:
        """Writes a file of text."""
        self.writing.write(path, text.encode())

    def write_message(self, path: str, message: Message) -> None:
        """Writes a message: as text where the file is named `*.pbtxt`, else serialised."""
        if path.endswith(".pbtxt"):
            self.write_text(path, text_format.MessageToString(message))
        else:
            self.writing.write(path, message.SerializeToString())

    def copy_file(self, source: str, target: str) -> None:
        """Copies a small file, also from an object store. Raises `MonitorError` where it cannot be read."""
        self.writing.write(target, files_for(source, self.files).content(source))

    def copy_tree(self, source: str, target: str, leave_out: str = "") -> None:
        """Copies a folder with all that is in it, to a place that is replaced.

        Args:
          source: the folder, also one in an object store.
          target: where to.
          leave_out: the path in it of what is not copied; "" for nothing.

        """
        if is_address(source):  # a pushed version may be in a store that whoever runs the step does not read
            copy_tree(source, target, leave_out)
        else:
            self.writing.copy_tree(source, target, leave_out)


def _only(artifacts: Sequence[Any], what: str) -> Any:
    if len(artifacts) != 1:
        received = _listed(each.known_as for each in artifacts)
        raise MonitorError(f"The {what} must hold one artifact. Received: {received}")
    return artifacts[0]


def _listed(uris: Iterable[str]) -> str:
    return ", ".join(uris) or "none"
