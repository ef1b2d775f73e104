"""Clients of boto3: short waits, and errors in our own words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cbctl.errors import CbctlError, Exit

_DENIED = (
    "AccessDenied",
    "UnauthorizedSSOToken",
    "InvalidClientTokenId",
    "ExpiredToken",
    "Signature",
)


def client(service: str, region: str | None = None, *, hurry: bool = False) -> Any:
    """Region, profile and credentials as the user's AWS configuration has them.

    hurry  asks once, for a few seconds at most: there is another way"""
    import boto3
    from botocore.config import Config

    limits = (
        Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1})
        if hurry
        else Config(connect_timeout=5, read_timeout=15, retries={"max_attempts": 3})
    )
    try:
        return boto3.client(service, region_name=region, config=limits)
    except Exception as error:  # botocore has no common base for its errors
        raise _refused(service, error) from None


def asked(service: str, ask: Callable[[], Any]) -> Any:
    """What AWS answers. Raises CbctlError: 3 when it does not let us, 1 otherwise."""
    try:
        return ask()
    except CbctlError:
        raise
    except Exception as error:
        raise _refused(service, error) from None


def _refused(service: str, error: Exception) -> CbctlError:
    answer = getattr(error, "response", None)
    told = answer.get("Error", {}) if isinstance(answer, dict) else {}
    code = str(told.get("Code") or type(error).__name__)
    denied = code.startswith(_DENIED) or code in ("NoCredentialsError", "NoRegionError")
    message = str(told.get("Message") or error).partition("\n")[0][:300]
    return CbctlError(
        f"AWS refuses: {code}: {message}",
        exit=Exit.CREDENTIALS if denied else Exit.FAILED,
        where=service,
        fix="sign in to AWS (aws sso login, AWS_PROFILE) or ask for the permission"
        if denied
        else "",
    )
