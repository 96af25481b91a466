import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from components.common.artifacts.anomalies import anomalies_in
from components.common.verdict import Outcome
from components.push_gate import anomalies
from components.push_gate.policy import AnomaliesPolicy

SCHEMA = """
feature { name: "brightness" type: FLOAT float_domain { min: 0 max: 100 } presence { min_fraction: 1 } }
feature { name: "label" type: INT int_domain { min: 0 max: 9 } presence { min_fraction: 1 } }
dataset_constraints { num_examples_drift_comparator {} min_examples_count: 5 }
"""


@pytest.fixture(scope="module")
def found():
    """TFDV's own anomalies for a few tables."""
    schema = text_format.Parse(SCHEMA, schema_pb2.Schema())
    tables = {
        "fine": {"brightness": [1.0] * 6, "label": [1] * 6},
        "bright": {"brightness": [1.0] * 5 + [300.0], "label": [1] * 6},
        "few": {"brightness": [1.0] * 3, "label": [1] * 3},
        "few and bright": {"brightness": [300.0] * 3, "label": [1] * 3},
        "new": {"brightness": [1.0] * 6, "label": [1] * 6, "extra": [1] * 6},
    }
    return {
        name: tfdv.validate_statistics(tfdv.generate_statistics_from_dataframe(pd.DataFrame(table)), schema)
        for name, table in tables.items()
    }


def judge(proto, **policy):
    return anomalies.judge(anomalies_in(proto), AnomaliesPolicy.model_validate(policy), "Validator, train")


EXEMPT = [{"feature": "bright*", "because": "night shots"}]


@pytest.mark.parametrize(
    ("table", "policy", "outcome", "reason"),
    [
        ("fine", {}, Outcome.PASSED, "no anomaly"),
        ("bright", {}, Outcome.FAILED, "feature brightness: .*FLOAT_TYPE_BIG_FLOAT, ERROR"),
        ("bright", {"types": {"FLOAT_TYPE_BIG_FLOAT": "warn"}}, Outcome.PASSED, "Warned: feature brightness"),
        ("bright", {"severities": {"ERROR": "warn"}}, Outcome.PASSED, "Warned: feature brightness"),
        ("bright", {"exempt": EXEMPT}, Outcome.PASSED, "no anomaly that blocks"),
        ("new", {}, Outcome.FAILED, "feature extra: .*SCHEMA_NEW_COLUMN"),
        ("new", {"exempt": EXEMPT}, Outcome.FAILED, "feature extra"),
        ("few", {}, Outcome.UNDECIDED, "the dataset: .*DATASET_LOW_NUM_EXAMPLES.*too few examples to judge"),
        ("few", {"exempt": [{"feature": "*", "because": "x"}]}, Outcome.UNDECIDED, "the dataset"),
        ("few", {"too_few_examples": {"action": "warn"}}, Outcome.PASSED, "Warned: the dataset"),
        ("few", {"too_few_examples": {"types": []}}, Outcome.FAILED, "DATASET_LOW_NUM_EXAMPLES, ERROR\\)"),
        ("few and bright", {}, Outcome.FAILED, "^feature brightness: .*; the dataset: "),
    ],
)
def test_policy_decides_what_an_anomaly_does(found, table, policy, outcome, reason):
    import re

    verdict = judge(found[table], **policy)
    assert verdict.outcome is outcome
    assert re.search(reason, verdict.reason), verdict.reason
    assert (verdict.name, verdict.subject) == ("anomalies", "Validator, train")


def test_an_exemption_stays_visible_with_its_reason(found):
    (finding,) = judge(found["bright"], exempt=EXEMPT).findings
    assert finding.effect.value == "exempt"
    assert "exempt: night shots" in finding.message


def test_an_anomaly_that_does_not_say_what_it_is_blocks():
    proto = anomalies_pb2.Anomalies()
    proto.anomaly_info["x"].description = "something"
    verdict = judge(proto)
    assert verdict.outcome is Outcome.FAILED
    assert verdict.reason == "feature x: something (UNKNOWN_TYPE, UNKNOWN)"


def test_every_reason_of_an_anomaly_counts():
    proto = anomalies_pb2.Anomalies()
    info = proto.anomaly_info["x"]
    info.severity = anomalies_pb2.AnomalyInfo.ERROR
    info.path.step.extend(["a", "b"])
    for kind in ("SCHEMA_NEW_COLUMN", "INT_TYPE_BIG_INT"):
        info.reason.add(type=anomalies_pb2.AnomalyInfo.Type.Value(kind), description=kind.lower())
    verdict = judge(proto, types={"SCHEMA_NEW_COLUMN": "warn"})
    assert verdict.reason == "feature a.b: int_type_big_int (INT_TYPE_BIG_INT, ERROR)"
