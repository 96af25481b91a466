"""An executor asks Beam for nothing before it makes a pipeline, and makes the one that it was told to."""

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import DirectOptions
from tfx.utils import dependency_utils

from components.common.beam.executor import BeamExecutor

ARGS = ["--direct_running_mode=in_memory", "--direct_num_workers=1"]


class Counting(BeamExecutor):
    """Counts the elements of a pipeline of its own."""

    def Do(self, input_dict, output_dict, exec_properties):
        with self._make_beam_pipeline() as pipeline:
            self.options = pipeline.options
            _ = pipeline | beam.Create([1, 2, 3]) | beam.combiners.Count.Globally() | beam.Map(print)


@pytest.fixture
def asked(monkeypatch):
    """How often TFX was asked what a worker elsewhere would need."""
    found = []
    make = dependency_utils.make_beam_dependency_flags
    monkeypatch.setattr(dependency_utils, "make_beam_dependency_flags", lambda args: found.append(args) or make(args))
    return found


def executor() -> Counting:
    return Counting(BeamExecutor.Context(beam_pipeline_args=ARGS, unique_id="1", tmp_dir="tmp"))


def test_options_are_worked_out_for_the_first_pipeline(asked, capfd):
    made = executor()
    assert (made._beam_pipeline_args, asked) == (ARGS, [])
    made.Do({}, {}, {})
    assert asked == [ARGS]
    assert made.options.view_as(DirectOptions).direct_running_mode == "in_memory"
    assert capfd.readouterr().out.split() == ["3"]


def test_it_makes_pipelines_as_it_is_told_to(asked):
    told = beam.Pipeline()
    made = Counting(BeamExecutor.Context(beam_pipeline_args=ARGS, make_beam_pipeline_fn=lambda: told))
    assert made._make_beam_pipeline() is told


def test_it_works_without_a_context(asked):
    assert Counting()._beam_pipeline_args == []
    assert asked == []
