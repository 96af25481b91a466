"""The runs in a store, and the names a person may use for one: an id, the beginning of a run id, a version, a span."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from ml_metadata import metadata_store

from components.common.artifacts.files import DAMAGE, Artifact, Files, said
from components.common.artifacts.names import REFERENCE
from components.common.errors import MonitorError, nearest, require_known
from components.common.verdict_words import NO_OPINION, Outcome, State

from . import roles
from .run_store import Node, Run, pipelines, runs, runs_that_gave
from .verdicts import RunVerdict, verdict

LATEST = "latest"
SPAN_PREFIX = "span:"
ARTIFACT_PREFIX = "artifact:"
_LONGEST_ID = 18  # digits; ML Metadata's have 63 bits
_MANY = 3  # runs that an ambiguous name lists


class History:
    """The runs of one pipeline or of all, newest first, whose artifacts are read through `files`.

    Attributes:
      store: of ML Metadata.
      points: what `timeline.point_of` has read, by the ids of runs.

    Raises:
      MonitorError: if a pipeline is named that never ran.

    """

    def __init__(self, store: metadata_store.MetadataStore, pipeline: str = "", files: Files | None = None) -> None:
        if pipeline:
            require_known(pipeline, pipelines(store), "--pipeline")
        self.store = store
        self._pipeline = pipeline
        self._files = files
        self._verdicts: dict[int, RunVerdict] = {}
        self.points: dict[int, Any] = {}

    @cached_property
    def runs(self) -> list[Run]:
        return list(runs(self.store, self._pipeline, newest_first=True, files=self._files))

    @property
    def served(self) -> list[Run]:
        """The runs that are about what was served; where one pipeline is asked for, all of its runs."""
        return [run for run in self.runs if self._pipeline or roles.is_of_what_was_served(run.pipeline)]

    def verdict(self, run: Run) -> RunVerdict:
        """What became of a run; read once. Where its properties are not what they should be, that is not known."""
        if run.id not in self._verdicts:
            self._verdicts[run.id] = _verdict(run)
        return self._verdicts[run.id]

    def run(self, name: str) -> Run:
        """The run that `name` stands for: "latest", its id in the store, its run id or the beginning of that.

        Raises:
          MonitorError: when there is none or more than one, with those that come nearest.

        """
        if not self.runs:
            raise MonitorError("There is no run in the store yet")
        if name == LATEST:
            return self.runs[0]
        found = self._named(name) or [run for run in self.runs if _begins(run, name)]
        if not found:
            known = [LATEST, *(run.run_id for run in self.runs), *(str(run.id) for run in self.runs)]
            raise MonitorError(f"There is no run {name!r}{nearest(name, known)}; `model-monitor inspect` lists them")
        if len(found) > 1:
            some = ", ".join(f"{run.id} ({run.run_id})" for run in found[:_MANY])
            more = " ..." if len(found) > _MANY else ""
            raise MonitorError(f"{name!r} is the beginning of {len(found)} runs, {some}{more}; name one by its id")
        return found[0]

    def _named(self, name: str) -> list[Run]:
        """The runs that have exactly this name."""
        return [run for run in self.runs if name in (run.run_id, str(run.id))]

    def subject(self, name: str) -> Run:
        """The run that a question is about, by any of its names or by what it pushed, trained or evaluated.

        Args:
          name: as for `run`, or "span:N", a pushed version's number or folder, or the URI of a `Model`; "" for the
            newest run with a verdict. What is a run's whole name is that run, also where a version has it too.

        Raises:
          MonitorError: as for `run`.

        """
        if name.startswith(SPAN_PREFIX):
            return self._span(name.removeprefix(SPAN_PREFIX))
        if not name:
            return self.judged()
        by_model = None if name == LATEST or self._named(name) else self._model(name)
        return by_model if by_model is not None else self.run(name)

    def judged(self) -> Run:
        """The newest run that has a verdict; where none has, the newest of all."""
        return next((run for run in self.served if self.verdict(run).state not in NO_OPINION[1:]), self.run(LATEST))

    def before(self, run: Run) -> Iterator[Run]:
        """Earlier runs of the same pipeline that have a verdict, newest first; of a span, its last run, by span."""
        earlier = [each for each in self.runs if each.pipeline == run.pipeline and each.id < run.id]
        of = [(each, self.verdict(each)) for each in earlier]
        span = self.verdict(run).span
        if span is not None:
            last: dict[int, Run] = {}
            for each, says in of:
                if says.span is not None and says.span < span:
                    last.setdefault(says.span, each)
            of = [(last[number], self.verdict(last[number])) for number in sorted(last, reverse=True)]
        return (each for each, says in of if says.state not in NO_OPINION)

    def pushed_by(self, folder: str) -> Run | None:
        """The first run that pushed a version into this folder."""
        found = [run for run in self.runs if self._pushed_to(run) == Path(folder)]
        return found[-1] if found else None

    def watched(self, folder: str) -> list[Run]:
        """The last run on each span that was compared with the version in this folder, by span."""
        last: dict[int, Run] = {}
        for run in self.served:
            says = self.verdict(run)
            if says.span is not None and baseline_of(run) == folder:
                last.setdefault(says.span, run)
        return [last[number] for number in sorted(last)]

    def artifact(self, number: str) -> tuple[Run, Node, str, Artifact]:
        """An artifact by its id, with the newest run and the node that gave it and the key of the output.

        Raises:
          MonitorError: when no run gave it.

        """
        is_id = number.isascii() and number.isdecimal() and len(number) <= _LONGEST_ID
        gave = runs_that_gave(self.store, int(number)) if is_id else set()
        for run in (run.alone() for run in self.runs if run.id in gave):
            for node in run.nodes.values():
                for key, artifacts in node.outputs.items():
                    for found in artifacts:
                        if str(found.id) == number:
                            return run, node, key, found
        raise MonitorError(f"There is no artifact {number!r}; `model-monitor inspect RUN` lists those of a run")

    def _pushed_to(self, run: Run) -> Path | None:
        destination = self.verdict(run).destination
        return Path(destination) if destination else None

    def _span(self, number: str) -> Run:
        spans = {str(says.span): run for run in reversed(self.served) if (says := self.verdict(run)).span is not None}
        if number not in spans:
            known = sorted(spans, key=int)
            raise MonitorError(f"No run has evaluated span {number!r}. Evaluated spans: {_some(known)}")
        return spans[number]

    def _model(self, name: str) -> Run | None:
        """The run that pushed a version or trained a model; None when the name is of no model."""
        path = place_of(name)
        for run in reversed(self.runs):
            if (name and name == self.verdict(run).version) or self._pushed_to(run) == path:
                return run
            made = [found for node in run.nodes.values() if node.inputs for found in node.made]
            if any(found.type == "Model" and (found.uri == name or Path(found.uri) == path) for found in made):
                return run
        return None


def place_of(name: str) -> Path:
    """What a person calls a folder, to be compared with those of runs; an address is one already.

    >>> place_of("s3://bucket/serving/7/") == Path("s3://bucket/serving/7"), place_of("7").is_absolute()
    (True, True)
    """
    return Path(name) if "://" in name else Path(name).absolute()


def _verdict(run: Run) -> RunVerdict:
    run.nodes  # noqa: B018 - a store that cannot be read is an error, and no verdict on a run
    try:
        return verdict(run)
    except (*DAMAGE, OSError) as error:
        reason = f"what became of the run cannot be read: {said(error)}"
        return RunVerdict(Outcome.UNDECIDED, "Undecided", reason, State.UNDECIDED)


def baseline_of(run: Run) -> str:
    """The folder of the pushed version that a run was compared with; "" where it was with none."""
    for node in run.nodes.values():
        if "bundle_uri" in node.parameters:
            found = [str(each.properties["bundle_uri"]) for each in node.made if "bundle_uri" in each.properties]
            nothing = "" if node.complete and not node.made else str(node.parameters["bundle_uri"])
            return found[0] if found else nothing
    return ""


def reference_of(run: Run) -> str:
    """The windows that a run's was compared with in the place of held-out examples, since when; "" for none."""
    for node in run.nodes.values():
        for found in node.outputs.get("reference_statistics", ()):
            return str(found.properties.get(REFERENCE, ""))
    return ""


def _begins(run: Run, name: str) -> bool:
    """Some orchestrators put the pipeline's name before a run's id."""
    return run.run_id.startswith(name) or run.run_id.removeprefix(f"{run.pipeline}.").startswith(name)


def _some(names: list[str]) -> str:
    return ", ".join([*names[:3], "...", *names[-3:]] if len(names) > 7 else names) or "none"
