"""The splits of artifacts, and what is read of each: statistics and anomalies."""

import numpy as np
import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from components.common.artifacts.anomalies import anomalies_by_split, read_anomalies
from components.common.artifacts.files import Artifact, local_files
from components.common.artifacts.splits import WHOLE, named_splits, only_split_folder, split_folder, split_folders
from components.common.artifacts.statistics import read_datasets, read_sample, read_statistics, statistics_by_split
from components.common.artifacts.tfrecord import frame
from components.common.errors import MonitorError
from components.common.statistics.feature_sample import FILE_NAME, FeatureSample

FILES = local_files()


def artifact(folder, *names, **properties):
    for name in names:
        (folder / name).mkdir(parents=True)
    return Artifact(str(folder), properties=properties)


def test_splits_are_those_that_are_named_then_those_that_are_only_there(tmp_path):
    made = artifact(tmp_path, "Split-eval", "Split-b", "Split-a", split_names='["train", "eval"]')
    assert split_folders(made, FILES) == {
        name: f"{tmp_path}/Split-{name}" for name in ("train", "eval", "a", "b")
    }  # fmt: skip
    assert list(split_folders(made, FILES)) == ["train", "eval", "a", "b"]


def test_a_pair_of_splits_has_its_folder(tmp_path):
    made = artifact(tmp_path, "SplitPair-train_eval", split_names='["train_eval"]')
    assert split_folders(made, FILES) == {"train_eval": f"{tmp_path}/SplitPair-train_eval"}


def test_an_artifact_without_splits_is_whole(tmp_path):
    made = artifact(tmp_path, "other")
    assert split_folders(made, FILES) == {WHOLE: str(tmp_path)}
    assert only_split_folder(made, "eval", FILES) == str(tmp_path)


def test_of_one_split_the_name_does_not_matter_and_of_two_it_does(tmp_path):
    made = artifact(tmp_path, "Split-test")
    assert only_split_folder(made, "eval", FILES) == f"{tmp_path}/Split-test"
    (tmp_path / "Split-train").mkdir()
    assert only_split_folder(made, "train", FILES) == f"{tmp_path}/Split-train"
    with pytest.raises(MonitorError, match=r"`split` must be one of test, train of .*\. Received: 'eval'"):
        only_split_folder(made, "eval", FILES)
    with pytest.raises(MonitorError, match=r"`baseline_split` must be one of test, train"):
        split_folder(made, "eval", FILES, "baseline_split")


def test_a_folder_that_is_gone_leaves_the_names_and_without_names_is_an_error(tmp_path):
    gone = Artifact(f"{tmp_path}/gone", properties={"split_names": '["eval"]'})
    assert split_folders(gone, FILES) == {"eval": f"{tmp_path}/gone/Split-eval"}
    with pytest.raises(MonitorError, match="gone must be a readable folder"):
        split_folders(Artifact(f"{tmp_path}/gone"), FILES)


@pytest.mark.parametrize("names", ["5", "[5]", "not JSON", '{"a": 1}'])
def test_names_that_are_none_are_an_error(names):
    with pytest.raises(MonitorError, match=r"`split_names` must be a JSON list of names in /x\. Received: "):
        named_splits(Artifact("/x", properties={"split_names": names}))


def statistics(count=3, datasets=1):
    message = statistics_pb2.DatasetFeatureStatisticsList()
    for _ in range(datasets):
        message.datasets.add(num_examples=count)
    return message.SerializeToString()


def test_statistics_are_read_by_split_in_the_form_of_today_and_in_that_of_before(tmp_path):
    made = artifact(tmp_path, "Split-old", "Split-new")
    (tmp_path / "Split-old" / "stats_tfrecord").write_bytes(frame(statistics(2)))
    (tmp_path / "Split-new" / "FeatureStats.pb").write_bytes(statistics(3))
    assert {split: data.num_examples for split, data in statistics_by_split(made, FILES).items()} == {
        "old": 2,
        "new": 3,
    }


def test_statistics_of_slices_are_several_data_sets(tmp_path):
    (tmp_path / "FeatureStats.pb").write_bytes(statistics(datasets=2))
    assert len(read_datasets(str(tmp_path), FILES).datasets) == 2
    with pytest.raises(MonitorError, match="must hold one data set"):
        read_statistics(str(tmp_path), FILES)


def test_a_sample_is_read_from_beside_the_statistics(tmp_path):
    with pytest.raises(MonitorError, match=f"must hold a {FILE_NAME}, as ImageStatisticsGen writes it"):
        read_sample(str(tmp_path), FILES)
    sample = FeatureSample(("x",), np.ones((2, 1), np.float32), 2, ("a", "b"))
    (tmp_path / FILE_NAME).write_bytes(sample.to_bytes())
    assert read_sample(str(tmp_path), FILES).ids == ("a", "b")


def anomalies(**reasons):
    message = anomalies_pb2.Anomalies(anomaly_name_format=anomalies_pb2.Anomalies.SERIALIZED_PATH)
    for feature, (severity, *descriptions) in reasons.items():
        info = message.anomaly_info[feature]
        info.severity = anomalies_pb2.AnomalyInfo.Severity.Value(severity)
        info.description, info.short_description = "in general", "short"
        for description in descriptions:
            info.reason.add(type="SCHEMA_NEW_COLUMN", description=description, short_description=description[:3])
    message.baseline.feature.add(name="x")
    return message


def test_every_reason_is_an_anomaly_and_one_without_reasons_is_one_too(tmp_path):
    made = artifact(tmp_path, "Split-eval")
    message = anomalies(b=("WARNING", "first", "second"), a=("UNKNOWN",))
    message.dataset_anomaly_info.severity = anomalies_pb2.AnomalyInfo.ERROR
    message.dataset_anomaly_info.short_description = "too few"
    (tmp_path / "Split-eval" / "SchemaDiff.pb").write_bytes(message.SerializeToString())
    found = anomalies_by_split(made, FILES)["eval"]
    assert [(each.feature, each.type, each.severity, each.description) for each in found] == [
        ("", "UNKNOWN_TYPE", "ERROR", "too few"),
        ("a", "UNKNOWN_TYPE", "UNKNOWN", "in general"),
        ("b", "SCHEMA_NEW_COLUMN", "WARNING", "first"),
        ("b", "SCHEMA_NEW_COLUMN", "WARNING", "second"),
    ]
    assert [each.harmless for each in found] == [False, False, True, True]
    assert [each.line for each in found] == ["too few", "a: short", "b: fir", "b: sec"]


def test_anomalies_in_text_are_read_where_there_are_no_others(tmp_path):
    (tmp_path / "anomalies.pbtxt").write_text(str(anomalies(a=("ERROR", "old"))))
    (tmp_path / "Split-eval").mkdir()
    made = Artifact(str(tmp_path))
    assert [each.description for each in read_anomalies(made, str(tmp_path), FILES)] == ["old"]
    (tmp_path / "SchemaDiff.pb").write_bytes(anomalies(a=("ERROR", "new")).SerializeToString())
    assert [each.description for each in read_anomalies(made, str(tmp_path), FILES)] == ["new"]


def test_what_cannot_be_judged_is_an_error_and_not_an_empty_list(tmp_path):
    made = artifact(tmp_path, "Split-eval")
    folder = f"{tmp_path}/Split-eval"
    with pytest.raises(MonitorError, match=r"SchemaDiff\.pb must be a readable file"):
        read_anomalies(made, folder, FILES)
    (tmp_path / "Split-eval" / "SchemaDiff.pb").write_bytes(b"")
    with pytest.raises(MonitorError, match="an empty file"):
        read_anomalies(made, folder, FILES)
    missing = anomalies_pb2.Anomalies(data_missing=True).SerializeToString()
    (tmp_path / "Split-eval" / "SchemaDiff.pb").write_bytes(missing)
    with pytest.raises(MonitorError, match="says that there was no data to validate"):
        read_anomalies(made, folder, FILES)
    with pytest.raises(MonitorError, match=r"must hold the anomalies of a split\. Received: none, and no split"):
        read_anomalies(made, str(tmp_path), FILES)
    without_baseline = Artifact(str(tmp_path), properties={"blessed": 2})  # by DistributionValidator
    with pytest.raises(MonitorError, match="there was no baseline to compare with"):
        read_anomalies(without_baseline, str(tmp_path), FILES)
