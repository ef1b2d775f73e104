"""AWS: whose account the credentials of this machine are of."""

from __future__ import annotations

from cbctl.errors import CbctlError, Exit


def account_id() -> str:
    """Twelve digits. Raises CbctlError (3) when AWS does not say."""
    import boto3
    from botocore.config import Config

    limits = Config(connect_timeout=5, read_timeout=10, retries={"max_attempts": 2})
    try:
        return str(boto3.client("sts", config=limits).get_caller_identity()["Account"])
    except Exception as error:  # botocore has no common base for its errors
        response = getattr(error, "response", None)
        code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
        raise CbctlError(
            f"AWS does not say whose account this is: {code or type(error).__name__}",
            exit=Exit.CREDENTIALS,
            where="AWS STS",
            fix="check region and credentials: aws sts get-caller-identity",
        ) from None
