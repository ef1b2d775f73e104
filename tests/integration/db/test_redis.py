"""The Redis client on a real server (Redis or Valkey)."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.testbed.beds import need
from tests.testbed.redis import RedisServer

from cbctl.clients.redis import connect, parse, ping
from cbctl.config.reference import Secret
from cbctl.errors import CbctlError, Exit

PASSWORD = "kanari-of-redis"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = RedisServer(tmp_path_factory.mktemp("redis"), password=PASSWORD)
    server.start()
    yield server.url
    server.stop()


def test_ping_and_info(url: str) -> None:
    assert int(ping(Secret(url)).split(".")[0]) >= 6
    with connect(url) as connection:
        found = connection.info()
    assert (found.role, found.keys, found.max_memory) == ("master", 0, 0)
    assert found.used_memory > 0


def test_the_marker_is_written_once(url: str) -> None:
    with connect(f"{url}/3") as connection:
        assert connection.read_marker() is None
        assert connection.empty()
        connection.write_marker("testing", "local")
        connection.write_marker("testing", "local")
        with pytest.raises(CbctlError, match="belongs to testing/local, not to") as caught:
            connection.write_marker("testing", "production")
        assert caught.value.exit == Exit.REFUSED
        assert connection.read_marker() == "testing/local"
        assert not connection.empty()


@pytest.mark.parametrize(
    ("change", "exit_code"),
    [
        (lambda url: url.replace("kanari-of", "kanari-wrong"), Exit.CREDENTIALS),
        (lambda url: url.replace(f":{PASSWORD}@", ""), Exit.CREDENTIALS),
        (lambda url: f"{url}/9999", Exit.FAILED),
        (lambda url: f"redis://:{PASSWORD}@127.0.0.1:1", Exit.FAILED),
        (lambda url: f"redis://:{PASSWORD}@no-such-host.invalid", Exit.FAILED),
        (lambda url: url.replace("redis:", "rediss:"), Exit.FAILED),
    ],
)
def test_errors_name_the_host_and_not_the_password(
    url: str, change: object, exit_code: Exit
) -> None:
    assert callable(change)
    with pytest.raises(CbctlError) as caught:
        ping(change(url), seconds=0.5)
    assert caught.value.exit == exit_code
    assert str(caught.value).startswith("Redis at ")
    assert "kanari" not in "".join(traceback.format_exception(caught.value)) + caught.value.fix


@pytest.mark.parametrize(
    "url",
    [
        "",
        "kanari",
        "http://:kanari@h",
        "redis://:kanari@",
        "redis://:kanari@h:kanari",
        "redis://:kanari@h:0",
        "redis://:kanari@h:99999",
        "redis://:kanari#x@h",
        "redis://:kanari/x@h",
        "redis://:kanari?x@h",
        "redis://:kanari@x@h",
        "redis://:kanari x@h",
        "redis://:kanari@h/kanari",
        "redis://:p@h?password=kanari",
        "redis://:kanari@[::1",
        "unix://kanari",
        "unix://:kanari@host/socket",
        "unix://:kanari@:1/socket",
        "unix://:kanari/x@/socket",
        "unix://:p@/socket?db=kanari",
        "unix://:p@/socket?db=0&kanari=1",
        "unix://:kanari@/a%0Ab",
    ],
)
def test_malformed_urls_are_not_quoted(url: str) -> None:
    with pytest.raises(CbctlError) as caught:
        parse(Secret(url), where="cache.url")
    assert caught.value.exit == Exit.USAGE
    assert "kanari" not in "".join(traceback.format_exception(caught.value)) + caught.value.fix


def test_an_untrusted_certificate_is_refused(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    need("openssl", "" if openssl else "openssl is not on PATH")
    assert openssl is not None
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-subj", "/CN=localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            stream, _ = listener.accept()
            try:
                context.wrap_socket(stream, server_side=True).close()
            except OSError:
                stream.close()  # the client hangs up: that is the test

        server = threading.Thread(target=serve)
        server.start()
        with pytest.raises(CbctlError, match="certificate is not trusted") as caught:
            ping(f"rediss://:kanari@localhost:{listener.getsockname()[1]}", seconds=5)
        server.join()
    assert caught.value.exit == Exit.CREDENTIALS


def test_redis_py_is_not_imported() -> None:
    program = (
        "import sys, cbctl.clients.redis as ours\n"
        "try: ours.ping('redis://127.0.0.1:1')\n"
        "except Exception: pass\n"
        "sys.exit('redis' in sys.modules or 'psycopg' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
