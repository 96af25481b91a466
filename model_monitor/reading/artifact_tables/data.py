"""Tables of data: examples, statistics, schemas and anomalies."""

from collections.abc import Iterator
from typing import Any

from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from components.common.artifacts.anomalies import read_anomalies
from components.common.artifacts.files import Artifact, Files
from components.common.artifacts.schema import read_schemas
from components.common.artifacts.splits import split_folders
from components.common.artifacts.statistics import read_datasets
from components.common.errors import MonitorError
from components.common.statistics.monitored_features import name_of

from .table import Cell, Table

_NUMERIC = ("feature", "type", "missing", "mean", "std dev", "min", "median", "max")
_STRING = ("feature", "type", "missing", "unique", "average length", "most frequent", "times")
_SCHEMA = ("feature", "type", "presence", "values", "skew", "drift")
_EVERYWHERE = ("is_external", "split_names", "tfx_version")  # properties that say nothing of the data


def statistics(artifact: Artifact, files: Files) -> Iterator[Table]:
    """A table of numeric features and one of the others for each split."""
    for split, folder in split_folders(artifact, files).items():
        try:
            found = read_datasets(folder, files)
        except MonitorError as error:
            yield Table(split, problem=str(error))
            continue
        for dataset in found.datasets:
            slice_name = "" if dataset.name in ("", "lhs_statistics", "All Examples") else f", {dataset.name}"
            title = f"{split}{slice_name}: {dataset.num_examples:,} examples"
            numeric = [each for each in dataset.features if each.HasField("num_stats")]
            others = [each for each in dataset.features if not each.HasField("num_stats")]
            if numeric or not others:
                yield Table(f"{title}, numeric features", _NUMERIC, tuple(map(_numeric_row, numeric)))
            if others:
                yield Table(f"{title}, other features", _STRING, tuple(map(_other_row, others)))


def anomalies(artifact: Artifact, files: Files) -> Iterator[Table]:
    """What is wrong with each split."""
    for split, folder in split_folders(artifact, files).items():
        try:
            found = read_anomalies(artifact, folder, files)
        except MonitorError as error:
            yield Table(split, problem=str(error))
            continue
        rows = tuple((each.feature or "(the data set)", each.severity, each.type, each.description) for each in found)
        title = f"{split}: {len(rows) or 'no'} {'anomaly' if len(rows) == 1 else 'anomalies'}"
        yield Table(title, ("feature", "severity", "type", "what is wrong"), rows)


def schema(artifact: Artifact, files: Files) -> Iterator[Table]:
    """Every feature, with what the schema asks of it."""
    for found in read_schemas(artifact, files):
        domains = {domain.name: domain for domain in found.string_domain}
        rows = tuple(_schema_row(feature, domains) for feature in found.feature)
        yield Table(f"{len(rows)} features", _SCHEMA, rows)


def examples(artifact: Artifact, files: Files) -> Iterator[Table]:
    """How many files and bytes each split has."""
    rows: list[tuple[Cell, ...]] = []
    for split, folder in split_folders(artifact, files).items():
        sizes = [size for name, size in files.sizes(folder).items() if "/" not in name]
        rows.append((split, len(sizes), sum(sizes)))
    yield Table("Splits", ("split", "files", "bytes"), tuple(rows))


def noted(artifact: Artifact, _files: Files) -> Iterator[Table]:
    """The properties of an artifact, without those that every artifact has."""
    found = {name: str(value) for name, value in artifact.properties.items() if name not in _EVERYWHERE}
    if found:
        yield Table("Noted by the component", ("", "found"), tuple(sorted(found.items())))


def _type(feature: Any) -> str:
    return str(statistics_pb2.FeatureNameStatistics.Type.Name(feature.type)).lower()


def _numeric_row(feature: Any) -> tuple[Cell, ...]:
    found = feature.num_stats
    missing = found.common_stats.num_missing
    return (name_of(feature), _type(feature), missing, found.mean, found.std_dev, found.min, found.median, found.max)


def _other_row(feature: Any) -> tuple[Cell, ...]:
    kind = feature.WhichOneof("stats")
    found = getattr(feature, kind or "bytes_stats")
    row: tuple[Cell, ...] = (name_of(feature), _type(feature), found.common_stats.num_missing)
    if kind == "string_stats":
        top = found.top_values[0] if found.top_values else None
        most = (top.value, int(top.frequency)) if top else (None, None)
        return (*row, found.unique or None, found.avg_length, *most)
    if kind == "bytes_stats":
        return (*row, found.unique or None, found.avg_num_bytes, None, None)
    return (*row, None, None, None, None)


def _schema_row(feature: Any, domains: dict[str, Any]) -> tuple[Cell, ...]:
    kind = schema_pb2.FeatureType.Name(feature.type).lower()
    comparators = (_comparator(feature.skew_comparator), _comparator(feature.drift_comparator))
    return (feature.name, kind, _presence(feature), _values(feature, domains), *comparators)


def _presence(feature: Any) -> str:
    """How much of the data has to have the feature."""
    if feature.deprecated:
        return "deprecated"
    if feature.presence.min_fraction >= 1:
        return "required"
    if feature.presence.min_fraction > 0:
        return f"in {feature.presence.min_fraction:.4g}"
    return f"at least {feature.presence.min_count}" if feature.presence.min_count else "optional"


def _values(feature: Any, domains: dict[str, Any]) -> str:
    """Which values a feature may have."""
    kind = feature.WhichOneof("domain_info")
    if kind == "domain":
        return _one_of(domains[feature.domain].value if feature.domain in domains else [])
    if kind == "string_domain":
        return _one_of(feature.string_domain.value)
    if kind in ("int_domain", "float_domain"):
        domain = getattr(feature, kind)
        low = f"{domain.min:g}" if domain.HasField("min") else ""
        high = f"{domain.max:g}" if domain.HasField("max") else ""
        categorical = ", categorical" if kind == "int_domain" and domain.is_categorical else ""
        return (f"{low} .. {high}".strip() if low or high else "any") + categorical
    return str(kind).removesuffix("_domain") if kind else "any"


def _one_of(values: Any) -> str:
    shown = ", ".join(list(values)[:4])
    return f"{len(values)}: {shown}" + (", ..." if len(values) > 4 else "")


def _comparator(comparator: Any) -> str:
    """The threshold of a comparator, with the measure that it is of."""
    measures = {"jensen_shannon_divergence": "JS", "infinity_norm": "Linf", "normalized_abs_difference": "NAD"}
    found = [f"{short} {getattr(comparator, name).threshold:.3g}" for name, short in measures.items()
             if comparator.HasField(name)]  # fmt: skip
    return ", ".join(found)
