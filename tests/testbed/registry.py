"""Real registries of images on loopback: one that anybody may use, and one that asks for a token.

The second one's tokens come from a server of ours that follows Docker's published contract: a JWT
(ES256, its certificate in `x5c`) for the scope that the registry's challenge names, given to who
signs in as USER.
"""

from __future__ import annotations

import base64
import datetime
import json
import subprocess
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID
from tests.testbed.waiting import free_port, wait_for

USER = "operator"
ISSUER = "test-tokens"
SERVICE = "test-registry"


class Registry:
    """password: of USER, who alone may use it; "": anybody may"""

    def __init__(self, folder: Path, password: str = "") -> None:
        self.folder, self.password = folder, password
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._tokens = _Tokens(folder, password) if password else None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        settings: dict[str, Any] = {
            "version": 0.1,
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(self.folder / "data")},
                "delete": {"enabled": True},
            },
            "http": {"addr": self.address, "secret": "of-a-test"},
        }
        if self._tokens:
            self._tokens.start()
            settings["auth"] = {
                "token": {
                    "realm": f"http://127.0.0.1:{self._tokens.port}/token",
                    "service": SERVICE,
                    "issuer": ISSUER,
                    "rootcertbundle": str(self._tokens.certificate),
                }
            }
        file = self.folder / "registry.yml"
        file.write_text(json.dumps(settings))  # JSON is YAML
        with (self.folder / "registry.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["docker-registry", "serve", str(file)], stdout=log, stderr=log
            )
        wait_for(self._answers, 30, "the registry")

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._tokens:
            self._tokens.stop()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.address}/v2/", timeout=2):
                return True
        except urllib.error.HTTPError as error:
            return error.code == 401
        except OSError:
            return False


class _Tokens:
    def __init__(self, folder: Path, password: str) -> None:
        self._password = password
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ISSUER)])
        now = datetime.datetime.now(datetime.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(1)
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .sign(self._key, hashes.SHA256())
        )
        self._der = made.public_bytes(serialization.Encoding.DER)
        self.certificate = folder / "tokens.pem"
        self.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        tokens = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, content = tokens._answer(self.path, self.headers.get("Authorization", ""))
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_port

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, path: str, authorization: str) -> tuple[int, bytes]:
        asked = parse_qs(urlsplit(path).query)
        pair = base64.b64encode(f"{USER}:{self._password}".encode()).decode()
        if authorization != f"Basic {pair}" or asked.get("service") != [SERVICE]:
            return 401, b'{"errors": [{"code": "UNAUTHORIZED", "message": "who are you"}]}'
        access = []
        for scope in asked.get("scope", []):
            kind, name, actions = scope.split(":", 2)
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        return 200, json.dumps({"token": self._signed(access)}).encode()

    def _signed(self, access: list[dict[str, Any]]) -> str:
        head = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(self._der).decode()]}
        now = int(time.time())
        body: dict[str, Any] = {
            "iss": ISSUER,
            "sub": USER,
            "aud": SERVICE,
            "jti": str(now),
            "access": access,
        }
        body |= {"iat": now, "nbf": now - 10, "exp": now + 300}
        parts = ".".join(_encoded(json.dumps(part).encode()) for part in (head, body))
        r, s = decode_dss_signature(self._key.sign(parts.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{parts}.{_encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
