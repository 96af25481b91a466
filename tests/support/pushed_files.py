"""What a push is made to publish where any files will do."""

from collections.abc import Mapping
from pathlib import Path


def write_files(files: Mapping[str, bytes], folder: str) -> None:
    """Writes files, by their paths in the folder."""
    for name, content in files.items():
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def seal(folder: str, number: int) -> None:
    """Notes the version's number beside them."""
    Path(folder, "number").write_text(str(number))
