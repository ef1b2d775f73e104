"""Points in time, and reasons, as people write them."""

from __future__ import annotations

import re

from cbctl.errors import CbctlError, Exit

_SPAN = re.compile(r"(\d{1,6})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def since(text: str, now: float) -> str:
    """As records are stamped. 2026-11-22, 2026-11-22T19:30 (UTC unless it says otherwise), 24h.

    now  seconds since the epoch; raises CbctlError (64)"""
    return _stamp(text, now, -1, "or how long ago: 90m, 24h, 7d")


def ahead(text: str, now: float) -> str:
    """The same for an end that is to come."""
    from cbctl.engine.clock import stamp

    found = _stamp(text, now, 1, "or how long from now: 90m, 24h, 7d")
    if found <= stamp(now):
        raise CbctlError(f"{text!r} is over already", exit=Exit.USAGE, fix="name a time to come")
    return found


def seconds(text: str) -> int:
    """How long: 90m, 24h, 30d. Raises CbctlError (64)."""
    if span := _SPAN.fullmatch(text.strip()):
        return int(span[1]) * _SECONDS[span[2]]
    raise CbctlError(
        f"{text!r} is no span of time", exit=Exit.USAGE, fix="write 45s, 90m, 24h, 30d or 52w"
    )


def point(text: str) -> int:
    """A point in time as seconds since the epoch; UTC unless it says otherwise. Raises CbctlError
    (64)."""
    from datetime import UTC, datetime

    try:
        at = datetime.fromisoformat(text.strip())
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise CbctlError(
            f"{text!r} is no time", exit=Exit.USAGE, fix="write 2027-01-01 or 2027-01-01T19:30"
        ) from None


def said(reason: str) -> str:
    """A reason, which must say something, and be text: it is kept. Raises CbctlError (64)."""
    if not reason.strip():
        raise CbctlError("an empty reason explains nothing", exit=Exit.USAGE, where="--reason")
    if any("\ud800" <= letter <= "\udfff" for letter in reason):
        raise CbctlError("the reason is not UTF-8 text", exit=Exit.USAGE, where="--reason")
    if not reason.strip().isprintable():
        what = "a reason is one line of text, without control characters"
        raise CbctlError(what, exit=Exit.USAGE, where="--reason")
    return reason.strip()


def _stamp(text: str, now: float, direction: int, relative: str) -> str:
    from datetime import UTC, datetime

    from cbctl.engine.clock import stamp

    try:
        if span := _SPAN.fullmatch(text.strip()):
            return stamp(now + direction * int(span[1]) * _SECONDS[span[2]])
        at = datetime.fromisoformat(text.strip())
        return stamp((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise CbctlError(
            f"{text!r} is no time",
            exit=Exit.USAGE,
            fix=f"write 2026-11-22, 2026-11-22T19:30, {relative}",
        ) from None
