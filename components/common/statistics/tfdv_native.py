"""TFDV's schema inference and validation, by its own C++ library and without the package around it.

`tensorflow_data_validation` imports TensorFlow, TFX's readers and Beam: ten seconds and 800 MiB. What validates is one
shared library that needs none of them, and takes and gives serialised messages. The functions here do what the
package's own do around it, for one data set.
"""

import importlib.util
import sys
from functools import cache
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from ..errors import MonitorError, require

_PACKAGE = "tensorflow_data_validation"
_LIBRARY = f"{_PACKAGE}.pywrap.tensorflow_data_validation_extension"
_DESCRIBED = ("num_stats", "string_stats", "bytes_stats", "struct_stats")
Statistics: TypeAlias = statistics_pb2.DatasetFeatureStatistics


def validate_statistics(
    statistics: Statistics,
    schema: schema_pb2.Schema,
    environment: str = "",
    *,
    previous: Statistics | None = None,
    serving: Statistics | None = None,
) -> anomalies_pb2.Anomalies:
    """Holds statistics against a schema, as `tfdv.validate_statistics` does.

    Args:
      statistics: of the data.
      schema: its comparators are measured against `previous` (drift) and `serving` (skew).
      environment: one of the schema's; "" for none.
      previous: statistics of the previous span.
      serving: statistics of serving, `statistics` being those of training.

    Raises:
      MonitorError: the schema has no such environment, the features of some statistics are named in two ways, or
        TFDV's library is not there.

    """
    known = list(schema.default_environment)
    require(not environment or environment in known, "environment", f"be one of the schema's, {known}", environment)
    found: bytes = _library().ValidateFeatureStatistics(
        _serialised(statistics),
        schema.SerializeToString(),
        environment.encode(),
        _serialised(previous),
        _serialised(serving),
        b"",  # no version before
        b"",  # no features that are needed for a reason
        b"",  # no severity of its own for anything
        False,  # no comparison of the schema with one that would fit
    )
    return anomalies_pb2.Anomalies.FromString(found)


def infer_schema(
    statistics: Statistics, *, infer_feature_shape: bool = True, max_string_domain_size: int = 100
) -> schema_pb2.Schema:
    """The schema that fits some statistics, as `tfdv.infer_schema` gives it, which changes what it is given.

    Args:
      statistics: of the data.
      infer_feature_shape: whether a feature of which each example has as many values gets a shape.
      max_string_domain_size: how many values a string feature may have to be taken for one of categories.

    Raises:
      MonitorError: features are named in two ways, or TFDV's library is not there.

    """
    described = Statistics()
    described.CopyFrom(statistics)
    kept = [each for each in described.features if any(each.HasField(kind) for kind in _DESCRIBED)]
    del described.features[:]
    described.features.extend(kept)
    found: bytes = _library().InferSchema(_serialised(described), max_string_domain_size, infer_feature_shape)
    schema = schema_pb2.Schema.FromString(found)
    if hasattr(schema, "generate_legacy_feature_spec"):
        schema.generate_legacy_feature_spec = False
    return schema


def _serialised(statistics: Statistics | None) -> bytes:
    """Statistics as the library takes them, which ends the process where features are named in two ways."""
    if statistics is None:
        return b""
    ways = {feature.WhichOneof("field_id") for feature in statistics.features} - {None}
    require(len(ways) < 2, "statistics", "name their features all by `path` or all by `name`", sorted(ways))
    return bytes(statistics.SerializeToString())


def _library() -> Any:
    """The functions that validate. The package's own library, where it is imported: there cannot be two."""
    loaded = sys.modules.get(_LIBRARY) or _load()
    return loaded.validation


@cache
def _load() -> ModuleType:
    path = _path()
    loader = ExtensionFileLoader(_LIBRARY, str(path))
    try:
        module = importlib.util.module_from_spec(ModuleSpec(_LIBRARY, loader, origin=str(path)))
        loader.exec_module(module)
    except ImportError as error:
        raise MonitorError(f"{path} must be a library that this Python can load. Received: {error}") from error
    return module


def _path() -> Path:
    package = importlib.util.find_spec(_PACKAGE)  # of a package at the top, this imports nothing
    folders = package.submodule_search_locations if package is not None else None
    pattern = "pywrap/tensorflow_data_validation_extension*.so"
    paths = [path for folder in folders or () for path in sorted(Path(folder).glob(pattern))]
    if not paths:
        raise MonitorError(
            f"TFDV must be installed with its library {pattern}. Received: none in {list(folders or ())}"
        )
    return paths[0]
