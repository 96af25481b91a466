"""What each runner of Beam needs is said at once, and Beam's options follow from it."""

import pytest

from components.common.errors import MonitorError
from pipelines.beam_runners import LOCAL_BEAM_ARGS
from pipelines.config import MonitoringConfig, load

FLINK = ["--flink_master=10.0.0.1:8081", "--environment_type=LOOPBACK"]
DATAFLOW = ["--project=p", "--region=europe-west4", "--temp_location=gs://b/tmp", "--sdk_container_image=g/i:1"]
PROCESS = ["--flink_master", "a:1", "--environment_type", "PROCESS", "--environment_config"]


def options(runner, *given):
    return load(MonitoringConfig, overrides={"beam_runner": runner, "beam_args": list(given)}).beam_options


def test_beam_runs_in_the_process_of_each_component_unless_told_otherwise():
    assert load(MonitoringConfig).beam_options == LOCAL_BEAM_ARGS


@pytest.mark.parametrize(
    ("runner", "given", "expected"),
    [
        ("local", ["--type_check_strictness=ALL_REQUIRED"], "--type_check_strictness=ALL_REQUIRED"),
        ("multi", ["--direct_num_workers=4"], "--direct_num_workers=4"),
        ("flink", FLINK, "--runner=FlinkRunner"),
        ("flink", [*PROCESS, '{"command": "/srv/worker"}'], "--sdk_container_image=unused"),
        ("spark", ["--spark_master_url=spark://a:1", "--environment_type=LOOPBACK"], "--runner=SparkRunner"),
        ("dataflow", DATAFLOW, "--runner=DataflowRunner"),
        ("local", ["--runner=DirectRunner"], "--runner=DirectRunner"),
    ],
)
def test_what_is_given_comes_behind_what_a_runner_always_needs(runner, given, expected):
    found = options(runner, *given)
    assert expected in found
    assert list(found[len(found) - len(given) :]) == given
    names = [option.partition("=")[0] for option in found if option.startswith("--")]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("runner", "given", "expected"),
    [
        ("flink", [], ["`beam_runner: flink` needs: --flink_master=HOST:PORT", "--environment_type=LOOPBACK (in the"]),
        ("flink", [*FLINK[:1], "--environment_type=SPAM"], ["must be one of LOOPBACK, PROCESS", "and is SPAM"]),
        ("flink", [*PROCESS, "{}"], ['PROCESS needs --environment_config={"command": "SCRIPT"}']),
        ("flink", [*PROCESS, '{"command": 3}'], ['PROCESS needs --environment_config={"command": "SCRIPT"}']),
        ("flink", [FLINK[0], "--environment_type=EXTERNAL"], ["needs --environment_config=HOST:PORT"]),
        ("flink", [FLINK[0], "--environment_type=DOCKER"], ["needs --sdk_container_image=IMAGE"]),
        ("spark", FLINK, ["--spark_master_url=spark://HOST:PORT"]),
        (
            "dataflow",
            ["--temp_location=/tmp"],
            ["--project=", "--region=", "--sdk_container_image=", "gs://BUCKET/..."],
        ),
        ("flink", ["--runner=FlinkRunner", *FLINK], ["no --runner beside `beam_runner: flink`"]),
    ],
)
def test_all_that_a_runner_lacks_is_one_error(runner, given, expected):
    with pytest.raises(MonitorError) as caught:
        options(runner, *given)
    assert str(caught.value).startswith("the command line: `beam_args` must ")
    assert [text for text in expected if text not in str(caught.value)] == []
    assert "\n" not in str(caught.value)


def test_a_runner_that_nobody_knows_is_refused():
    with pytest.raises(MonitorError, match=r"`beam_runner` must be 'local', 'multi', 'flink', 'spark' or 'dataflow'"):
        options("prism")
