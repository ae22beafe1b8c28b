"""An HTTP server in front of another one that refuses, or breaks the connection, when a test says so."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from helping import PATIENCE_S

# What to do with the n-th request (from 0), by method and path: let it through, refuse it with 503, or call something first.
Rule = Callable[[int, str, str], str]
_HOP = {"transfer-encoding", "connection", "content-length"}


@contextmanager
def in_front_of(url: str | Callable[[], str], rule: Rule) -> Iterator[str]:
    """The address of a proxy of `url`; `rule` answers `pass` or `refuse` for each request, and may block or kill meanwhile."""
    lock, count = threading.Lock(), iter(range(10**9))

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            with lock:
                number = next(count)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if rule(number, self.command, self.path) == "refuse":
                self.send_error(503, "refused by the test")
                return
            target = urlsplit(url() if callable(url) else url)
            upstream = http.client.HTTPConnection(target.hostname or "", target.port, timeout=PATIENCE_S)
            headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", *_HOP)}
            upstream.request(self.command, self.path, body=body, headers={**headers, "Host": target.netloc})
            answer = upstream.getresponse()
            content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            upstream.close()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
