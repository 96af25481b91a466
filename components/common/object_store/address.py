"""Addresses in object stores: a scheme, a bucket and a key."""

import os
import re
from dataclasses import dataclass

from ..errors import MonitorError, require

SCHEMES = ("gs", "s3", "minio")
_BUCKET = r"[a-z0-9][a-z0-9._-]{1,221}"  # Google Cloud Storage has the longest ones
_ADDRESS = re.compile(rf"(?P<scheme>{'|'.join(SCHEMES)})://(?P<bucket>[^/]*)(?:/(?P<key>.*))?", re.DOTALL)
_MOST_OF_A_KEY = 1024  # bytes, in every store


class BucketError(MonitorError):
    """A bucket cannot be asked at all: there is none, nobody answers, or there are no credentials for it."""


@dataclass(frozen=True)
class Address:
    """Where an object, or a folder of objects, is.

    Attributes:
      scheme: one of `SCHEMES`.
      bucket: its bucket.
      key: what comes after the bucket, without a slash at either end; "" for the bucket itself.

    """

    scheme: str
    bucket: str
    key: str = ""

    def __str__(self) -> str:
        return f"{self.root}/{self.key}" if self.key else self.root

    @property
    def root(self) -> str:
        """The address of the bucket."""
        return f"{self.scheme}://{self.bucket}"


def is_address(path: str) -> bool:
    """Whether a path is in an object store.

    >>> is_address("s3://bucket/serving"), is_address("/srv/serving"), is_address("hdfs://node/serving")
    (True, False, False)
    """
    return _ADDRESS.fullmatch(path) is not None


def parse(path: str, what: str = "address") -> Address:
    """The parts of an address.

    Args:
      path: such as `s3://bucket/serving/7`. A slash at its end says nothing.
      what: what it is, for the error.

    Raises:
      MonitorError: it has none of the schemes, no bucket, or names between slashes that are empty, `.` or `..`.

    >>> parse("s3://bucket/serving/7/")
    Address(scheme='s3', bucket='bucket', key='serving/7')

    """
    found = _ADDRESS.fullmatch(path)
    if found is None:
        raise MonitorError(f"`{what}` must begin with {_schemes()}. Received: {path!r}")
    bucket, key = found["bucket"], (found["key"] or "").removesuffix("/")
    require(re.fullmatch(_BUCKET, bucket) is not None, what, "name a bucket, as in s3://bucket/folder", path)
    names = key.split("/") if key else []
    plain = all(name not in ("", ".", "..") and name.isprintable() for name in names)
    require(plain, what, "have names between its slashes, none of them empty, . or ..", path)
    require(len(key.encode()) <= _MOST_OF_A_KEY, what, f"have a key of at most {_MOST_OF_A_KEY} bytes", path)
    return Address(found["scheme"], bucket, key)


def absolute(path: str | os.PathLike[str]) -> str:
    """A path, as it is where it is in a store, and else absolute.

    >>> absolute("s3://bucket/serving"), absolute("/srv/../serving")
    ('s3://bucket/serving', '/serving')
    """
    given = os.fspath(path)
    return given if is_address(given) else os.path.abspath(given)


def refuse_remote(path: str, what: str, instead: str) -> None:
    """Raises `MonitorError` for a path in an object store, or with any other scheme, where only a folder will do.

    Args:
      path: what was given.
      what: its setting or argument.
      instead: what to do about it, as a sentence without its full stop.

    """
    if "://" in path:
        raise MonitorError(f"`{what}` must be a folder of this machine. Received: {path!r}. {instead}")


def _schemes() -> str:
    return f"{', '.join(f'{scheme}://' for scheme in SCHEMES[:-1])} or {SCHEMES[-1]}://"
