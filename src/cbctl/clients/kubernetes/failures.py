"""What the API server may answer instead of an object."""

from __future__ import annotations

import json
from typing import Any

from cbctl.errors import CbctlError, Exit


class Unreachable(CbctlError):
    """No usable answer: nobody listens, cut off, too late, or "try again later".

    retry_after  seconds that the server asks to wait
    """

    def __init__(self, what: str, *, where: str = "", retry_after: float = 0.0) -> None:
        super().__init__(
            what,
            where=where,
            fix="check the network, and the cluster of this context in the kubeconfig",
        )
        self.retry_after = retry_after


class Refused(CbctlError):
    """The server understood and said no.

    status  of HTTP; reason  in the server's own word: NotFound, Conflict, Invalid, Forbidden …
    causes  fields and messages, where it named them
    forbidden  who asks has not the right to; quotas and admission refuse with the same status
    """

    def __init__(self, status: int, answer: bytes, *, where: str = "") -> None:
        told = _told(answer)
        self.status = status
        self.reason = str(told.get("reason") or "")
        details = told.get("details")
        causes = details.get("causes") if isinstance(details, dict) else None
        self.causes: list[dict[str, str]] = causes if isinstance(causes, list) else []
        what = str(told.get("message") or f"HTTP {status}")
        self.forbidden = status == 403 and 'User "' in what and "cannot" in what
        super().__init__(
            "the cluster does not know who we are" if status == 401 else what,
            where=where,
            exit=Exit.CREDENTIALS if status == 401 or self.forbidden else Exit.FAILED,
            fix="sign in again, or ask for the role" if status == 401 or self.forbidden else "",
        )

    @property
    def knows_no_roles(self) -> bool:
        """It has not found roles that bindings name: a server that has just started knows none
        yet, and refuses everybody."""
        return self.forbidden and "RBAC: " in self.what and "not found" in self.what

    @property
    def missing(self) -> bool:
        return self.status == 404

    @property
    def conflict(self) -> bool:
        """Another writer owns a field, or changed the object meanwhile."""
        return self.status == 409

    @property
    def too_old(self) -> bool:
        """The version to watch from is forgotten: list again."""
        return self.status == 410


def _told(answer: bytes) -> dict[str, Any]:
    try:
        told = json.loads(answer)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
