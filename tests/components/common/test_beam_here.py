import apache_beam as beam
import pytest
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from components.common import beam_here
from components.common.beam_here import MAIN, combine, do, group, is_small
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
    assert do(function, range(5), 10) == {MAIN: [20, 40], "odd": [10, 30], "seen": [5]}
    assert function.events == ["setup", "teardown"]
    assert do(beam.ParDo(Parity()).fn, []) == {MAIN: [], "seen": [0]}


def test_a_function_is_torn_down_where_it_fails():
    function = Parity()
    with pytest.raises(TypeError):
        do(function, ["word"])
    assert function.events == ["setup", "teardown"]


def test_what_is_combined_is_what_a_pipeline_combines():
    mean = beam.combiners.MeanCombineFn()
    assert combine(mean, [1, 2, 6]) == 3
    assert combine(beam.combiners.CountCombineFn(), []) == 0


def test_groups_are_in_the_order_of_their_keys():
    assert group([("b", 1), ("a", 2), ("b", 3)]) == [("b", [1, 3]), ("a", [2])]


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
def test_beam_runs_where_its_options_say(tmp_path, args, expected):
    (tmp_path / "a").write_bytes(b"1234")
    assert is_small([str(tmp_path / "a"), str(tmp_path / "gone")], args) is expected


def test_many_bytes_and_other_machines_are_beams(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"1234")
    assert not is_small([str(tmp_path / "a"), "gs://bucket/a"], [])
    monkeypatch.setattr(beam_here, "MOST_BYTES", 3)
    assert not is_small([str(tmp_path / "a")], [])
