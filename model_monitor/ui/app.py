"""The pages as a WSGI application: which address is which page, and what is refused.

Nothing is written: only GET and HEAD are answered, and the store is opened to be read. Each address names a run or an
artifact by its number in ML Metadata, or an incident by its name, never a file, and what is read of files has to be
below the root.
"""

import ipaddress
import logging
import os
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.utils import redirect as redirect_to
from werkzeug.wrappers import Request, Response

from components.common.artifacts.files import confined_files
from components.common.bounded_files import blocks
from components.common.errors import MonitorError
from components.common.pages import templating

from ..incidents.listing import NoIncidentError
from ..reading.history import History
from ..reading.run_store import Run, open_store
from . import pages
from .pages import MOST_BYTES, Site

Made = TypeVar("Made")
_HOST = re.compile(r"(?:(?P<name>[A-Za-z0-9._-]+)|\[(?P<v6>[0-9A-Fa-f:.]+)\])(?::(?P<port>[0-9]{1,5}))?", re.ASCII)
_LAST_PORT = 65535
_HEADER_SHOWN = 100
_STATIC = Path(__file__).parent / "static"
# The report's own style and script come first: the pages and the reports are one family.
_FILES = {
    "report.css": (templating.FOLDER / "page.css", "text/css"),
    "report.js": (templating.FOLDER / "page.js", "text/javascript"),
    "ui.css": (_STATIC / "ui.css", "text/css"),
    "ui.js": (_STATIC / "ui.js", "text/javascript"),
}
_METHODS = ("GET",)  # werkzeug adds HEAD
_ROUTES = Map(
    [
        Rule("/", endpoint="home", methods=_METHODS),
        Rule("/runs/<int:number>", endpoint="run", methods=_METHODS),
        Rule("/runs/<int:number>/report", endpoint="report", methods=_METHODS),
        Rule("/runs/<int:number>/report/content", endpoint="report_content", methods=_METHODS),
        Rule("/artifacts/<int:number>", endpoint="artifact", methods=_METHODS),
        Rule("/incidents/<path:name>", endpoint="incident", methods=_METHODS),
        Rule("/static/<name>", endpoint="static", methods=_METHODS),
    ],
    strict_slashes=False,
    redirect_defaults=False,
    merge_slashes=False,
)
_HEADERS = {
    "Cache-Control": "no-store",
    # Where a browser knows it, no connection is made ahead of time to an address that a report names.
    "Connection-Allowlist": "(response-origin)",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-DNS-Prefetch-Control": "off",
}
_TEXTS = {404: "There is no such page.", 405: "Nothing can be written here: only GET and HEAD are answered."}
_NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'"
_OURS = f"{_NOTHING}; style-src 'self'; script-src 'self'; img-src 'self' data:"
_PAGE_POLICY = f"{_OURS}; frame-ancestors 'none'"
# The page around a report. What its frame may load is also where the report may go: nowhere but here.
_FRAME_POLICY = f"{_OURS}; frame-src 'self'; frame-ancestors 'none'"
# A report is a file that somebody may have changed. It has its style inside; of scripts, the package's own runs alone.
_REPORT_POLICY = f"{_NOTHING}; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'"
_MOST_AT_ONCE = 8  # pages that are being made; others wait their turn


@dataclass(frozen=True)
class Application:
    """A WSGI application over one store.

    Attributes:
      site: the store and the root.
      pipeline: runs of this pipeline only; "" for all.
      hosts: the names it answers to, without a port; None for any. A page elsewhere can make a browser ask this machine
        under a name of its own (DNS rebinding), and would then be let read the answer.

    """

    site: Site
    pipeline: str = ""
    hosts: frozenset[str] | None = None
    _turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(_MOST_AT_ONCE), repr=False)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        response = self.answer(Request(environ))
        return response(environ, start_response)

    def answer(self, request: Request) -> Response:
        """The page that is asked for, or one that says why there is none."""
        try:
            self._check_host(request)
            endpoint, arguments = _ROUTES.bind_to_environ(request.environ).match()
            response: Response = getattr(self, f"_{endpoint}")(request, **arguments)
        except HTTPException as error:
            response = _refusal(error)
        except MonitorError as error:
            response = _page(pages.message("This cannot be shown", str(error)), 503)
        except Exception:
            logging.exception("A page could not be made")
            text = "This is a mistake in the program. The terminal that it runs in has the details."
            response = _page(pages.message("This page could not be made", text), 500)
        response.headers.extend(_HEADERS)
        response.headers.setdefault("X-Frame-Options", "DENY")
        return response

    def _check_host(self, request: Request) -> None:
        header = request.headers.get("Host", "")
        if self.hosts is not None and host_name(header) not in self.hosts:
            known = ", ".join(sorted(self.hosts))
            raise _Misdirected(f"This address answers to {known}. Received: {header[:_HEADER_SHOWN]!r}")

    def _reading(self, make: Callable[[History], Made]) -> Made:
        """What is made of what the store holds now. Each page opens a file for itself and waits for no other one."""
        with self._turn:
            files = self.site.files or confined_files(self.site.root, MOST_BYTES)
            return make(History(self.site.store or open_store(self.site.metadata), self.pipeline, files))

    def _home(self, request: Request) -> Response:
        wanted = {f"all_{name}": request.args.get(name) == "all" for name in ("spans", "runs")}
        return _page(self._reading(lambda history: pages.home(self.site, history, **wanted)))

    def _run(self, request: Request, number: int) -> Response:
        return _page(self._reading(lambda history: pages.run(self.site, history, _find(history, number))))

    def _report(self, request: Request, number: int) -> Response:
        text = self._reading(lambda history: pages.report(self.site, history, _find(history, number)))
        return _page(text, policy=_FRAME_POLICY)

    def _report_content(self, request: Request, number: int) -> Response:
        """The report itself, for the frame of the page about it: a page of its own could be led away by what is in it.

        Browsers say what they ask for. One that does not, which is so over plain HTTP from another machine, could be
        showing it as a page: it is let run no script at all, and then nothing in it moves by itself.
        """
        shown_in = request.headers.get("Sec-Fetch-Dest")
        if shown_in not in ("iframe", None):
            return redirect_to(f"/runs/{number}/report", Response=Response)
        try:
            content = self._reading(lambda history: pages.report_content(history, _find(history, number)))
        except MonitorError as error:  # a page that may be in a frame too
            text = pages.message("This report cannot be shown", str(error))
            return _page(text, policy=f"{_OURS}; frame-ancestors 'self'; sandbox")
        script = f"script-src {templating.script_digest()}; sandbox allow-scripts" if shown_in else "sandbox"
        return _page(content, policy=f"{_REPORT_POLICY}; {script}")

    def _artifact(self, request: Request, number: int) -> Response:
        def make(history: History) -> str:
            try:
                found = history.artifact(str(number))
            except MonitorError as error:
                raise NotFound(str(error)) from error
            return pages.artifact(self.site, *found)

        return _page(self._reading(make))

    def _incident(self, request: Request, name: str) -> Response:
        def make(history: History) -> str:
            try:
                return pages.incident(self.site, history, name)
            except NoIncidentError as error:
                raise NotFound(str(error)) from error

        return _page(self._reading(make))

    def _static(self, request: Request, name: str) -> Response:
        if name not in _FILES:
            raise NotFound(f"There is no file {name!r}")
        path, kind = _FILES[name]
        return Response(path.read_bytes(), mimetype=kind)


class _Misdirected(HTTPException):
    """A request under a name that is not this server's."""

    code = 421
    name = "Misdirected Request"


def host_name(header: str) -> str:
    """The name in a Host header, without its port, in lower case; "" for a header that is no name with or without one.

    The whole header counts. A port is not held against ours: a tunnel has another one.

    >>> host_name("LocalHost:8080"), host_name("[0:0::1]:80"), host_name("127.0.0.1.evil.example")
    ('localhost', '::1', '127.0.0.1.evil.example')
    >>> {host_name(each) for each in ("localhost:1:2", "localhost:70000", "[::1", "[::1].evil", "user@localhost", "")}
    {''}
    """
    match = _HOST.fullmatch(header)
    if match is None or int(match["port"] or 0) > _LAST_PORT:
        return ""
    if match["name"] is not None:
        return match["name"].lower()
    try:
        return ipaddress.IPv6Address(match["v6"]).compressed
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def hosts_for(host: str) -> frozenset[str] | None:
    """The names that a server on this address answers to; None for any, where others are meant to reach it."""
    own = host_name(f"[{host}]" if ":" in host else host)
    return frozenset({own, "localhost", "127.0.0.1", "::1"}) if is_loopback(host) else None


def _find(history: History, number: int) -> Run:
    for run in history.runs:
        if run.id == number:
            return run
    raise NotFound(f"There is no run {number} in the store")


def _refusal(error: HTTPException) -> Response:
    """A refusal of werkzeug's with a page of our own; its headers say which methods there are."""
    usual = error.description == type(error).description
    text = _TEXTS.get(error.code or 0, "") if usual else ""
    response = _page(pages.message(f"{error.code} {error.name}", text or error.description or ""), error.code or 500)
    plain = error.get_response()
    for name in ("Allow", "Location"):
        if name in plain.headers:
            response.headers[name] = plain.headers[name]
    return response


def _page(content: str | BinaryIO, status: int = 200, policy: str = _PAGE_POLICY) -> Response:
    """A page of a text, or of an open file, which is passed on in blocks and closed."""
    if isinstance(content, str):
        response = Response(content, status=status, mimetype="text/html")
    else:
        size = os.fstat(content.fileno()).st_size
        response = Response(blocks(content, size), status=status, mimetype="text/html")
        response.content_length = size
        response.call_on_close(content.close)
    response.headers["Content-Security-Policy"] = policy
    if "frame-ancestors 'self'" in policy:
        response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response
