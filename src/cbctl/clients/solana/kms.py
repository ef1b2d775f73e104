"""A wallet whose key never leaves AWS KMS.

Sources: AWS KMS API Reference (GetPublicKey, Sign; key spec ECC_NIST_EDWARDS25519, algorithm
ED25519_SHA_512, RAW messages of at most 4,096 bytes, which any transaction's message is); RFC 8410
(the public key's DER). Region and credentials are those of the AWS configuration of the user; an
ARN names its own region.
"""

from __future__ import annotations

from typing import Any

from solders.pubkey import Pubkey
from solders.signature import Signature

from cbctl.errors import CbctlError, Exit

SPEC = "ECC_NIST_EDWARDS25519"
ALGORITHM = "ED25519_SHA_512"
_DER = bytes.fromhex("302a300506032b6570032100")  # in front of the 32 bytes of the key


class KmsSigner:
    """Signs by requests to KMS."""

    def __init__(self, client: Any, key: str, address: Pubkey) -> None:
        self._client, self._key, self._address = client, key, address

    @classmethod
    def open(cls, key: str) -> KmsSigner:
        """key: id, ARN or alias/NAME. Errors: CbctlError (3) when AWS does not give it."""
        import boto3
        from botocore.config import Config

        region = key.split(":")[3] if key.startswith("arn:") and key.count(":") > 4 else None
        limits = Config(connect_timeout=5, read_timeout=15, retries={"max_attempts": 3})
        try:
            client = boto3.client("kms", region_name=region, config=limits)
        except Exception as error:  # botocore has no common base for its errors
            raise _refused(key, error) from None
        answer = _asked(key, lambda: client.get_public_key(KeyId=key))
        der = bytes(answer["PublicKey"])
        if answer.get("KeySpec") != SPEC or not der.startswith(_DER) or len(der) != len(_DER) + 32:
            raise CbctlError(
                f"the KMS key is a {answer.get('KeySpec')}, and Solana signs with Ed25519",
                exit=Exit.CREDENTIALS,
                where=f"kms:{key}",
                fix=f"make a key with the key spec {SPEC}",
            )
        return cls(client, key, Pubkey.from_bytes(der[len(_DER) :]))

    def pubkey(self) -> Pubkey:
        return self._address

    def sign_message(self, message: bytes) -> Signature:
        answer = _asked(
            self._key,
            lambda: self._client.sign(
                KeyId=self._key, Message=message, MessageType="RAW", SigningAlgorithm=ALGORITHM
            ),
        )
        signature = Signature.from_bytes(bytes(answer["Signature"]))
        if not signature.verify(self._address, message):
            raise CbctlError(
                "KMS answered with a signature of another key",
                exit=Exit.CREDENTIALS,
                where=f"kms:{self._key}",
            )
        return signature


def _asked(key: str, ask: Any) -> dict[str, Any]:
    try:
        found: dict[str, Any] = ask()
    except Exception as error:
        raise _refused(key, error) from None
    return found


def _refused(key: str, error: Exception) -> CbctlError:
    """AWS's own code says what was wrong; its message may name accounts and is left out."""
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return CbctlError(
        f"AWS KMS does not sign with this key: {code or type(error).__name__}",
        exit=Exit.CREDENTIALS,
        where=f"kms:{key}",
        fix="check region and credentials (aws sts get-caller-identity) and the key's policy: "
        "kms:GetPublicKey and kms:Sign",
    )
