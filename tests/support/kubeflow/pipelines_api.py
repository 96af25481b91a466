"""The part of Kubeflow Pipelines' API, version v2beta1, that a submission asks: a server of this machine that answers
and refuses as the real one does, and remembers what it was asked.

What it takes and gives is what kfp's client (2.5.0 and 2.17.3) sends and reads; its rules are those of the API server:
a specification of schema 2.1.0, every parameter known, given or with a default, and of its type, a cron expression that
the scheduler can read, and at most ten runs at once.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

PREFIX = "/apis/v2beta1"
_KINDS = {"STRING": str, "NUMBER_INTEGER": (int, float), "NUMBER_DOUBLE": (int, float), "BOOLEAN": bool}
_KINDS |= {"LIST": list, "STRUCT": dict}


@dataclass
class Api:
    """A server's state, and how it behaves."""

    multi_user: bool = False
    token: str = ""  # without it, or with another, it refuses; empty: whoever asks
    experiments: dict[str, dict[str, Any]] = field(default_factory=dict)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    recurring: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, str, Any]] = field(default_factory=list)  # method, path with query, body
    url: str = ""

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> dict[str, Any]:
        """What the API answers. Raises `_RefusedError`."""
        kind, _, identifier = path.removeprefix(f"{PREFIX}/").partition("/")
        known = {"experiments": self.experiments, "runs": self.runs, "recurringruns": self.recurring}
        if (method, kind) == ("GET", "healthz"):
            return {"multi_user": self.multi_user, "tag_name": "2.17.0"}
        if kind not in known:
            raise _RefusedError(404, "Not Found", 5)
        if method == "POST":
            return getattr(self, f"_make_{kind}")(body)
        if method == "DELETE":
            return self._delete(known[kind], identifier)
        return _page(kind, list(known[kind].values()), query)

    def _make_experiments(self, body: Any) -> dict[str, Any]:
        if self.multi_user and not body.get("namespace"):
            raise _RefusedError(400, "Invalid input error: In multi-user mode, experiment must have a namespace", 3)
        return _keep(self.experiments, "experiment_id", "e", body)

    def _make_runs(self, body: Any) -> dict[str, Any]:
        _check_specification(body)
        return _keep(self.runs, "run_id", "r", {**body, "state": "PENDING"})

    def _make_recurringruns(self, body: Any) -> dict[str, Any]:
        _check_specification(body)
        _check_cron(body["trigger"]["cron_schedule"]["cron"])
        if not 1 <= int(body["max_concurrency"]) <= 10:
            raise _RefusedError(400, "The max concurrency of a recurring run must be at least 1 and at most 10", 3)
        return _keep(self.recurring, "recurring_run_id", "s", body)

    @staticmethod
    def _delete(known: dict[str, dict[str, Any]], identifier: str) -> dict[str, Any]:
        if known.pop(identifier, None) is None:
            raise _RefusedError(404, f"ResourceNotFoundError: {identifier} not found", 5)
        return {}


class _RefusedError(Exception):
    """An answer other than 200: its HTTP status, its message and gRPC's code."""


@contextmanager
def serving(api: Api) -> Iterator[Api]:
    """Serves on a free port of this machine while the block runs; `api.url` is where."""

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            api.requests.append((self.command, self.path, body))
            parts = urlsplit(self.path)
            try:
                if api.token and self.headers.get("authorization") != f"Bearer {api.token}":
                    raise _RefusedError(401, "Unauthenticated", 16)
                status, answer = 200, api.answer(self.command, parts.path, parse_qs(parts.query), body)
            except _RefusedError as error:
                status, message, code = error.args
                answer = {"error": message, "code": code, "message": message, "details": []}
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = _handle  # noqa: N815 - the library's names

        def log_message(self, *_: Any) -> None:
            """Nothing: `api.requests` has it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    api.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()


def _keep(known: dict[str, dict[str, Any]], key: str, letter: str, body: dict[str, Any]) -> dict[str, Any]:
    identifier = f"{letter}{len(known) + 1:07}"
    known[identifier] = {**body, key: identifier, "created_at": "2026-01-01T00:00:00Z"}
    return known[identifier]


def _page(kind: str, entries: list[dict[str, Any]], query: dict[str, list[str]]) -> dict[str, Any]:
    for predicate in json.loads(query.get("filter", ['{"predicates": []}'])[0])["predicates"]:
        assert predicate["operation"] in ("EQUALS", 1)  # by name or by number, as protobuf reads JSON
        entries = [entry for entry in entries if entry[predicate["key"]] == predicate["stringValue"]]
    for key in ("experiment_id", "namespace"):
        entries = [entry for entry in entries if key not in query or entry.get(key) == query[key][0]]
    return {{"recurringruns": "recurringRuns"}.get(kind, kind): entries, "total_size": len(entries)}


def _check_specification(body: dict[str, Any]) -> None:
    given = body["pipeline_spec"]
    spec = json_format.ParseDict(given.get("pipeline_spec", given), pipeline_spec_pb2.PipelineSpec())
    if spec.schema_version != "2.1.0":
        text = f"KFP only supports schema version 2.1.0, but the pipeline spec has version {spec.schema_version}"
        raise _RefusedError(400, f"Invalid input error: {text}", 3)
    known = spec.root.input_definitions.parameters
    values = body.get("runtime_config", {}).get("parameters") or {}
    for name, parameter in known.items():
        if name not in values and not (parameter.is_optional or parameter.HasField("default_value")):
            text = f"parameter {name} is not optional, yet has neither default value nor user provided value"
            raise _RefusedError(400, f"Invalid input error: {text}", 3)
        kind = pipeline_spec_pb2.ParameterType.ParameterTypeEnum.Name(parameter.parameter_type)
        if name in values and not isinstance(values[name], _KINDS[kind]):
            raise _RefusedError(400, f"Invalid input error: input parameter {name} requires type {kind.lower()}", 3)
    if extra := sorted(set(values) - set(known)):
        text = f"parameter(s) provided are not required by pipeline: {', '.join(extra)}"
        raise _RefusedError(400, f"Invalid input error: {text}", 3)


def _check_cron(expression: str) -> None:
    """As the scheduler's parser, which takes the weekday as optional: of five fields the first is seconds."""
    fields = expression.split()
    if not expression.startswith("@") and len(fields) not in (5, 6):
        text = f"Schedule cron is not a supported format. Error: Expected 5 to 6 fields, found {len(fields)}"
        raise _RefusedError(400, f"Invalid input error: {text}", 3)
