"""In one process TFMA comes to the same and keeps nothing of a batch that it has read but labels and predictions."""

import json
from collections import Counter

import apache_beam as beam
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to
from google.protobuf import text_format
from tensorflow_model_analysis.metrics.tf_metric_accumulators import TFCompilableMetricsAccumulator
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import proto_utils

from components.evaluator import bounded_pipeline
from components.evaluator.bounded_pipeline import BoundedPipeline
from components.evaluator.executor import Executor
from pipelines.beam_runners import LOCAL_BEAM_ARGS, beam_options
from tests.support.gate import CLASSES, EVAL_CONFIG, Classifier, artifact, save

EXAMPLES = 300  # two batches, and a third
IMAGE_BYTES = 4_000


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save(Classifier(wrong=1), tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    write_split(folder, "eval", range(EXAMPLES))
    return examples_in(folder, "eval")


def write_split(folder, split, numbers):
    (folder / f"Split-{split}").mkdir()
    with tf.io.TFRecordWriter(str(folder / f"Split-{split}" / "data.tfrecord")) as writer:
        for number in numbers:
            example = tf.train.Example()
            example.features.feature["image"].bytes_list.value.append(bytes([number % 251]) * IMAGE_BYTES)
            example.features.feature["label"].int64_list.value.append(number % CLASSES)
            example.features.feature["number"].int64_list.value.append(number)
            writer.write(example.SerializeToString())


def examples_in(folder, *splits):
    names = artifact_utils.encode_split_names(list(splits))
    return artifact(standard_artifacts.Examples, folder, split_names=names)


def evaluate(out, model, examples, *, splits=("eval",), as_tfx_does=False):
    """The folder of the evaluation and the names of the blessing's files."""
    told = {"make_beam_pipeline_fn": lambda: beam.Pipeline(argv=list(LOCAL_BEAM_ARGS))} if as_tfx_does else {}
    context = Executor.Context(
        beam_pipeline_args=list(LOCAL_BEAM_ARGS), tmp_dir=str(out / "tmp"), unique_id="1", **told
    )
    evaluation = artifact(standard_artifacts.ModelEvaluation, out / "evaluation")
    blessing = artifact(standard_artifacts.ModelBlessing, out / "blessing")
    config = text_format.Parse(EVAL_CONFIG, tfma.EvalConfig())
    Executor(context).Do(
        {"examples": examples, "model": [model]},
        {"evaluation": [evaluation], "blessing": [blessing]},
        {"eval_config": proto_utils.proto_to_json(config), "example_splits": json.dumps(list(splits))},
    )
    return out / "evaluation", [path.name for path in (out / "blessing").iterdir()]


def values(evaluation):
    """{(slice, metric): value}."""
    result = tfma.load_eval_result(str(evaluation))
    return {
        (str(slice_key), name): value
        for slice_key, found in result.slicing_metrics
        for name, value in found[""][""].items()
    }


def test_results_and_files_are_those_of_any_other_pipeline(model, examples, tmp_path):
    evaluation, blessing = evaluate(tmp_path / "bounded", model, [examples])
    expected, expected_blessing = evaluate(tmp_path / "plain", model, [examples], as_tfx_does=True)
    assert values(evaluation) == values(expected)
    assert len(values(evaluation)) == 2 * (1 + CLASSES)
    assert blessing == expected_blessing == ["NOT_BLESSED"]
    assert sorted(path.name for path in evaluation.iterdir()) == sorted(path.name for path in expected.iterdir())
    assert tfma.load_validation_result(str(evaluation)) == tfma.load_validation_result(str(expected))


def lies_in(array):
    """The object whose memory an array's is."""
    while isinstance(array, np.ndarray) and array.base is not None:
        array = array.base
    return type(array).__module__


@pytest.mark.parametrize(("as_tfx_does", "held"), [(False, "numpy"), (True, "pyarrow.lib")])
def test_labels_that_wait_in_metrics_do_not_hold_the_batch_that_they_came_in(
    model, examples, tmp_path, monkeypatch, as_tfx_does, held
):
    found = Counter()
    add = TFCompilableMetricsAccumulator.add_input

    def watched(self, output, label, prediction, weight):
        found[lies_in(label)] += 1
        add(self, output, label, prediction, weight)

    monkeypatch.setattr(TFCompilableMetricsAccumulator, "add_input", watched)
    evaluate(tmp_path, model, [examples], as_tfx_does=as_tfx_does)
    assert found == {held: 2 * EXAMPLES}  # once on the whole, once in the slice of its label


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([10] * EXAMPLES, [128, 128, 44]),
        ([1 << 18] * 10, [4, 4, 2]),  # as many as have a megabyte
        ([1 << 21] * 3, [1, 1, 1]),  # none fits
    ],
)
def test_batches_have_one_size(sizes, expected, monkeypatch):
    monkeypatch.setattr(bounded_pipeline, "LARGEST_BYTES", 1 << 20)
    with BoundedPipeline(argv=list(LOCAL_BEAM_ARGS)) as pipeline:
        records = pipeline | beam.Create([b"r" * size for size in sizes])
        assert_that(records | "Batched" >> beam.BatchElements() | beam.Map(len), equal_to(expected))


def test_batches_of_anything_but_records_are_as_asked_for():
    with BoundedPipeline(argv=list(LOCAL_BEAM_ARGS)) as pipeline:
        numbers = pipeline | beam.Create(range(6))
        batches = numbers | beam.BatchElements(min_batch_size=3, max_batch_size=3)
        assert_that(batches | beam.Map(len), equal_to([3, 3]))


def test_workers_of_their_own_have_beams_pipeline():
    context = Executor.Context(beam_pipeline_args=list(beam_options("multi", ())), tmp_dir="tmp", unique_id="1")
    assert type(Executor(context)._make_beam_pipeline()) is beam.Pipeline


def test_sparse_and_ragged_features_have_memory_of_their_own():
    memory = np.arange(6)
    sparse = tfma.SparseTensorValue(memory[:3], memory[2:4], memory[4:])
    ragged = tfma.RaggedTensorValue(memory[:3], [memory[3:5]])
    features = bounded_pipeline._with_own_features({"features": {"s": sparse, "r": ragged}, "input": memory})
    own, owned = features["features"]["s"], features["features"]["r"]
    arrays = [own.values, own.indices, own.dense_shape, owned.values, *owned.nested_row_splits]
    assert [array.tolist() for array in arrays] == [[0, 1, 2], [2, 3], [4, 5], [0, 1, 2], [3, 4]]
    assert not any(np.shares_memory(array, memory) for array in arrays)
    assert (type(own), type(owned)) == (tfma.SparseTensorValue, tfma.RaggedTensorValue)


def test_several_splits_and_artifacts_are_read_in_the_stage_that_counts(model, examples, tmp_path, monkeypatch):
    """Between stages Beam keeps everything in memory, and what it flattens is read in a stage of its own."""
    write_split(tmp_path, "eval", range(100))
    write_split(tmp_path, "more", range(EXAMPLES, EXAMPLES + 50))
    both = examples_in(tmp_path, "eval", "more")
    reading = reading_stages(monkeypatch)
    evaluation, _ = evaluate(tmp_path / "splits", model, [both], splits=["eval", "more"])
    spans, _ = evaluate(tmp_path / "spans", model, [both, examples])
    assert [counts(stage) for stage in reading] == [True, True]
    assert count_of(evaluation) == 150
    assert count_of(spans) == 100 + EXAMPLES

    reading.clear()
    expected, _ = evaluate(tmp_path / "plain", model, [both, examples], as_tfx_does=True)
    assert [counts(stage) for stage in reading] == [False, False]
    assert values(spans) == values(expected)


def reading_stages(monkeypatch):
    """The names of the transforms of each stage in which records are read, of every pipeline that is run."""
    found = []
    create = FnApiRunner.create_stages

    def watched(self, pipeline):
        context, stages = create(self, pipeline)
        names = [[transform.unique_name for transform in stage.transforms] for stage in stages]
        found.extend(stage for stage in names if any(name.endswith("/ProfileRawRecords") for name in stage))
        return context, stages

    monkeypatch.setattr(FnApiRunner, "create_stages", watched)
    return found


def counts(stage):
    """Whether a stage fills TFMA's accumulators, of which there are as many as slices, however much is read."""
    return any("/CombineMetricsPerSlice/" in name and name.endswith("/Precombine") for name in stage)


def count_of(evaluation):
    return values(evaluation)["()", "example_count"]["doubleValue"]


def test_a_split_that_is_not_there_is_tfx_s_own_error(model, examples, tmp_path):
    with pytest.raises(ValueError, match="Split does not exist over all example artifacts: none"):
        evaluate(tmp_path, model, [examples], splits=["eval", "none"])
