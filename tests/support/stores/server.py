"""An S3 store on this machine, in memory: moto's, as a process of its own. It ends with whoever started it.

It does one request at a time: a precondition and the write that it is for are then one step, as they are in S3.
Prints its port once it listens, and ends when its standard input does.
"""

import io
import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.support.stores.serving import serve_until_told


class Quiet(WSGIRequestHandler):
    """Answers on connections that stay open, and logs nothing."""

    protocol_version = "HTTP/1.1"

    def log(self, *_: Any) -> None:
        """Nobody reads what is asked for."""


def one_at_a_time(application: Callable[..., Iterable[bytes]]) -> Callable[..., list[bytes]]:
    turn = threading.Lock()

    def answer(environment: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        # What is sent is read before its turn comes: a client that sends half and waits holds up nobody.
        body = environment["wsgi.input"].read(int(environment.get("CONTENT_LENGTH") or 0))
        if len(body) < int(environment.get("CONTENT_LENGTH") or 0):
            raise ConnectionError("the client went away in the middle of what it sent")
        environment["wsgi.input"] = io.BytesIO(body)
        with turn:
            return list(application(environment, start))

    return answer


def main() -> None:
    application = one_at_a_time(DomainDispatcherApplication(create_backend_app))
    serve_until_told(make_server("127.0.0.1", 0, application, threaded=True, request_handler=Quiet))


if __name__ == "__main__":
    main()
