"""Where a push goes: the serving folder that TFX's `PushDestination` names. How versions come there: `publish`."""

import re
from typing import Any

from ..common.artifacts.record_files import is_remote
from ..common.errors import MonitorError, require
from ..common.object_store.address import is_address, parse
from ..common.strict_text import TextError, parse_json

PUSH_DESTINATION_KEY = "push_destination"
_FIELDS = ("base_directory", "versioning")
_VERSIONINGS = ("AUTO", "UNIX_TIMESTAMP", 0, 1)  # by name or by number, as JSON may have them


def base_directory(push_destination: str) -> str:
    """The serving folder that a `PushDestination`, given as JSON, names. A folder alone names itself.

    Raises:
      MonitorError: unless it is a folder of this machine or of an object store, with TFX's default versioning.

    """
    filesystem = _filesystem(push_destination)
    versioning = filesystem.get("versioning", "AUTO")
    known = versioning in _VERSIONINGS and not isinstance(versioning, bool)
    require(known, "versioning", "be AUTO or UNIX_TIMESTAMP", versioning)
    folder = filesystem.get("base_directory", "")
    if not isinstance(folder, str) or not folder or (is_remote(folder) and not is_address(folder)):
        raise MonitorError(
            "`push_destination.filesystem.base_directory` must be a path on a local or mounted POSIX file system, in "
            "which renaming is atomic, or a folder of an object store, such as s3://bucket/serving, gs:// or minio://. "
            f"Received: {folder!r}"
        )
    return str(parse(folder, "push_destination.filesystem.base_directory")) if is_remote(folder) else folder


def _filesystem(push_destination: str) -> dict[str, Any]:
    if push_destination.startswith("/") or is_remote(push_destination.partition("{")[0]):
        return {"base_directory": push_destination}  # as a run says it
    try:
        record = parse_json(push_destination)
    except TextError as error:
        raise MonitorError(f"`{PUSH_DESTINATION_KEY}` must be a PushDestination. Received: {error}") from error
    rule = "be a PushDestination, which has nothing but a filesystem"
    require(isinstance(record, dict) and set(record) <= {"filesystem"}, PUSH_DESTINATION_KEY, rule, record)
    filesystem = record.get("filesystem")
    require(isinstance(filesystem, dict), PUSH_DESTINATION_KEY, "have a filesystem", record)
    fields = {re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", key): value for key, value in filesystem.items()}
    require(set(fields) <= set(_FIELDS), f"{PUSH_DESTINATION_KEY}.filesystem", f"have {' and '.join(_FIELDS)}", fields)
    return fields
