"""Dataflow's job graph of every pipeline of the components is built by Beam's own runner, without submitting it."""

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions

from components.cifar10_example_gen.executor import ReadCifar10
from components.common.beam.shards import KeepRows, Shards, WriteShards
from components.held_out_scorer.score_examples import ROWS, ModelHandle, ScoreExamples
from components.image_statistics_gen.describe_examples import CountValues, DescribeExamples
from components.image_statistics_gen.statistics_generator import ImageStatisticsGenerator
from components.performance_estimator.join_labels import JoinLabels
from components.serving_log_example_gen.convert_logs import FILES, ConvertLogs
from components.serving_log_example_gen.read_options import ReadOptions
from pipelines.config import MonitoringConfig, load
from tests.support.specs import image_spec, model_spec

GIVEN = [
    "--project=project-1",
    "--region=europe-west4",
    "--temp_location=gs://bucket/tmp",
    "--sdk_container_image=gcr.io/project-1/image:1",
]
SHARDS = Shards("gs://b/a/Split-x", "gs://b/a/.writing-0/x")
SPEC = model_spec((4, 5, 3), 3)
STEPS = {
    "describe": lambda: DescribeExamples(ImageStatisticsGenerator(image_spec((4, 5, 3))), None),
    "count": lambda: CountValues(["probabilities"]),
    "convert": lambda: ConvertLogs(ReadOptions(SPEC, one_example_per="60s"), "gs://b/letters", SHARDS.scratch),
    "join": lambda: JoinLabels("gs://b/labels.csv", SPEC),
    "score": lambda: ScoreExamples(ModelHandle("gs://b/model", SPEC), logged=False),
}


@pytest.fixture(autouse=True)
def _nobody_asks_google(monkeypatch):
    # whether the bucket keeps what is deleted, for a warning
    monkeypatch.setattr(GoogleCloudOptions, "_warn_if_soft_delete_policy_enabled", lambda *_: None)


def job(build):
    """The pipeline of Dataflow's job that `build` puts steps into."""
    config = load(MonitoringConfig, overrides={"beam_runner": "dataflow", "beam_args": GIVEN})
    pipeline = beam.Pipeline(options=PipelineOptions([*config.beam_options, "--dry_run=True"]))
    build(pipeline)
    return pipeline.run().job.proto_pipeline


@pytest.mark.parametrize("name", STEPS)
def test_the_graph_is_built_and_its_workers_are_of_the_image(name):
    def build(pipeline):
        made = pipeline | beam.Create(["gs://b/a/1.gz"]) | STEPS[name]()
        if isinstance(made, dict) and FILES in made:
            _ = (made[FILES], made[ROWS]) | "Keep" >> KeepRows(SHARDS)
        elif isinstance(made, dict):
            _ = made[ROWS] | "Write" >> WriteShards(SHARDS)

    graph = job(build)
    (environment,) = {each.payload for each in graph.components.environments.values() if each.payload}
    assert b"gcr.io/project-1/image:1" in environment
    assert len(graph.components.transforms) > 10


def test_the_graph_of_cifar_10_files_is_built(tmp_path):
    (tmp_path / "data_batch_1.bin").write_bytes(bytes(3073))
    graph = job(lambda pipeline: pipeline | ReadCifar10({"input_base": str(tmp_path)}, "*.bin"))
    assert any(each.unique_name.endswith("ReadCifar10/Read") for each in graph.components.transforms.values())
