"""AWS: whose account the credentials of this machine are of."""

from __future__ import annotations

from cbctl.clients.aws.client import asked, client


def account_id() -> str:
    """Twelve digits. Raises CbctlError (3) when AWS does not say."""
    return str(asked("sts", client("sts").get_caller_identity)["Account"])
