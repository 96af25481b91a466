"""What TFDV's library says without the package around it is what the package says, to the byte."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from components.common.errors import MonitorError
from components.common.statistics import tfdv_native

REPOSITORY = Path(__file__).resolve().parents[4]
CASES = 120
# Of a process that imports nothing but ours: the inputs come as lines of JSON, what is said of them goes out so.
ASKED = """
import base64, json, sys
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2
from components.common.statistics.tfdv_native import Statistics, infer_schema, validate_statistics

def parsed(kind, text):
    return None if text is None else kind.FromString(base64.b64decode(text))

for line in sys.stdin:
    case = json.loads(line)
    data, previous, serving = (parsed(Statistics, case[key]) for key in ("data", "previous", "serving"))
    inferred = infer_schema(data, infer_feature_shape=case["shape"], max_string_domain_size=case["most"])
    found = validate_statistics(
        data, parsed(schema_pb2.Schema, case["schema"]), case["environment"], previous=previous, serving=serving)
    assert data == parsed(Statistics, case["data"])
    print(json.dumps([base64.b64encode(each.SerializeToString(deterministic=True)).decode()
                      for each in (inferred, found)]))
heavy = {name.partition(".")[0] for name in sys.modules} & {"tensorflow", "tfx", "apache_beam", "pyarrow"}
assert not heavy, heavy
"""


def numbers(feature, random: np.random.Generator, examples: int) -> None:
    values = random.normal(random.uniform(-1, 1), random.uniform(0.1, 2), examples)
    counts, edges = np.histogram(values, int(random.integers(2, 12)))
    stats = feature.num_stats
    stats.mean, stats.std_dev, stats.min, stats.max = values.mean(), values.std(), values.min(), values.max()
    histogram = stats.histograms.add(type=statistics_pb2.Histogram.STANDARD)
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        histogram.buckets.add(low_value=low, high_value=high, sample_count=count)


def words(feature, random: np.random.Generator, examples: int) -> None:
    counts = random.multinomial(examples, random.dirichlet(np.ones(int(random.integers(1, 8)))))
    stats = feature.string_stats
    stats.unique = len(counts)
    for rank, count in enumerate(counts):
        stats.top_values.add(value=f"word{rank}", frequency=count)
        stats.rank_histogram.buckets.add(low_rank=rank, high_rank=rank, label=f"word{rank}", sample_count=count)


def common(stats, random: np.random.Generator, examples: int) -> None:
    missing = int(random.integers(0, 3)) * int(random.integers(0, examples))
    stats.num_missing = min(missing, examples)
    stats.num_non_missing = examples - stats.num_missing
    stats.min_num_values, stats.max_num_values = (1, 1) if random.random() < 0.7 else (0, 3)
    stats.tot_num_values, stats.avg_num_values = stats.num_non_missing, 1.0


def described(random: np.random.Generator) -> statistics_pb2.DatasetFeatureStatistics:
    """Of up to five features of every kind, one of them without statistics, as of a weighted feature."""
    examples = int(random.integers(0, 400))
    data = statistics_pb2.DatasetFeatureStatistics(num_examples=examples)
    by_path = random.random() < 0.8
    for number in range(int(random.integers(1, 6))):
        kind = ("INT", "FLOAT", "STRING", "BYTES", "STRUCT")[int(random.integers(0, 5))]
        feature = data.features.add(type=kind)
        feature.path.step.append(f"f{number}") if by_path else setattr(feature, "name", f"f{number}")
        if random.random() < 0.1 or not examples:
            continue
        if kind in ("INT", "FLOAT"):
            numbers(feature, random, examples)
            common(feature.num_stats.common_stats, random, examples)
        elif kind == "STRING":
            words(feature, random, examples)
            common(feature.string_stats.common_stats, random, examples)
        else:
            stats = feature.bytes_stats if kind == "BYTES" else feature.struct_stats
            common(stats.common_stats, random, examples)
    return data


def schema_for(data, random: np.random.Generator) -> schema_pb2.Schema:
    """One that fits some of the data, with comparators, domains and environments that some of it breaks."""
    schema = tfdv_native.infer_schema(data, infer_feature_shape=bool(random.integers(0, 2)))
    schema.default_environment.extend(["TRAINING", "SERVING"])
    if random.random() < 0.3:
        schema.dataset_constraints.min_examples_count = int(random.integers(0, 500))
    for feature in schema.feature:
        for comparator in (feature.skew_comparator, feature.drift_comparator):
            if feature.type == schema_pb2.BYTES and random.random() < 0.5:
                comparator.infinity_norm.threshold = random.uniform(0, 0.4)
            elif random.random() < 0.6:
                comparator.jensen_shannon_divergence.threshold = random.uniform(0, 0.4)
        if feature.type == schema_pb2.FLOAT and random.random() < 0.4:
            feature.float_domain.min, feature.float_domain.max = -1, 1
        if random.random() < 0.3:
            feature.not_in_environment.append("SERVING")
    if random.random() < 0.3:
        schema.feature.add(name="never", type="FLOAT", presence=schema_pb2.FeaturePresence(min_count=1))
    return schema


def case(number: int) -> dict[str, object]:
    random = np.random.default_rng(number)
    data, *others = (described(random) for _ in range(3))
    text = lambda message: base64.b64encode(message.SerializeToString()).decode()  # noqa: E731
    previous, serving = (text(each) if random.random() < 0.7 else None for each in others)
    environment = str(random.choice(["", "TRAINING", "SERVING"]))
    schema = schema_for(described(np.random.default_rng(number)), random)
    return {"data": text(data), "previous": previous, "serving": serving, "schema": text(schema),
            "environment": environment, "shape": bool(random.integers(0, 2)),
            "most": int(random.integers(0, 7))}  # fmt: skip


def test_every_schema_and_every_anomaly_is_the_packages_own():
    import tensorflow_data_validation as tfdv

    cases = [case(number) for number in range(CASES)]
    done = subprocess.run([sys.executable, "-c", ASKED], input="\n".join(map(json.dumps, cases)), cwd=REPOSITORY,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = [[base64.b64decode(each) for each in json.loads(line)] for line in done.stdout.splitlines()]
    kinds: set[int] = set()

    def whole(text: str | None) -> statistics_pb2.DatasetFeatureStatisticsList | None:
        if text is None:
            return None
        data = statistics_pb2.DatasetFeatureStatistics.FromString(base64.b64decode(text))
        return statistics_pb2.DatasetFeatureStatisticsList(datasets=[data])

    for given, (inferred, found) in zip(cases, told, strict=True):
        schema = schema_pb2.Schema.FromString(base64.b64decode(given["schema"]))
        theirs = tfdv.validate_statistics(whole(given["data"]), schema, environment=given["environment"] or None,
                                          previous_statistics=whole(given["previous"]),
                                          serving_statistics=whole(given["serving"]))  # fmt: skip
        assert found == theirs.SerializeToString(deterministic=True)
        wanted = tfdv.infer_schema(whole(given["data"]), given["shape"], given["most"])
        assert inferred == wanted.SerializeToString(deterministic=True)
        kinds |= {reason.type for info in theirs.anomaly_info.values() for reason in info.reason}
    assert len(kinds) >= 6, "the cases are of many kinds"


def test_an_environment_that_the_schema_has_not_is_an_error():
    schema = schema_pb2.Schema(default_environment=["TRAINING"])
    with pytest.raises(MonitorError, match=r"`environment` must be one of the schema's, \['TRAINING'\]"):
        tfdv_native.validate_statistics(statistics_pb2.DatasetFeatureStatistics(), schema, "SERVING")


def test_features_named_in_two_ways_are_an_error_where_the_library_ends_the_process():
    empty, data = tfdv_native.Statistics(), tfdv_native.Statistics(num_examples=1)
    for name in ({"name": "a"}, {"path": {"step": ["b"]}}):
        data.features.add(type="INT", num_stats={"mean": 1}, **name)
    schema = schema_pb2.Schema()
    for ask in (lambda: tfdv_native.infer_schema(data),
                lambda: tfdv_native.validate_statistics(data, schema),
                lambda: tfdv_native.validate_statistics(empty, schema, previous=data),
                lambda: tfdv_native.validate_statistics(empty, schema, serving=data)):  # fmt: skip
        with pytest.raises(MonitorError, match="name their features all by `path` or all by `name`"):
            ask()


# What the library is, and what is said of it. The package is an empty one with a file of such a name, or none.
@pytest.mark.parametrize(("content", "said"), [
    (None, "must be installed with its library pywrap/tensorflow_data_validation_extension*.so. Received: none in"),
    ("no library", "extension.so must be a library that this Python can load. Received: "),
])  # fmt: skip
def test_a_library_that_is_not_there_or_no_library_is_said_in_one_sentence(tmp_path, content, said):
    folder = tmp_path / "tensorflow_data_validation" / "pywrap"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    if content is not None:
        (folder / "tensorflow_data_validation_extension.so").write_text(content)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from components.common.statistics import tfdv_native"
    ask = "tfdv_native.infer_schema(tfdv_native.Statistics())"
    done = subprocess.run([sys.executable, "-c", f"{code}; {ask}"], cwd=REPOSITORY, capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode == 1
    assert said in done.stderr.splitlines()[-1], done.stderr
    assert "MonitorError" in done.stderr.splitlines()[-1]
