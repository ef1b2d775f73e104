"""A state folder whose services are ended with the test, and a small service to run in it."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.testbed.memory import memory_folder

from cbctl.local import processes
from cbctl.local.files import read_json
from cbctl.local.ports import Ports
from cbctl.local.services import Services
from cbctl.local.spec import Ready, ServiceSpec, service_names
from cbctl.local.state import State

SERVICE = """
import hashlib, http.server, os, signal, sys
options = sys.argv[2:]
print("says hello", flush=True)
if "die" in options:
    print("cannot go on: no luck", flush=True)
    sys.exit(3)
if "deaf" in options:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        secret = hashlib.sha256(os.environ.get("TOKEN", "").encode()).hexdigest()
        body = f"{os.getpid()} {secret}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
if "fork" in options and os.fork():
    server.socket.close()
    os.wait()
server.serve_forever()
"""


@pytest.fixture
def services() -> Iterator[Services]:
    root = Path(tempfile.mkdtemp(prefix="cbctl-test-", dir=memory_folder()))
    made = Services(State.open("plat", "local", root=root))
    yield made
    end(made)
    shutil.rmtree(root)


def end(services: Services) -> None:
    answer = read_json(services.state.path / "supervisor.json") or {}
    supervisor = processes.Identity.of_json(answer.get("process"))
    if supervisor is not None:
        processes.kill_all([supervisor])
    for name in service_names(services.state):
        left = [found for found, _ in processes.marked(services.state.marker(name))]
        for leader in left:
            left = left + processes.session_members(leader)
        processes.kill_all(left)


@pytest.fixture
def web(services: Services) -> Callable[..., ServiceSpec]:
    """Makes the spec of a small HTTP service; options: die, deaf, fork."""
    script = services.state.path / "web.py"
    script.write_text(SERVICE)

    def make(*options: str, port: int | None = None, seconds: float = 20.0) -> ServiceSpec:
        port = port or Ports(services.state).reserve("web")
        return ServiceSpec(
            name="web",
            argv=(sys.executable, str(script), str(port), *options),
            cwd="/",
            ready=Ready("http", port, "/", seconds),
            url=f"http://127.0.0.1:{port}",
            stop_seconds=5.0,
        )

    return make
