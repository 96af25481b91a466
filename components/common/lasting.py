"""Where a step of a compiled pipeline may write what is to last: its own file system ends with it."""

import os

from .errors import require
from .object_store.address import is_address
from .strict_text import parse_json

VOLUMES_KEY = "volumes"  # an execution property, which the compiler says: the folders that last, as a JSON list


def require_lasting(folder: str, volumes: str, what: str) -> None:
    """Raises `MonitorError` for a folder that would be gone with the container, and what is written there with it.

    Args:
      folder: of a file system or of an object store.
      volumes: what the compiler has said; "" where the step's file system lasts.
      what: the name of the folder, in the message.

    """
    if not volumes or is_address(folder):
        return
    known: list[str] = parse_json(volumes)
    inside = f"{os.path.normpath(folder)}/"
    lasts = any(inside.startswith(f"{volume}/") for volume in known)
    rule = f"be in an object store or on a volume of the step ({', '.join(known) or 'it has none'})"
    require(lasts, what, f"{rule}: its own file system ends with it", folder)
