"""A server of bytes: takes what comes over a connection to its end, and then says what a test wants it to."""

import queue
import socket
import threading


class RawServer:
    """Each connection is answered by the next of `answers`, once the client has said all; what it said is in `came`."""

    def __init__(self, *, reads=True):
        self.answers, self.came = queue.Queue(), queue.Queue()
        self._reads = reads
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.target = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self._kept = []
        threading.Thread(target=self._run, daemon=True).start()

    def close(self):
        self._listening.close()
        for connection in self._kept:
            connection.close()

    def _run(self):
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            if self._reads:
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()
            else:
                self._kept.append(connection)

    def _answer(self, connection):
        parts = []
        with connection:
            try:
                while part := connection.recv(1 << 16):
                    parts.append(part)
                connection.sendall(self.answers.get())
            except ConnectionError:
                pass
        self.came.put(b"".join(parts))
