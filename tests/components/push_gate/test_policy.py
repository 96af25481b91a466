from pathlib import Path

import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.common.errors import MonitorError
from components.common.model_spec import ModelSpec
from components.push_gate.policy import Policy, parse_policy
from tests.support.model_specs import digits_spec

TYPES = anomalies_pb2.AnomalyInfo.Type.keys()
CIFAR10 = Path(__file__).parents[3] / "schemas" / "cifar10" / "push_policy.yaml"
LEAST = "canary: {num_classes: 10}"


def parse(text: str) -> Policy:
    return parse_policy(text, TYPES)


def test_the_cifar10_policy_is_valid_and_spells_out_every_key():
    policy = parse_policy(CIFAR10.read_text(), TYPES, ModelSpec.load(CIFAR10.with_name("model_spec.yaml")))
    assert policy.canary.num_classes == 10
    for section in ("evaluation", "anomalies", "canary"):
        model = getattr(policy, section)
        assert model.model_fields_set == set(type(model).model_fields)


def test_what_is_left_out_is_strict():
    policy = parse(LEAST)
    assert policy.evaluation.required
    assert policy.anomalies.required
    assert policy.canary.run
    assert policy.anomalies.too_few_examples.action == "block"
    assert {policy.anomalies.action("INT_TYPE_BIG_INT", severity) for severity in ("ERROR", "UNKNOWN", "FATAL")} == {
        "block"
    }


def test_json_is_a_policy_too():
    assert parse('{"canary": {"run": false}, "evaluation": {"required": false}}').evaluation.required is False


@pytest.mark.parametrize(
    ("feature", "covered"),
    [("noise", True), ("noisy", False), ("border_top", True), ("Border_top", False), ("", False)],
)
def test_exemptions_are_names_or_patterns_and_never_the_whole_dataset(feature, covered):
    exempt = 'anomalies: {exempt: [{feature: noise, because: a}, {feature: "border_*", because: b}]}'
    assert (parse(f"{LEAST}\n{exempt}").anomalies.exemption(feature) is not None) is covered


def test_a_pattern_for_everything_spares_the_dataset():
    policy = parse(LEAST + '\nanomalies: {exempt: [{feature: "*", because: all}]}')
    assert policy.anomalies.exemption("") is None


@pytest.mark.parametrize(
    ("anomaly_type", "severity", "action"),
    [("SCHEMA_NEW_COLUMN", "ERROR", "warn"), ("INT_TYPE_BIG_INT", "ERROR", "block"), ("X", "WARNING", "warn")],
)
def test_type_goes_before_severity(anomaly_type, severity, action):
    policy = parse(LEAST + "\nanomalies: {types: {SCHEMA_NEW_COLUMN: warn}}")
    assert policy.anomalies.action(anomaly_type, severity) == action


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "must be the text of a policy file"),
        ("- a\n- b", "must be a mapping"),
        ("a: [", "The push policy must be YAML. Received: "),
        ("canary: {num_classes: 10}\ncanary: {run: false}", "the key 'canary' is there twice"),
        ("evaluation.: {}", r"there is no key `evaluation.` \(did you mean 'evaluation'"),
        (
            f"{LEAST}\nanomalies: {{exempt: [{{feature: a, because: b, be.c: c}}]}}",
            r"no key `anomalies.exempt\[0\].be.c`",
        ),
        ("evalution: {}", r"there is no key `evalution` \(did you mean 'evaluation'"),
        (f"{LEAST}\nevaluation: {{requird: true}}", r"there is no key `evaluation.requird` \(did you mean 'required'"),
        (f"{LEAST}\nanomalies: {{too_few_examples: {{tpyes: []}}}}", r"did you mean 'types'"),
        (
            f"{LEAST}\nanomalies: {{exempt: [{{feature: a, because: b, becuase: c}}]}}",
            r"no key `anomalies.exempt\[0\].becuase` \(did you mean 'because'.* because, feature$",
        ),
        (
            f"{LEAST}\nanomalies: {{exempt: [{{feature: a}}]}}",
            r"`anomalies.exempt\[0\].because` must be given. Received: feature",
        ),
        (f"{LEAST}\nevaluation: {{without_baseline: pusch}}", r"without_baseline.*'push' or 'block'.*'pusch'"),
        (f"{LEAST}\nevaluation: {{required: 'yes'}}", r"`evaluation.required`.*valid boolean.*'yes'"),
        (
            f"{LEAST}\nanomalies: {{severities: {{FATAL: block}}}}",
            r"there is no key `anomalies.severities.FATAL`. The keys are: ERROR",
        ),
        (f"{LEAST}\nanomalies: {{types: {{SCHEMA_NEW_COLUM: warn}}}}", r"did you mean 'SCHEMA_NEW_COLUMN'"),
        (f"{LEAST}\nanomalies: {{types: {{SCHEMA_NEW_COLUMN: ignore}}}}", r"'block' or 'warn'"),
        (f"{LEAST}\nanomalies: {{types: {{DATASET_LOW_NUM_EXAMPLES: warn}}}}", "too_few_examples decides"),
        (f"{LEAST}\nanomalies: {{too_few_examples: {{types: [LOW]}}}}", "too_few_examples.types` must be one of"),
        ("canary: {}", "canary.num_classes` must be given"),
        ("canary: {num_classes: 10, input_range: [1, 0]}", "low < high"),
        ("canary: {num_classes: 10, input_range: [0, .inf]}", r"`canary.input_range` must be a finite number.*inf"),
        ("canary: {num_classes: 10, input_range: [.nan, 1]}", r"`canary.input_range` must be a finite number.*nan"),
        ("canary: {num_classes: 10, timeout: .inf}", r"`canary.timeout` must be a finite number. Received: inf"),
        ("canary: {num_classes: 10, timeout: 0}", r"`canary.timeout` must be greater than 0. Received: 0"),
        ("canary: {num_classes: 10, memory: 512}", r"`canary.memory` must be greater than or equal to 1024"),
        (
            f"{LEAST}\nanomalies: {{exempt: [{{feature: '*', because: ' '}}]}}",
            r"`anomalies.exempt\[0\].because` must have at least 1 character. Received: ' '",
        ),
        (
            f"{LEAST}\nanomalies: {{exempt: [{{feature: ' ', because: a}}]}}",
            r"exempt\[0\].feature` must have at least 1",
        ),
        ("canary: {num_classes: 10, batch_sizes: []}", "batch_sizes"),
        ("canary: {num_classes: 10, sum_tolerance: 0.1}", "there is no key `canary.sum_tolerance`"),
    ],
)
def test_malformed_policies_say_what_is_wrong(text, expected):
    with pytest.raises(MonitorError, match=f"(?s){expected}"):
        parse(text)


def test_a_path_in_place_of_the_text_is_refused():
    with pytest.raises(MonitorError, match="must be a mapping"):
        parse("schemas/cifar10/push_policy.yaml")


DIGITS = digits_spec(outputs={"kind": "logits"}, image={"range": [-1, 1]}, signatures={"serve": "predict"})


@pytest.mark.parametrize("text", ["", "# nothing", "canary: {batch_sizes: [2]}", "canary:"])
def test_what_the_canary_wants_comes_from_the_spec(text):
    policy = parse_policy(text, anomalies_pb2.AnomalyInfo.Type.keys(), DIGITS)
    canary = policy.canary
    assert (canary.probabilities, canary.kind, canary.class_id, canary.num_classes) == ("dense_1", "logits", None, 10)
    assert (canary.signature, canary.input_range) == ("predict", [-1, 1])
    assert canary.batch_sizes == ([2] if "batch" in text else [1, 7])
    assert policy.evaluation.required
    assert policy.anomalies.required


def test_a_policy_may_say_what_the_spec_says_and_another_signature():
    text = "canary: {num_classes: 10, probabilities: dense_1, class_id: null, signature: other}"
    assert parse_policy(text, anomalies_pb2.AnomalyInfo.Type.keys(), DIGITS).canary.signature == "other"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("canary: {num_classes: 7}", r"`canary.num_classes` must be what the model's spec says, 10, or .* Received: 7"),
        ("canary: {probabilities: probs}", r"`canary.probabilities` must be .* 'dense_1', .* Received: 'probs'"),
        ("canary: {class_id: class_id}", r"`canary.class_id` must be .* None, or be left out. Received: 'class_id'"),
        ("canary: {kind: sigmoid}", "`canary.kind` must be what the model's spec says, 'logits'"),
        ("canary: 7", "canary"),
    ],
)
def test_a_policy_that_contradicts_the_spec_is_refused(text, expected):
    with pytest.raises(MonitorError, match=expected):
        parse_policy(text, anomalies_pb2.AnomalyInfo.Type.keys(), DIGITS)
