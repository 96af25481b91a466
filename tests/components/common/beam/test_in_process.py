import apache_beam as beam
import pytest
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from components.common.beam.in_process import MAIN, combine, groups_here, runs_alone, stream
from pipelines.beam_runners import beam_options
from pipelines.config import LOCAL_BEAM_ARGS


class Parity(beam.DoFn):
    """Numbers times a factor; odd ones under a tag of their own, and at the end of a bundle how many there were."""

    def setup(self):
        self.events = ["setup"]

    def start_bundle(self):
        self.seen = 0

    def process(self, number, factor=1):
        self.seen += 1
        if number == 0:
            return
        yield beam.pvalue.TaggedOutput("odd", factor * number) if number % 2 else factor * number

    def finish_bundle(self):
        window = GlobalWindow()
        yield beam.pvalue.TaggedOutput("seen", WindowedValue(self.seen, window.max_timestamp(), (window,)))

    def teardown(self):
        self.events.append("teardown")


def test_outputs_are_by_tag_and_end_with_the_bundles():
    function = Parity()
    given = stream(function, range(5), 10)
    assert next(given) == ("odd", 10)
    assert list(given) == [(MAIN, 20), ("odd", 30), (MAIN, 40), ("seen", 5)]
    assert function.events == ["setup", "teardown"]
    assert list(stream(beam.ParDo(Parity()).fn, [])) == [("seen", 0)]


def test_a_function_is_torn_down_where_it_fails():
    function = Parity()
    with pytest.raises(TypeError):
        list(stream(function, ["word"]))
    assert function.events == ["setup", "teardown"]


def test_what_is_combined_is_what_a_pipeline_combines():
    mean = beam.combiners.MeanCombineFn()
    assert combine(mean, [1, 2, 6]) == 3
    assert combine(beam.combiners.CountCombineFn(), []) == 0


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (LOCAL_BEAM_ARGS, True),
        ([], True),
        (["--runner=DirectRunner"], True),
        (["--direct_running_mode=multi_processing", "--direct_num_workers=2"], False),
        (["--runner=FlinkRunner"], False),
        (["--runner=DataflowRunner", "--region=x"], False),
    ],
)
def test_beam_runs_where_its_options_say(args, expected):
    assert runs_alone(args) is expected


@pytest.mark.parametrize(
    ("runner", "args", "expected"),
    [
        ("local", [], True),
        ("multi", [], True),
        ("flink", ["--flink_master=h:1", "--environment_type=LOOPBACK"], False),
        ("spark", ["--spark_master_url=spark://h:1", "--environment_type=LOOPBACK"], False),
    ],
)
def test_what_is_grouped_on_one_machine_is_in_the_memory_of_this_process(runner, args, expected):
    assert groups_here(beam_options(runner, args)) is expected
    assert groups_here([])
