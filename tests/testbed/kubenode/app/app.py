"""A small service that misbehaves as its environment says.

VERSION        said in every answer
START_SECONDS  before it listens
READY_SECONDS  before /ready answers 200; "never"
LIVE_SECONDS   after which /health answers 500
EXIT           code with which it ends at once; EXITS_LEFT, in a file of that path: how often yet
FAILS          "yes": what is no probe is answered with 500
MEMORY         MiB that it takes
DRAIN_SECONDS  how long it answers after SIGTERM
"""

import collections
import http.server
import os
import pathlib
import signal
import socketserver
import sys
import threading
import time

STARTED = time.monotonic()
draining = threading.Event()
served: collections.Counter[tuple[str, int]] = collections.Counter()
"""Requests by path and status, told at /metrics."""


def setting(name: str, default: str = "0") -> str:
    return os.environ.get(name, default)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        age = time.monotonic() - STARTED
        status = 200
        if self.path == "/ready":
            never = setting("READY_SECONDS") == "never"
            waits = never or age < float(setting("READY_SECONDS"))
            status = 503 if waits or draining.is_set() else 200
        elif self.path == "/health":
            status = 500 if 0 < float(setting("LIVE_SECONDS")) < age else 200
        elif self.path == "/metrics":
            self.answer(200, metrics())
            return
        elif setting("FAILS") == "yes":
            status = 500
        served[self.path, status] += 1
        body = f"{setting('VERSION')} {os.uname().nodename}\n".encode()
        self.answer(status, body)

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if draining.is_set():
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def metrics() -> bytes:
    lines = ["# TYPE http_requests_total counter"]
    for (path, status), times in served.items():
        lines.append(f'http_requests_total{{route="{path}",status="{status}"}} {times}')
    return "".join(line + "\n" for line in lines).encode()


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 256


def main() -> None:
    print(f"this is version {setting('VERSION')}", flush=True)
    if "EXIT" in os.environ:
        count = 1
        if "EXITS_LEFT" in os.environ:
            left = pathlib.Path(setting("EXITS_LEFT"))
            count = int(left.read_text()) if left.exists() else 1
            left.write_text(str(count - 1))
        if count > 0:
            print("cannot go on: no luck today", flush=True)
            sys.exit(int(setting("EXIT")))
    hoard = [bytearray(1 << 20) for _ in range(int(setting("MEMORY")))]
    time.sleep(float(setting("START_SECONDS")))
    server = Server(("0.0.0.0", 8080), Handler)

    def stop(*_: object) -> None:
        draining.set()
        threading.Timer(float(setting("DRAIN_SECONDS")), server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    print(f"serving with {len(hoard)} MiB", flush=True)
    server.serve_forever(0.05)


main()
