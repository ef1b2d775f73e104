"""Points in time as people write them."""

from __future__ import annotations

import re

from cbctl.errors import CbctlError, Exit

_AGO = re.compile(r"(\d{1,6})([mhdw])")
_SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}


def since(text: str, now: float) -> str:
    """As records are stamped. 2026-11-22, 2026-11-22T19:30 (UTC unless it says otherwise), 24h.

    now  seconds since the epoch; raises CbctlError (64)"""
    from datetime import UTC, datetime

    from cbctl.engine.clock import stamp

    try:
        if ago := _AGO.fullmatch(text.strip()):
            return stamp(now - int(ago[1]) * _SECONDS[ago[2]])
        at = datetime.fromisoformat(text.strip())
        return stamp((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise CbctlError(
            f"{text!r} is no time",
            exit=Exit.USAGE,
            fix="write 2026-11-22, 2026-11-22T19:30, or how long ago: 90m, 24h, 7d",
        ) from None
