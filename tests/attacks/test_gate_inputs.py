"""What the gate reads, damaged bit by bit and cut at every byte: never blessed for it, and never an exception.

The files are as TFX's components write them (anomalies are TFDV's own) and are judged by the gate's own functions; they
lie in memory, so that many can be tried.
"""

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.types import artifact_utils, standard_artifacts

from components.common.artifacts.anomalies import anomaly_types
from components.common.artifacts.files import Artifact, Files, local_files
from components.common.artifacts.tfma_messages import message_class
from components.common.artifacts.tfrecord import frame
from components.common.errors import MonitorError
from components.common.records.decision import REASONS_JSON, Decision
from components.common.tfx_files import artifact_of
from components.common.verdict import Check, Effect, Finding, Outcome, worst
from components.push_gate.policy import AnomaliesPolicy, EvaluationPolicy, parse_policy
from components.push_gate.step import judge_anomalies, judge_evaluation
from components.served_model import messages
from components.served_model.model_process import _DAMAGE
from tests.support.gate import artifact

pytestmark = pytest.mark.long

Judge = Callable[[bytes], bool]  # whether what is damaged passes
SCHEMA = """
    feature { name: "brightness" type: FLOAT float_domain { max: 100 } presence { min_fraction: 1 } }
    feature { name: "contrast" type: FLOAT float_domain { min: 0 max: 100 } presence { min_fraction: 1 } }
"""
POLICY = Path(__file__).parents[2] / "schemas" / "cifar10" / "push_policy.yaml"


def damaged(content: bytes, tries: int, seed: int = 0) -> Iterator[bytes]:
    """The content cut at every byte (at `tries` of them if these are fewer), and with each of `tries` bits flipped."""
    rng = np.random.default_rng(seed)
    cuts = np.arange(len(content)) if tries >= len(content) else rng.choice(len(content), tries, replace=False)
    for cut in cuts:
        yield content[:cut]
    bits = 8 * len(content)
    for bit in np.arange(bits) if tries >= bits else rng.choice(bits, tries, replace=False):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << (bit % 8)
        yield bytes(flipped)


def attack(content: bytes, judge: Judge, tries: int) -> tuple[int, int]:
    """How many damaged contents were tried, and how many of them were not blessed unless the intact one is.

    Any exception of the judge ends the attack.
    """
    intact = judge(content)
    results = [intact or not judge(each) for each in damaged(content, tries)]
    return len(results), sum(results)


def over(folder: str, replaced: str) -> tuple[Files, Callable[[bytes], None]]:
    """Files of a folder, of which one is in memory, and how that is set."""
    here, held = local_files(), {}

    def read(path: str, most: int) -> bytes:
        return held[path] if path in held else here.read(path, most)

    return dataclasses.replace(here, read=read), lambda content: held.update({f"{folder}/{replaced}": content})


def evaluated(folder: Path, name: str) -> standard_artifacts.ModelEvaluation:
    """What the Evaluator leaves of a model that it compared with a baseline: `good`, or `bad` in one slice."""
    result = message_class("ValidationResult")(validation_ok=name == "good")
    for key, matching in (("", 5), ("label", 4)):
        details = result.validation_details.slicing_details.add(num_matching_slices=matching)
        details.slicing_spec.feature_keys.extend([key] if key else [])
    if name == "bad":
        sliced = result.metric_validations_per_slice.add()
        sliced.slice_key.single_slice_keys.add(column="label", int64_value=3)
        failure = sliced.failures.add()
        failure.metric_key.name, failure.metric_key.model_name = "accuracy", "candidate"
        failure.metric_threshold.value_threshold.lower_bound.value = 0.35
        failure.metric_value.double_value.value = 0.25
    locations = {"candidate": f"/runs/Trainer/model/{name}/Format-Serving", "baseline": "/serving/1795483923"}
    specs = [{"name": "candidate", "labelKey": "label"}, {"name": "baseline", "labelKey": "label", "isBaseline": True}]
    config = {"evalConfig": {"modelSpecs": specs}, "version": "0.47.1", "modelLocations": locations}
    folder.mkdir()
    (folder / "validations.tfrecord").write_bytes(frame(result.SerializeToString()))
    (folder / "eval_config.json").write_text(json.dumps(config, indent=2))
    return artifact(standard_artifacts.ModelEvaluation, folder)


def validated(folder: Path, **values: float) -> standard_artifacts.ExampleAnomalies:
    """What ExampleValidator leaves of one split: TFDV's anomalies and, in its property, whether there are any."""
    statistics = tfdv.generate_statistics_from_dataframe(pd.DataFrame({name: [v] * 4 for name, v in values.items()}))
    found = tfdv.validate_statistics(statistics, text_format.Parse(SCHEMA, schema_pb2.Schema()))
    (folder / "Split-train").mkdir(parents=True)
    (folder / "Split-train" / "SchemaDiff.pb").write_bytes(found.SerializeToString())
    made = artifact(standard_artifacts.ExampleAnomalies, folder)
    made.split_names = artifact_utils.encode_split_names(["train"])
    made.set_json_value_custom_property("blessed", {"train": int(not found.anomaly_info)})
    return made


def passes(checks: list[Check]) -> bool:
    return worst(check.outcome for check in checks) is Outcome.PASSED


@pytest.mark.parametrize(
    "values",
    [
        {"brightness": 1.0, "contrast": 1.0},
        {"brightness": 300.0, "contrast": 1.0},
        {"brightness": 300.0, "contrast": -1.0},
        {"brightness": 300.0, "contrast": 1.0, "new": 1.0},  # of which the new column is only a warning by the policy
    ],
    ids=["none", "one", "two", "one_and_a_warning"],
)
def test_anomalies(tmp_path, tries, report, request, values):
    made = validated(tmp_path / "anomalies", **values)
    policy = AnomaliesPolicy(types={"SCHEMA_NEW_COLUMN": "warn"})
    files, put = over(f"{made.uri}/Split-train", "SchemaDiff.pb")

    def judge(content: bytes) -> bool:
        put(content)
        return passes(judge_anomalies({"anomalies_0": [artifact_of(made)]}, {}, policy, files))

    content = Path(made.uri, "Split-train", "SchemaDiff.pb").read_bytes()
    report(f"gate, anomalies ({request.node.callspec.id})", *attack(content, judge, tries(150, 20_000)))


@pytest.mark.parametrize("name", ["validations.tfrecord", "eval_config.json"])
@pytest.mark.parametrize(("evaluation", "model"), [("good", "good"), ("bad", "bad"), ("good", "other")])
def test_evaluation(tmp_path, tries, report, evaluation, model, name):
    """The one text without a checksum says of which model it is: no single bit makes `good` of `other`."""
    made = evaluated(tmp_path / "evaluation", evaluation)
    files, put = over(made.uri, name)
    policy, about = EvaluationPolicy(without_baseline="block"), Artifact(f"/runs/Trainer/model/{model}")

    def judge(content: bytes) -> bool:
        put(content)
        return judge_evaluation({"evaluation": [artifact_of(made)]}, about, policy, files).passed

    content = Path(made.uri, name).read_bytes()
    report(f"gate, {name} of {evaluation} for {model}", *attack(content, judge, tries(100, 20_000)))


@pytest.mark.parametrize("marker", ["BLESSED", "NOT_BLESSED"])
def test_blessing(tmp_path, tries, report, marker):
    """Its property, whose 64 bits may each flip, beside the file; and one with the reasons of another gate."""
    uri = tmp_path / "blessing"
    uri.mkdir()
    (uri / marker).touch()
    failed = Check.of(
        "canary", [Finding("sum", "y", Effect.FAIL, "output y must sum to 1, but a row is 0.5 off")], passed=""
    )
    reasons = Decision("/model", (Check("evaluation", "", Outcome.PASSED, "fine"), failed)).to_json().encode()
    tried = held = 0
    for bit in [None, *range(63)]:
        value = (0 if marker == "NOT_BLESSED" else 1) ^ (0 if bit is None else 1 << bit)
        given = artifact(standard_artifacts.ModelBlessing, uri)
        given.set_int_custom_property("blessed", value)
        given.set_string_custom_property("current_model", "/model")
        check = judge_evaluation(
            {"model_blessing": [artifact_of(given)]}, Artifact("/model"), EvaluationPolicy(), local_files()
        )
        tried, held = tried + 1, held + (check.passed is (marker == "BLESSED" and value == 1))
    given.set_int_custom_property("blessed", 1)
    (uri / REASONS_JSON).write_bytes(reasons)
    files, put = over(str(uri), REASONS_JSON)

    def judge(content: bytes) -> bool:
        put(content)
        return judge_evaluation(
            {"model_blessing": [artifact_of(given)]}, Artifact("/model"), EvaluationPolicy(), files
        ).passed

    more = attack(reasons, judge, tries(100, 20_000))
    report(f"gate, blessing ({marker})", tried + more[0], held + more[1])


def test_policy(tries, report):
    """It has no checksum either: what is left of it is a policy or is refused with a sentence, never an exception."""
    content = POLICY.read_bytes()

    def judge(damage: bytes) -> bool:
        try:
            parse_policy(damage.decode(), anomaly_types())
        except (MonitorError, UnicodeDecodeError):  # whoever reads the file says that it is no text
            return False
        return True

    judged = [judge(each) for each in damaged(content, tries(40, 20_000))]
    report("gate, policy", len(judged), len(judged))
    assert not all(judged)


def test_answers_of_the_models_process(tries, report):
    """What comes through the pipe is a message or damaged, whatever a model has done to the process that sends it."""
    whole = messages.to_bytes(
        {"kind": "answer"}, {"y": np.ones((3, 4), np.float32), "t": np.array([b"a", b"bc"], object)}
    )
    start = messages.SIZES.size
    length, _ = messages.SIZES.unpack(whole[:start])
    seen = 0
    for each in damaged(whole[start:], tries(300, 20_000)):
        with contextlib.suppress(_DAMAGE):
            messages.from_bytes(each[:length], each[length:])
        seen += 1
    report("gate, answers of a model's process", seen, seen)


def test_the_attacks_themselves_notice_a_gate_that_lets_damage_through():
    """An attack that could not fail would be none."""
    content = json.dumps({"blessed": False}).encode()
    tried, held = attack(content, lambda each: b'"blessed": false' not in each, 10_000)
    assert 0 < held < tried
