"""A stand-in for Google Cloud Storage, as its XML API is documented, in memory: for what differs from S3.

Objects have generations, and preconditions are about these (`x-goog-if-generation-match`); what is not there cannot be
deleted; a copy names its source in `x-goog-copy-source`. Uploads in parts are left out. It does one request at a time,
prints its port once it listens, and ends when its standard input does.
"""

import email.utils
import hashlib
import itertools
import threading
import urllib.parse
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from xml.sax.saxutils import escape

from tests.support.stores.serving import serve_until_told

_turn, _generations = threading.Lock(), itertools.count(1_700_000_000_000_000)
_buckets: dict[str, dict[str, "Stored"]] = {}


@dataclass(frozen=True)
class Stored:
    content: bytes
    generation: int = field(default_factory=lambda: next(_generations))

    @property
    def headers(self) -> dict[str, str]:
        return {"ETag": f'"{hashlib.sha256(self.content).hexdigest()}"', "x-goog-generation": str(self.generation),
                "Last-Modified": email.utils.formatdate(usegmt=True)}  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if len(body) < int(self.headers.get("Content-Length") or 0):
            self.close_connection = True
            return
        url = urllib.parse.urlsplit(self.path)
        bucket, _, key = urllib.parse.unquote(url.path.lstrip("/")).partition("/")
        with _turn:
            if self.command == "PUT" and not key:
                _buckets[bucket] = {}
                self._answer(200)
            elif bucket not in _buckets:
                self._fail(404, "NoSuchBucket", "The specified bucket does not exist.")
            elif not key:
                self._list(_buckets[bucket], dict(urllib.parse.parse_qsl(url.query)))
            else:
                getattr(self, f"_{self.command.lower()}")(_buckets[bucket], key, body)

    def _put(self, objects: dict[str, Stored], key: str, body: bytes) -> None:
        wanted, there = self.headers.get("x-goog-if-generation-match"), objects.get(key)
        if wanted is not None and int(wanted) != (there.generation if there else 0):
            self._fail(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold.")
            return
        if source := self.headers.get("x-goog-copy-source"):
            name = urllib.parse.unquote(source.lstrip("/")).partition("/")[2]
            if name not in objects:
                self._fail(404, "NoSuchKey", "The specified key does not exist.")
                return
            body = objects[name].content
        objects[key] = Stored(body)
        self._answer(200, headers=objects[key].headers)

    def _get(self, objects: dict[str, Stored], key: str, _: bytes) -> None:
        if key in objects:
            self._answer(200, objects[key].content, objects[key].headers)
        else:
            self._fail(404, "NoSuchKey", "The specified key does not exist.")

    _head = _get

    def _delete(self, objects: dict[str, Stored], key: str, _: bytes) -> None:
        if objects.pop(key, None) is None:
            self._fail(404, "NoSuchKey", "The specified key does not exist.")
        else:
            self._answer(204)

    def _list(self, objects: dict[str, Stored], asked: dict[str, str]) -> None:
        prefix, delimiter = asked.get("prefix", ""), asked.get("delimiter")
        keys, folders = [], set()
        for key in sorted(key for key in objects if key.startswith(prefix)):
            rest = key[len(prefix) :]
            if delimiter and delimiter in rest:
                folders.add(prefix + rest.partition(delimiter)[0] + delimiter)
            else:
                keys.append(key)
        found = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(objects[key].content)}</Size>"
            f"<LastModified>2026-11-27T00:00:00.000Z</LastModified><ETag>{objects[key].headers['ETag']}</ETag></Contents>"
            for key in keys
        )
        below = "".join(f"<CommonPrefixes><Prefix>{escape(each)}</Prefix></CommonPrefixes>" for each in sorted(folders))
        text = f"<ListBucketResult><IsTruncated>false</IsTruncated>{found}{below}</ListBucketResult>"
        self._answer(200, text.encode(), {"Content-Type": "application/xml"})

    def _fail(self, status: int, code: str, message: str) -> None:
        self._answer(status, f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode())

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


def main() -> None:
    methods = {f"do_{method}": Handler.handle_any for method in ("GET", "HEAD", "PUT", "DELETE")}
    serve_until_told(ThreadingHTTPServer(("127.0.0.1", 0), type("Served", (Handler,), methods)))


if __name__ == "__main__":
    main()
