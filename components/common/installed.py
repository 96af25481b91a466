"""Which versions of what are installed, without importing any of it."""

import importlib.metadata
from collections.abc import Mapping
from functools import cache

_PACKAGES = ("tfx", "tensorflow", "tensorflow-data-validation", "tensorflow-model-analysis", "apache-beam")


@cache
def installed_versions() -> Mapping[str, str]:
    """The versions of what a pipeline is run with, by the names of the packages."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions
