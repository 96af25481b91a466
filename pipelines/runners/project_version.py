"""The version of this project that is installed: a compiled pipeline and the image that it runs in must have the same.

Imports nothing of TFX's, for the entry point of steps that need none of it.
"""

import importlib.metadata

from components.common.errors import MonitorError

DISTRIBUTION = "tfx-model-monitor"


def project_version() -> str:
    """The version of what is installed. Raises `MonitorError` where the code is run without having been installed."""
    try:
        return importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError as error:
        raise MonitorError(
            f"{DISTRIBUTION} must be installed, so that its version is known. Received: code without a version"
        ) from error
