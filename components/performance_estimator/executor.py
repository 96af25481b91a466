"""How TFX runs `step.run`: labels are joined with Beam where a cluster does Beam's work.

What Beam groups on one machine it keeps in the memory of this process; the step itself keeps it on disk.
"""

import apache_beam as beam

from ..common.artifacts.examples import split_paths
from ..common.beam.executor import BeamExecutor
from ..common.beam.hand_back import HandBack, scratch_folder
from ..common.beam.in_process import groups_here
from ..common.model_spec import ModelSpec
from ..common.records.performance import LabelledAccuracy
from ..common.step import Step
from ..common.step_executor import StepExecutor
from . import step as estimating
from .join_labels import JoinLabels, accuracy_of


class Executor(StepExecutor, BeamExecutor):
    """Says how accurate the model is on a window, and whether that is too much worse; see `step.run`."""

    def run(self, step: Step) -> None:
        here = groups_here(self._beam_pipeline_args)
        estimating.run(step, estimating.join_here if here else self._join_labels)

    def _join_labels(self, step: Step, spec: ModelSpec) -> LabelledAccuracy:
        """As `estimating.join_here`, with Beam."""
        labels = step.text(estimating.LABELS_FILE_KEY)
        paths = split_paths(step.input(estimating.EXAMPLES_KEY), step.parameter(estimating.SPLIT_KEY), step.files)
        with scratch_folder(step.output(estimating.ANOMALIES_KEY).uri) as scratch:
            joined = HandBack(scratch, "labelled")
            with self._make_beam_pipeline() as pipeline:
                _ = pipeline | "Files" >> beam.Create(paths) | "Join" >> JoinLabels(labels, spec) | joined
            return accuracy_of(joined.take())
