"""How files of this machine and of object stores are read, for whoever reads either."""

from ..artifacts.files import Files, local_files
from ..bounded_files import MOST_BYTES
from . import places
from .address import is_address


def store_files(most: int = MOST_BYTES) -> Files:
    """Files of this machine and of object stores, of at most `most` bytes each."""
    return Files(
        places.read, places.names, remote=True, most=most, there=places.is_there, count=_sizes, open=places.open_to_read
    )


def files_for(path: str, files: Files) -> Files:
    """`files`, or those of stores for a path in one: a pushed version may be in a store that nothing else is in."""
    return store_files(files.most) if is_address(path) else files


def _sizes(place: str) -> dict[str, int]:
    return places.sizes(place) if is_address(place) else local_files().count(place)
