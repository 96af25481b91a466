"""The gate's executor on real artifacts: what is missing or damaged blocks, with the reason."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
import tensorflow_model_analysis as tfma
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2
from tfx.components.pusher import executor as pusher
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import proto_utils, writer_utils

from components.atomic_pusher.executor import Executor as AtomicPusherExecutor
from components.common import baseline_bundle
from components.common.artifacts.files import Artifact
from components.common.artifacts.tfma_messages import message_class
from components.common.records.decision import Decision
from components.common.step import Output, Step
from components.common.verdict import Outcome
from components.push_gate import step as push_gate
from components.push_gate.executor import Executor
from tests.support.model_specs import digits_spec

POLICY = "canary: {run: false}"  # what is not about the model starts no process to ask it
WHOLE = "canary: {num_classes: 4}"
LEAST = "evaluation: {required: false}\nanomalies: {required: false}\n" + POLICY
ONLY_CANARY = "evaluation: {required: false}\nanomalies: {required: false}\n" + WHOLE
SCHEMA = 'feature { name: "brightness" type: FLOAT float_domain { max: 100 } presence { min_fraction: 1 } }'


@pytest.fixture(scope="session")
def anomalies(folder, new_artifact):
    """`ExampleAnomalies` with the given brightness in each split, written as ExampleValidator writes them."""
    schema = text_format.Parse(SCHEMA, schema_pb2.Schema())

    def make(name: str, **brightness: float):
        made = new_artifact(standard_artifacts.ExampleAnomalies, folder / name)
        made.split_names = artifact_utils.encode_split_names(list(brightness))
        for split, value in brightness.items():
            statistics = tfdv.generate_statistics_from_dataframe(pd.DataFrame({"brightness": [value] * 4}))
            path = Path(made.uri) / f"Split-{split}" / "SchemaDiff.pb"
            writer_utils.write_anomalies(str(path), tfdv.validate_statistics(statistics, schema))
        return made

    return make


@pytest.fixture(scope="session")
def clean(anomalies):
    return anomalies("clean", train=1.0, eval=1.0)


@pytest.fixture
def decide(tmp_path, models, new_artifact):
    """Runs the executor and returns its blessing with the decision read back from reasons.json."""

    def run(policy=POLICY, sources=None, model=None, **inputs):
        blessing = new_artifact(standard_artifacts.ModelBlessing, tmp_path / "blessing")
        inputs = {"model": model or models["good"], **inputs}
        Executor().Do(
            {key: value if isinstance(value, list) else [value] for key, value in inputs.items()},
            {"blessing": [blessing]},
            {"policy": policy, "anomalies_sources": json.dumps(sources or {})},
        )
        return blessing, Decision.from_json((tmp_path / "blessing" / "reasons.json").read_text())

    return run


def files(blessing) -> set[str]:
    return {path.name for path in Path(blessing.uri).iterdir()}


def test_a_good_model_is_blessed(decide, evaluate, clean, models):
    evaluation, evaluator_blessing = evaluate("good")
    blessing, decision = decide(
        policy=WHOLE,
        evaluation=evaluation,
        model_blessing=evaluator_blessing,
        anomalies_0=clean,
        sources={"anomalies_0": "Validator"},
    )
    assert decision.blessed, decision.to_text()
    assert blessing.get_int_custom_property("blessed") == 1
    assert blessing.get_string_custom_property("current_model") == models["good"].uri
    assert not blessing.has_custom_property("baseline_model")
    assert files(blessing) == {"BLESSED", "reasons.json", "reasons.txt"}
    assert [(v.name, v.subject) for v in decision.checks] == [
        ("evaluation", ""),
        ("anomalies", "Validator, eval"),
        ("anomalies", "Validator, train"),
        ("canary", ""),
    ]


def test_a_bad_model_is_blocked_with_metric_slice_and_threshold(decide, evaluate, clean, models):
    evaluation, evaluator_blessing = evaluate("bad_at_3", "good")
    blessing, decision = decide(
        model=models["bad_at_3"], evaluation=evaluation, model_blessing=evaluator_blessing, anomalies_0=clean
    )
    assert blessing.get_int_custom_property("blessed") == 0
    assert blessing.get_string_custom_property("baseline_model") == models["good"].uri
    assert "accuracy of label 3 is 0.25, below 0.35" in blessing.get_string_custom_property("reason")
    assert "did not bless" not in decision.summary
    assert files(blessing) == {"NOT_BLESSED", "reasons.json", "reasons.txt"}
    assert [v.name for v in decision.checks if v.outcome is not Outcome.PASSED] == ["evaluation"]


def test_one_bad_split_of_one_artifact_blocks(decide, evaluate, clean, anomalies):
    evaluation, _ = evaluate("good")
    dark = anomalies("dark", train=1.0, eval=300.0)
    sources = {"anomalies_0": "Data", "anomalies_1": "Skew"}
    blessing, decision = decide(evaluation=evaluation, anomalies_0=clean, anomalies_1=dark, sources=sources)
    assert blessing.get_int_custom_property("blessed") == 0
    (verdict,) = [v for v in decision.checks if v.outcome is not Outcome.PASSED]
    assert (verdict.name, verdict.subject) == ("anomalies", "Skew, eval")
    assert "feature brightness" in verdict.reason


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda uri: shutil.rmtree(uri / "Split-eval"), "Split-eval must be a readable folder"),
        (
            lambda uri: (uri / "Split-eval" / "SchemaDiff.pb").write_bytes(b""),
            "SchemaDiff.pb must hold a message Anomalies. Received: an empty file",
        ),
        (
            lambda uri: (uri / "Split-eval" / "SchemaDiff.pb").write_bytes(b"\xff" * 9),
            "SchemaDiff.pb must hold a message Anomalies. Received: ",
        ),
        (  # another message is one of anomalies, all of whose fields are unknown
            lambda uri: (uri / "Split-eval" / "SchemaDiff.pb").write_bytes(
                message_class("ValidationResult")(validation_ok=True).SerializeToString()
            ),
            "SchemaDiff.pb must hold a message Anomalies. Received: one with fields or values that it has not",
        ),
        (
            lambda uri: (uri / "Split-eval" / "SchemaDiff.pb").write_bytes(
                text_format.Parse(SCHEMA, schema_pb2.Schema()).SerializeToString()
            ),
            "SchemaDiff.pb must hold ",
        ),
        (
            lambda uri: (uri / "Split-eval" / "SchemaDiff.pb").write_bytes(b"\x0a\x00"),
            "must hold whole anomalies. Received: some without anomaly_name_format, as if cut short",
        ),
        (
            lambda uri: (uri / "Split-eval" / "SchemaDiff.pb").write_bytes(
                anomalies_pb2.Anomalies(data_missing=True).SerializeToString()
            ),
            "there was no data to validate",
        ),
    ],
)
def test_a_damaged_split_is_undecided(decide, clean, tmp_path, new_artifact, damage, reason):
    copy = tmp_path / "copy"
    shutil.copytree(clean.uri, copy)
    damage(copy)
    damaged = new_artifact(standard_artifacts.ExampleAnomalies, copy)
    damaged.split_names = clean.split_names
    blessing, decision = decide(policy="evaluation: {required: false}\n" + POLICY, anomalies_0=damaged)
    (verdict,) = [v for v in decision.checks if v.outcome is not Outcome.PASSED]
    assert (verdict.outcome, verdict.subject) == (Outcome.UNDECIDED, "anomalies_0, eval")
    assert reason in verdict.reason
    assert blessing.get_int_custom_property("blessed") == 0


@pytest.mark.parametrize(("noted", "passes"), [({"train": 1, "eval": 1}, True), ({"train": 1, "eval": 0}, False)])
def test_anomalies_are_held_against_what_example_validator_noted_of_them(decide, clean, new_artifact, noted, passes):
    made = new_artifact(standard_artifacts.ExampleAnomalies, Path(clean.uri))
    made.split_names = clean.split_names
    made.set_json_value_custom_property("blessed", noted)
    _, decision = decide(policy="evaluation: {required: false}\n" + POLICY, anomalies_0=made)
    assert decision.blessed is passes
    told = "has 0 anomalies, and its artifact's property `blessed` says that there are some"
    assert (told in decision.summary) is not passes


@pytest.mark.parametrize("names", ["", "[]"])
def test_splits_that_are_not_named_leave_it_undecided_because_one_may_be_missing(decide, clean, new_artifact, names):
    made = new_artifact(standard_artifacts.ExampleAnomalies, Path(clean.uri))
    made.split_names = names
    _, decision = decide(policy="evaluation: {required: false}\n" + POLICY, anomalies_0=made)
    (check,) = [each for each in decision.checks if not each.passed]
    assert check.outcome is Outcome.UNDECIDED
    assert "must name its splits, of which one may be missing. Received: the folders of eval, train" in check.reason


def test_a_split_that_is_there_but_not_named_is_judged_too(decide, anomalies):
    made = anomalies("unnamed", train=1.0, extra=300.0)
    made.split_names = artifact_utils.encode_split_names(["train"])
    _, decision = decide(policy="evaluation: {required: false}\n" + POLICY, anomalies_0=made)
    assert [v.subject for v in decision.checks if v.outcome is Outcome.FAILED] == ["anomalies_0, extra"]


def test_anomalies_in_text_form_are_read(decide, tmp_path, new_artifact):
    folder = tmp_path / "old" / "Split-train"
    folder.mkdir(parents=True)
    (folder / "anomalies.pbtxt").write_text(
        'anomaly_info { key: "x" value { description: "old" severity: ERROR } } anomaly_name_format: SERIALIZED_PATH'
    )
    made = new_artifact(standard_artifacts.ExampleAnomalies, tmp_path / "old")
    made.split_names = artifact_utils.encode_split_names(["train"])
    _, decision = decide(policy="evaluation: {required: false}\n" + POLICY, anomalies_0=made)
    assert "feature x: old" in decision.summary


@pytest.mark.parametrize(
    ("inputs", "sources", "reason"),
    [
        ({}, {}, "given neither an evaluation nor a blessing"),
        ({}, {}, "given no anomalies, and the policy requires some"),
        ({"anomalies_0": []}, {"anomalies_0": "Validator"}, "anomalies (Validator): connected, but holds nothing"),
        ({}, {"anomalies_0": "Validator"}, "anomalies (Validator): connected, but not handed to the gate"),
        ({"evaluation": []}, {}, "the input evaluation is connected but holds nothing"),
        ({"model_blessing": []}, {}, "the input model_blessing is connected but holds nothing"),
    ],
)
def test_what_is_missing_is_the_reason(decide, inputs, sources, reason):
    blessing, decision = decide(sources=sources, **inputs)
    assert reason in decision.summary
    assert blessing.get_int_custom_property("blessed") == 0


def test_an_artifact_without_splits_is_undecided(decide, tmp_path, new_artifact):
    (tmp_path / "nothing").mkdir()
    empty = new_artifact(standard_artifacts.ExampleAnomalies, tmp_path / "nothing")
    _, decision = decide(anomalies_0=empty)
    assert "must hold the anomalies of a split. Received: none, and no split is named" in decision.summary


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("validations.tfrecord", None, "must hold one validation result of TFMA. Received: none"),
        ("validations.tfrecord", b"garbage" * 9, "validations.tfrecord must be a whole TFRecord file"),
        ("eval_config.json", None, "eval_config.json must be a readable file"),
        ("eval_config.json", b"{", "eval_config.json must be TFMA's configuration"),
        ("eval_config.json", b"[]", "eval_config.json must be TFMA's configuration"),
    ],
)
def test_a_damaged_evaluation_is_undecided(decide, evaluate, clean, tmp_path, new_artifact, name, content, reason):
    evaluation, _ = evaluate("good")
    copy = tmp_path / "copy"
    shutil.copytree(evaluation.uri, copy)
    (copy / name).unlink()
    if content is not None:
        (copy / name).write_bytes(content)
    damaged = new_artifact(standard_artifacts.ModelEvaluation, copy)
    _, decision = decide(evaluation=damaged, anomalies_0=clean)
    (verdict,) = [v for v in decision.checks if v.outcome is not Outcome.PASSED]
    assert (verdict.name, verdict.outcome) == ("evaluation", Outcome.UNDECIDED)
    assert reason in verdict.reason
    assert len(verdict.findings) == 1 + (name == "validations.tfrecord")  # it is still told that there was no baseline


def test_a_blessing_alone_is_enough_for_the_metrics(decide, evaluate, clean):
    _, given = evaluate("good")
    _, decision = decide(model_blessing=given, anomalies_0=clean)
    assert decision.blessed, decision.to_text()
    assert "first push" in decision.checks[0].reason


def test_a_blessing_withheld_blocks_even_if_the_metrics_look_fine(decide, evaluate, clean):
    evaluation, _ = evaluate("good")
    given = standard_artifacts.ModelBlessing()
    given.set_int_custom_property("blessed", 0)
    _, decision = decide(evaluation=evaluation, model_blessing=given, anomalies_0=clean)
    assert decision.summary == "Not blessed. evaluation: Evaluator did not bless the model."


def test_a_blessing_of_another_model_blocks(decide, evaluate, clean, models):
    evaluation, given = evaluate("good")
    _, decision = decide(model=models["bad_at_3"], evaluation=evaluation, model_blessing=given, anomalies_0=clean)
    assert "Evaluator's blessing is about another model" in decision.summary


def test_an_evaluation_of_another_model_is_undecided(decide, evaluate, clean, models):
    evaluation, _ = evaluate("good")
    _, decision = decide(model=models["bad_at_3"], evaluation=evaluation, anomalies_0=clean)
    (check,) = [each for each in decision.checks if not each.passed]
    assert check.outcome is Outcome.UNDECIDED
    assert f"the evaluation is about another model, {models['good'].uri}/Format-Serving" in check.reason


def test_an_evaluation_that_does_not_say_of_which_model_is_undecided(decide, evaluate, clean, tmp_path, new_artifact):
    evaluation, _ = evaluate("good")
    shutil.copytree(evaluation.uri, tmp_path / "copy")
    path = tmp_path / "copy" / "eval_config.json"
    record = json.loads(path.read_text())
    del record["modelLocations"]
    path.write_text(json.dumps(record))
    _, decision = decide(
        evaluation=new_artifact(standard_artifacts.ModelEvaluation, tmp_path / "copy"), anomalies_0=clean
    )
    assert "evaluation: the evaluation does not say which model it is about" in decision.summary


def test_a_validation_that_matched_no_slice_is_undecided(decide, evaluate, clean, tmp_path, new_artifact):
    evaluation, _ = evaluate("good")
    shutil.copytree(evaluation.uri, tmp_path / "copy")
    result = tfma.load_validation_result(evaluation.uri)
    assert result.validation_ok
    for each in result.validation_details.slicing_details:
        each.num_matching_slices = 0
    with tf.io.TFRecordWriter(str(tmp_path / "copy" / "validations.tfrecord")) as writer:
        writer.write(result.SerializeToString())
    _, decision = decide(
        evaluation=new_artifact(standard_artifacts.ModelEvaluation, tmp_path / "copy"), anomalies_0=clean
    )
    (check,) = [each for each in decision.checks if not each.passed]
    assert check.outcome is Outcome.UNDECIDED
    assert check.reason == (
        "no slice matched any slice, for which a threshold is set; "
        "no slice matched each label, for which a threshold is set"
    )


@pytest.mark.parametrize(
    ("says", "present", "outcome"),
    [
        (1, ["BLESSED"], Outcome.PASSED),
        (1, ["NOT_BLESSED"], Outcome.UNDECIDED),
        (0, ["BLESSED"], Outcome.UNDECIDED),
        (1, ["BLESSED", "NOT_BLESSED"], Outcome.UNDECIDED),
        (0, ["BLESSED", "NOT_BLESSED"], Outcome.UNDECIDED),
        (1, [], Outcome.UNDECIDED),
        (None, ["BLESSED"], Outcome.UNDECIDED),
        (2, ["BLESSED"], Outcome.UNDECIDED),
        (0, ["NOT_BLESSED"], Outcome.FAILED),
        (0, [], Outcome.FAILED),
        (None, ["NOT_BLESSED"], Outcome.FAILED),
    ],
)
def test_a_blessing_whose_property_and_file_disagree_is_undecided(
    decide, clean, models, tmp_path, new_artifact, says, present, outcome
):
    (tmp_path / "given").mkdir()
    for name in present:
        (tmp_path / "given" / name).touch()
    given = new_artifact(standard_artifacts.ModelBlessing, tmp_path / "given")
    given.set_string_custom_property("current_model", models["good"].uri)
    if says is not None:
        given.set_int_custom_property("blessed", says)
    _, decision = decide(model_blessing=given, anomalies_0=clean)
    assert decision.checks[0].outcome is outcome
    if outcome is Outcome.UNDECIDED:
        assert f"the property `blessed` of {given.uri} and its files disagree" in decision.summary


def test_evaluator_without_thresholds_leaves_a_blessing_that_blocks(decide, clean, tmp_path, new_artifact):
    _, decision = decide(
        model_blessing=new_artifact(standard_artifacts.ModelBlessing, tmp_path / "b"), anomalies_0=clean
    )
    assert "no blessing was written by Evaluator" in decision.summary


def test_a_model_that_cannot_be_loaded_is_blocked(decide, saved, classifier, tmp_path):
    model = saved(classifier(), tmp_path / "model")
    path = tmp_path / "model" / "Format-Serving" / "saved_model.pb"
    path.write_bytes(path.read_bytes()[:100])
    blessing, decision = decide(policy=ONLY_CANARY, model=model)
    verdict = decision.checks[-1]
    assert (verdict.name, verdict.outcome) == ("canary", Outcome.FAILED)
    assert "cannot be loaded" in verdict.reason
    assert blessing.get_int_custom_property("blessed") == 0


def test_a_signature_that_is_not_there_is_named(decide):
    _, decision = decide(policy=ONLY_CANARY.replace("4", "4, signature: predict"))
    assert "no signature 'predict', only ['examples', 'serving_default']" in decision.summary


def test_the_canary_can_be_left_out(decide):
    _, decision = decide(policy=LEAST)
    assert decision.blessed
    assert "canary.run is false" in decision.checks[-1].reason


@pytest.mark.parametrize(("policy", "pushed"), [(LEAST, 1), (POLICY, 0)])
def test_tfx_pusher_obeys(decide, models, tmp_path, new_artifact, policy, pushed):
    blessing, _ = decide(policy=policy)
    push = new_artifact(standard_artifacts.PushedModel, tmp_path / "pushed")
    destination = pusher_pb2.PushDestination()
    destination.filesystem.base_directory = str(tmp_path / "serving")
    pusher.Executor().Do(
        {"model": [models["good"]], "model_blessing": [blessing]},
        {"pushed_model": [push]},
        {"push_destination": proto_utils.proto_to_json(destination), "spec": digits_spec().to_json()},
    )
    assert push.get_int_custom_property("pushed") == pushed
    assert (tmp_path / "serving").exists() is bool(pushed)


def test_what_the_gate_blessed_is_pushed_with_reasons_and_evaluation(decide, evaluate, clean, models, tmp_path):
    evaluation, given = evaluate("good")
    blessing, decision = decide(evaluation=evaluation, model_blessing=given, anomalies_0=clean)
    artifacts = {"model": models["good"], "model_blessing": blessing, "evaluation": evaluation}
    for key, kind, file in (
        ("statistics", standard_artifacts.ExampleStatistics, "Split-train/FeatureStats.pb"),
        ("baseline_statistics", standard_artifacts.ExampleStatistics, "Split-eval/FeatureStats.pb"),
        ("schema", standard_artifacts.Schema, "schema.pbtxt"),
    ):
        (tmp_path / key / file).parent.mkdir(parents=True)
        (tmp_path / key / file).touch()
        artifacts[key] = kind()
        artifacts[key].uri = str(tmp_path / key)
    push = standard_artifacts.PushedModel()
    push.uri = str(tmp_path / "pushed")
    destination = pusher_pb2.PushDestination()
    destination.filesystem.base_directory = str(tmp_path / "serving")
    AtomicPusherExecutor().Do(
        {key: [value] for key, value in artifacts.items()},
        {"pushed_model": [push]},
        {"push_destination": proto_utils.proto_to_json(destination), "spec": digits_spec().to_json()},
    )
    bundle = baseline_bundle.newest(str(tmp_path / "serving"))
    assert Decision.from_json(Path(bundle.path(baseline_bundle.REASONS_FILE)).read_text()) == decision
    result = tfma.load_eval_result(bundle.path(baseline_bundle.EVALUATION_DIR))
    assert result.get_metrics_for_all_slices()[()]["accuracy"]["doubleValue"] == 1.0


def test_the_blessing_names_the_model_as_everybody_knows_it(tmp_path):
    """Without TFX, in a pod that reads a copy of the model."""
    blessing = Output(str(tmp_path))
    model = Artifact("/pod/model", id=3, address="s3://runs/model")
    push_gate.run(Step({"model": [model]}, {"blessing": [blessing]}, {"policy": LEAST}))
    named = {key: blessing.properties[key] for key in ("blessed", "current_model", "current_model_id")}
    assert named == {"blessed": 1, "current_model": "s3://runs/model", "current_model_id": 3}
    assert json.loads((tmp_path / "reasons.json").read_text())["model"] == "s3://runs/model"
