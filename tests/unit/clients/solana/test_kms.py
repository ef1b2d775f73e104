"""A wallet in AWS KMS: real boto3, a server that answers as the KMS API Reference describes.

moto, the usual stand-in, knows no Ed25519 keys (version 5.2.5).
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from cbctl.clients.solana.kms import KmsSigner
from cbctl.clients.solana.transaction import sign
from cbctl.errors import CbctlError, Exit

DER = bytes.fromhex("302a300506032b6570032100")
BLOCKHASH = "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG"


class _Kms(ThreadingHTTPServer):
    """key: signs; spec: what kind of key it says that is; refuses: with this code"""

    key = Keypair()
    spec = "ECC_NIST_EDWARDS25519"
    refuses = ""
    asked: list[dict[str, Any]]

    def answer(self, action: str, asked: dict[str, Any]) -> dict[str, Any]:
        if action == "GetPublicKey":
            der = base64.b64encode(DER + bytes(self.key.pubkey())).decode()
            return {"KeyId": asked["KeyId"], "PublicKey": der, "KeySpec": self.spec}
        assert asked["SigningAlgorithm"] == "ED25519_SHA_512" and asked["MessageType"] == "RAW"
        signature = self.key.sign_message(base64.b64decode(asked["Message"]))
        return {"KeyId": asked["KeyId"], "Signature": base64.b64encode(bytes(signature)).decode()}


class _Handler(BaseHTTPRequestHandler):
    server: _Kms

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        action = self.headers["X-Amz-Target"].removeprefix("TrentService.")
        self.server.asked.append(asked)
        status, body = 200, {}
        if self.server.refuses:
            status, body = 400, {"__type": self.server.refuses, "message": "arn:aws:iam::1:user/x"}
        else:
            body = self.server.answer(action, asked)
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Kms]:
    server = _Kms(("127.0.0.1", 0), _Handler)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name, value in (
        ("AWS_ENDPOINT_URL_KMS", f"http://127.0.0.1:{server.server_port}"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ):
        monkeypatch.setenv(name, value)
    yield server
    server.shutdown()
    server.server_close()


def test_signs_a_transaction(kms: _Kms) -> None:
    signer = KmsSigner.open("alias/deployer")
    assert signer.pubkey() == kms.key.pubkey()
    pay: Instruction = transfer(
        TransferParams(from_pubkey=signer.pubkey(), to_pubkey=Keypair().pubkey(), lamports=1)
    )
    signed = sign([pay], signer, (), BLOCKHASH)
    assert VersionedTransaction.from_bytes(signed.wire).verify_with_results() == [True]
    assert {one["KeyId"] for one in kms.asked} == {"alias/deployer"}


def test_another_kind_of_key(kms: _Kms) -> None:
    kms.spec = "ECC_SECG_P256K1"
    with pytest.raises(CbctlError, match="Solana signs with Ed25519") as caught:
        KmsSigner.open("alias/deployer")
    assert caught.value.exit is Exit.CREDENTIALS and "ECC_NIST_EDWARDS25519" in caught.value.fix


def test_a_signature_of_another_key(kms: _Kms) -> None:
    signer = KmsSigner.open("alias/deployer")
    kms.key = Keypair()
    with pytest.raises(CbctlError, match="a signature of another key"):
        signer.sign_message(b"message")


def test_refused(kms: _Kms) -> None:
    kms.refuses = "AccessDeniedException"
    with pytest.raises(CbctlError, match="AccessDeniedException") as caught:
        KmsSigner.open("arn:aws:kms:us-east-1:111122223333:key/1")
    assert caught.value.exit is Exit.CREDENTIALS
    assert "iam" not in f"{caught.value}{caught.value.fix}"
