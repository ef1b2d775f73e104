"""Sends one transaction that is signed already, and cannot be signed anew."""

from __future__ import annotations

from collections.abc import Callable

from cbctl.clients.solana.failures import RpcRefusal, TransactionFailed, Unreachable
from cbctl.clients.solana.rpc import Rpc
from cbctl.clients.solana.sender import NO_REASON, RESEND, SIMULATION_FAILED, STALL
from cbctl.clients.solana.transaction import Signed
from cbctl.clients.solana.types import Pace
from cbctl.errors import CbctlError, Exit


def deliver(
    rpc: Rpc, pace: Pace, signed: Signed, what: str, void: Callable[[], str | None]
) -> None:
    """Until it is confirmed. Errors: TransactionFailed; CbctlError when it can no longer arrive.

    what  completes the sentence "could not …"
    void  why it can no longer be carried out, None while it can
    """
    started = handed = pace.monotonic()
    _hand_over(rpc, pace, signed, what, preflight=True)
    while True:
        # asked before the status: what is void now and has no status will never have one
        why = void()
        since = rpc.position().slot if why else 0
        (status,) = rpc.statuses([signed.signature], history=why is not None, since=since)
        if status is not None and status.err is not None:
            raise TransactionFailed(f"could not {what}", status.err, where=rpc.host)
        if status is not None and status.confirmed:
            return
        if status is None and why is not None:
            raise CbctlError(f"could not {what}: {why}", where=rpc.host, exit=Exit.REFUSED)
        now = pace.monotonic()
        if now - started > STALL:
            raise CbctlError(
                f"could not {what}: it was not confirmed within {STALL:g} s",
                where=rpc.host,
                exit=Exit.TIMEOUT,
                fix="run it again: it looks first whether it was done",
            )
        if now - handed > RESEND:
            _hand_over(rpc, pace, signed, what, preflight=False)
            handed = now
        pace.sleep(rpc.poll)


def _hand_over(rpc: Rpc, pace: Pace, signed: Signed, what: str, *, preflight: bool) -> None:
    """What does not get through is sent again."""
    pace.fence()
    try:
        rpc.send(signed.wire, preflight=preflight)
    except Unreachable:
        return
    except RpcRefusal as refusal:
        data = refusal.data if isinstance(refusal.data, dict) else {}
        err = data.get("err")
        if refusal.code != SIMULATION_FAILED:
            raise
        if err is not None and err not in NO_REASON:
            logs = data.get("logs") or ()
            raise TransactionFailed(f"could not {what}", err, logs, where=rpc.host) from None
