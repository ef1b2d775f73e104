"""A URL that asks for TLS is verified: an unknown certificate is refused, a known one accepted."""

from __future__ import annotations

import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.integration.cbapi.support import (
    PASSWORD,
    FakeChain,
    PostgresServer,
    RedisServer,
    Service,
    wait_for,
)
from tests.testbed.beds import need

MakeService = Callable[..., Service]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of key.pem and cert.pem, signed by itself for 127.0.0.1."""
    need("openssl", "" if shutil.which("openssl") else "openssl is not on PATH")
    folder = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += [
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=test",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
    ]
    command += ["-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


def test_postgres(
    make_service: MakeService, postgres: PostgresServer, database: str, certificate: Path
) -> None:
    key = postgres.data / "server.key"
    shutil.copy(certificate / "key.pem", key)
    key.chmod(0o600)
    shutil.copy(certificate / "cert.pem", postgres.data / "server.crt")
    postgres.execute("postgres", "ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()")
    try:
        url = f"{postgres.url(database)}?sslmode=require"
        known = make_service(DATABASE_URL=f"{url}&sslrootcert={certificate / 'cert.pem'}").start()
        wait_for(lambda: known.ready()[1] == "healthy", what="healthy over TLS")
        # The right certificate under another name is as good as a wrong one.
        other = url.replace("127.0.0.1", "localhost")
        for bad in (url, f"{other}&sslrootcert={certificate / 'cert.pem'}"):
            service = make_service(DATABASE_URL=bad).start()
            assert service.ready()[:2] == (503, "unhealthy")
            assert PASSWORD not in service.log_text()
    finally:
        postgres.execute("postgres", "ALTER SYSTEM RESET ssl", "SELECT pg_reload_conf()")


def test_rpc(make_service: MakeService, chain: FakeChain, certificate: Path) -> None:
    assert chain.server is not None
    context = _server_context(certificate)
    chain.server.socket = context.wrap_socket(chain.server.socket, server_side=True)
    url = chain.url.replace("http:", "https:")
    service = make_service(SOLANA_RPC_URL=url).start()
    assert service.ready()[2]["solana_rpc"]["status"] == "degraded"
    assert service.http.get("/v1/program").status_code == 503
    ca = str(certificate / "cert.pem")
    known = make_service(SOLANA_RPC_URL=url, SSL_CERT_FILE=ca).start()
    assert known.ready()[1] == "healthy"
    assert known.http.get("/v1/program").status_code == 200


class _TlsInFront(socketserver.BaseRequestHandler):
    """The wheel's server has no TLS: this ends it and passes the bytes on."""

    server: _TlsServer

    def handle(self) -> None:
        try:
            outside = self.server.context.wrap_socket(self.request, server_side=True)
        except OSError:
            return  # refused by the client: what the test is about
        with outside, socket.create_connection(("127.0.0.1", self.server.target)) as inside:
            threading.Thread(target=_pipe, args=(inside, outside), daemon=True).start()
            _pipe(outside, inside)


class _TlsServer(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, target: int, certificate: Path) -> None:
        super().__init__(("127.0.0.1", 0), _TlsInFront)
        self.target = target
        self.context = _server_context(certificate)


def _pipe(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        return  # the other direction closed both


def test_redis(make_service: MakeService, redis: RedisServer, certificate: Path) -> None:
    with _TlsServer(redis.port, certificate) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        url = f"rediss://:{PASSWORD}@127.0.0.1:{server.server_address[1]}/0"
        known = make_service(REDIS_URL=f"{url}?ssl_ca_certs={certificate / 'cert.pem'}").start()
        assert known.ready()[2]["redis"]["status"] == "healthy"
        assert make_service(REDIS_URL=url).start().ready()[2]["redis"]["status"] == "degraded"
        known.stop()
        server.shutdown()


def _server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    return context
