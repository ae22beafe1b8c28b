"""A server that says it is a model version, and then lies: `lying.py PORT MODEL VERSION LIE`."""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT, MODEL, VERSION, LIE = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
TRUE = {"status": 200, "predictions": "[[0.5, 0.5]]", "error": "", "latency_ms": 1.0, "call": 0}
LIES = {
    "plausible": json.dumps([TRUE]).encode(),
    "text": b"certainly",
    "too_many": json.dumps([TRUE, TRUE]).encode(),
    "other_rows": json.dumps([TRUE | {"predictions": "[1, 2, 3]"}]).encode(),
    "nan": json.dumps([TRUE | {"predictions": "[[NaN, 1]]"}]).encode(),
    "no_json": json.dumps([TRUE | {"predictions": "rm -rf /"}]).encode(),
    "before_it_began": json.dumps([TRUE | {"latency_ms": -5.0}]).encode(),
    "forever": json.dumps([TRUE | {"latency_ms": float("inf")}]).encode(),
    "own_status": json.dumps([TRUE | {"status": 503}]).encode(),
    "infinite": json.dumps([TRUE | {"predictions": "[[1e999, 1]]"}]).encode(),
    "huge_number": json.dumps([TRUE | {"predictions": f"[{'9' * 2000}]"}]).encode(),
    "nothing": json.dumps([TRUE | {"predictions": "[null]"}]).encode(),
    "empty": json.dumps([TRUE | {"predictions": "[{}]"}]).encode(),
    "later_than_it_came": json.dumps([TRUE | {"latency_ms": 1e9}]).encode(),
    "large": json.dumps([TRUE | {"predictions": json.dumps(["x" * (8 << 20)])}]).encode(),
    "endless": b"[" + b" " * (64 << 20) + b"]",
    "deep": b"[" * 1_000_000,
}


class Liar(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer(json.dumps({"model": MODEL, "version": VERSION}).encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if LIE == "silence":
            time.sleep(3600)
        if LIE == "elsewhere":
            self.send_response(307)
            self.send_header("Location", f"http://127.0.0.1:{PORT}/batch")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.answer(LIES[LIE])

    def answer(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


ThreadingHTTPServer(("127.0.0.1", PORT), Liar).serve_forever()
