"""A web server on this machine that sends files, or parts of them, and can be made to fail."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Served:
    """What a server was asked for, and how it misbehaves.

    Attributes
    ----------
    url
        Its address.
    sent
        Bytes of each answer.
    ranges
        Whether it sends parts of files.
    failures
        Statuses of the next answers, before files are sent again.
    after
        Answers after which it says that the file has changed.
    """

    url: str = ""
    sent: list[int] = field(default_factory=list)
    ranges: bool = True
    failures: list[int] = field(default_factory=list)
    after: int = 10**9


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[Served]:
    """Serve the files of a folder."""
    served = Served()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if served.failures:
                self.send_error(served.failures.pop(0))
                return
            path = folder / self.path.lstrip("/")
            if not path.is_file():
                self.send_error(404)
                return
            size = path.stat().st_size
            asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            start, stop = (int(asked[1]), min(int(asked[2]) + 1, size)) if asked else (0, size)
            if served.ranges and start >= stop:
                self.send_error(416)
                return
            with path.open("rb") as file:
                file.seek(start if served.ranges else 0)
                content = file.read(stop - start if served.ranges else size)
            changed = len(served.sent) >= served.after
            # before the answer, as a client may have done with it before it is whole
            served.sent.append(len(content))
            self.send_response(206 if served.ranges else 200)
            self.send_header("Content-Length", str(len(content)))
            if served.ranges:
                self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{size}")
            self.send_header("ETag", '"two"' if changed else '"one"')
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()
