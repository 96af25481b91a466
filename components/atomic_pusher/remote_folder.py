"""A serving folder in an object store: its versions, the pointer to the newest, and the pushes that are under way.

    <serving folder>/
      newest.json                    the pointer, the only object that is ever written in the place of another
      <number>/...                   a version; it is one once `saved_model.pb` is there
      .push/<number>/claim           a push is under way that has this number, or one was and got killed
      .push/<number>/saved_model.pb  the model's main file, until it is put into its version

No server takes `.push` or `newest.json` for a version, for their names are no numbers.
"""

import json
import posixpath
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

from ..common.baseline_bundle import MODEL_FILES, is_version
from ..common.errors import MonitorError, require
from ..common.object_store.address import Address
from ..common.object_store.bucket import Bucket, State, bucket_of
from ..common.object_store.places import below
from ..common.strict_text import TextError, parse_json
from .version_numbers import next_version

POINTER = "newest.json"
PUSHES = ".push"
_CLAIM = "claim"
_ATTEMPTS = 100
_MOST = 1 << 16  # bytes of a pointer or a claim
_NOBODYS = State(b"", '"00000000000000000000000000000000"', "1")  # what no object is


@dataclass(frozen=True)
class Pointer:
    """What `newest.json` says.

    Attributes:
      version: the newest version that is whole; None before there is any.
      next: the version that is about to be the newest: all of it is uploaded but `saved_model.pb`, and nothing else can
        become the newest before that is in its place. None where there is none.
      push: of which push the last of the two is.
      at: when that push wrote it, as ISO 8601 in UTC.

    """

    version: int | None
    next: int | None
    push: str
    at: str

    def to_bytes(self) -> bytes:
        return (json.dumps(asdict(self), indent=2) + "\n").encode()

    @staticmethod
    def from_bytes(content: bytes, path: str) -> "Pointer":
        """Reads what `to_bytes` gives. Raises `MonitorError` that names the object for anything else."""
        try:
            record = parse_json(content.decode())
        except (TextError, UnicodeDecodeError) as error:
            raise MonitorError(f"{path} is damaged: {error}") from error
        names = list(Pointer.__dataclass_fields__)
        require(isinstance(record, dict) and list(record) == names, path, f"hold {', '.join(names)}", record)
        right = all(record[key] is None or type(record[key]) is int for key in ("version", "next"))
        right = right and all(isinstance(record[key], str) for key in ("push", "at"))
        require(right, path, "hold numbers of versions, and who wrote it and when", record)
        return Pointer(**record)


NOTHING_PUSHED = Pointer(None, None, "", "")


class RemoteFolder:
    """A serving folder in a store. Methods raise `MonitorError` as a `Bucket` does."""

    def __init__(self, address: Address) -> None:
        self.address = str(address)
        self._folder = address.key
        self._bucket: Bucket = bucket_of(address)

    def pointer(self) -> tuple[Pointer, State | None]:
        """What the pointer says, and its state for `point`; None where there is none yet."""
        key = self._key(POINTER)
        try:
            state = self._bucket.read(key, _MOST)
        except FileNotFoundError:
            return NOTHING_PUSHED, None
        return Pointer.from_bytes(state.content, str(self._bucket.at(key))), state

    def point(self, pointer: Pointer, before: State | None) -> bool:
        """Writes the pointer, if it still is as it was `before`. Returns whether it was."""
        key, content = self._key(POINTER), pointer.to_bytes()
        return self._bucket.create(key, content) if before is None else self._bucket.replace(key, content, before)

    def claim(self, push: str, clock: Callable[[], float], seen: Pointer) -> int:
        """Takes the number of a new version, which no other push can have.

        Args:
          push: whose it is.
          clock: seconds since the epoch.
          seen: the pointer: numbers that it names are taken, though their folders may be gone.

        Raises:
          MonitorError: no number is left.

        """
        named = {str(number) for number in (seen.version, seen.next) if number is not None}
        for _ in range(_ATTEMPTS):
            taken = {*named, *self._bucket.names(self._folder), *self._bucket.names(self._key(PUSHES))}
            number = next_version(self.address, taken, clock())
            if not self._bucket.create(self._claim(number), push.encode()):
                continue
            # Whoever had the number before has taken back its claim, and its version is there by then.
            if str(number) not in self._bucket.names(self._folder):
                return number
            self._bucket.delete([self._claim(number)])
        raise MonitorError(f"`{self.address}` must have a free version number within {_ATTEMPTS} attempts")

    def require_preconditions(self, number: int) -> None:
        """Tries on the claim of a number whether the store heeds preconditions, and raises `MonitorError` otherwise.

        Without them two pushes at once could take one number, or both be the newest.
        """
        claim, other = self._claim(number), b"written where a precondition does not hold"
        if self._bucket.create(claim, other) or self._bucket.replace(claim, other, _NOBODYS):
            raise MonitorError(
                f"{self.address} must be in a store that heeds If-None-Match and If-Match when it writes, for of two "
                "pushes at once one has to win. Received: a store that wrote although they did not hold. Take a newer "
                "version of its server, or push to a folder"
            )

    def claimed(self) -> list[int]:
        """The numbers of pushes that are under way or were killed."""
        return [int(name) for name in self._bucket.names(self._key(PUSHES)) if is_version(name)]

    def is_whole(self, number: int) -> bool:
        """Whether a version has the file by which servers take it for one."""
        return any(name in MODEL_FILES for name in self._bucket.names(self._key(str(number))))

    def version_key(self, number: int, name: str) -> str:
        """The key of a file of a version."""
        return self._key(f"{number}/{name}")

    def waiting_key(self, number: int, name: str) -> str:
        """The key at which a model's main file waits."""
        return self._key(f"{PUSHES}/{number}/{name}")

    def complete(self, number: int) -> bool:
        """Puts a model's main file, which waits, into its version: from then on servers see it.

        Whoever does it, and however often, puts the same there. Returns whether the version is whole then: it is not
        where nothing waits for it and nothing is there.
        """
        waiting = main_files(self._bucket.names(self._key(f"{PUSHES}/{number}")))
        try:
            for name in reversed(waiting):  # the one that servers look for first is the last
                self._bucket.copy(self.waiting_key(number, name), self.version_key(number, name))
        except FileNotFoundError:  # somebody else has done it meanwhile
            waiting = []
        return bool(waiting) or self.is_whole(number)

    def forget(self, number: int) -> None:
        """Removes what says that a push is under way, the claim last."""
        keys = [entry.key for entry in self._bucket.tree(self._key(f"{PUSHES}/{number}"))]
        claim = self._claim(number)
        self._bucket.delete(key for key in keys if key != claim)
        self._bucket.delete([claim])

    def remove(self, number: int) -> None:
        """Removes what there is of a version that is none, and then that its push is under way."""
        self._bucket.delete(entry.key for entry in self._bucket.tree(self._key(str(number))))
        self.forget(number)

    @property
    def bucket(self) -> Bucket:
        """The bucket that it is in."""
        return self._bucket

    def _key(self, name: str) -> str:
        return below(self._folder, name)

    def _claim(self, number: int) -> str:
        return self._key(posixpath.join(PUSHES, str(number), _CLAIM))


def main_files(names: Iterable[str]) -> list[str]:
    """Those of a model's files by which servers take its folder for a version."""
    return [name for name in MODEL_FILES if name in set(names)]
