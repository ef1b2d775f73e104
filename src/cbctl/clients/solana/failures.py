"""What can go wrong on the way to a cluster and on it, as errors that name the host only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cbctl.errors import CbctlError, Exit

_LONGEST = 300  # characters of one thing that a node says


class Unreachable(CbctlError):
    """No usable answer: refused, timed out, cut off, HTTP 5xx. Another try may succeed.

    refused  nobody listens there, so that waiting a moment will hardly help
    """

    def __init__(self, what: str, *, where: str, refused: bool = False) -> None:
        super().__init__(what, where=where, exit=Exit.FAILED)
        self.refused = refused


class RateLimited(Unreachable):
    """HTTP 429. `retry_after` is what the server asked for, in seconds; 0 when it did not say."""

    def __init__(self, where: str, retry_after: float) -> None:
        super().__init__("too many requests (HTTP 429)", where=where)
        self.retry_after = retry_after


class RpcRefusal(CbctlError):
    """The node answered with a JSON-RPC error.

    code  JSON-RPC or Solana error code; said  its message; data  what came with it
    """

    def __init__(self, code: int, message: str, data: Any, *, where: str) -> None:
        super().__init__(f"{message} (RPC error {code})", where=where)
        self.code = code
        self.said = message
        self.data = data


class TransactionFailed(CbctlError):
    """A transaction that the cluster executed, or simulated, and that failed.

    err    the RPC's own form, for example {"InstructionError": [1, {"Custom": 6004}]}
    logs   the program log as far as it is known
    """

    def __init__(self, doing: str, err: Any, logs: Sequence[str] = (), *, where: str = "") -> None:
        super().__init__(f"{doing}: {explain(err)}{_last_words(logs)}", where=where)
        self.err = err
        self.logs = tuple(logs)


def custom_code(err: Any) -> int | None:
    """The program's own error number in a transaction error, if it is one."""
    _, detail = _instruction(err) or (0, None)
    code = detail.get("Custom") if isinstance(detail, Mapping) else None
    return code if isinstance(code, int) else None


def explain(err: Any, names: Mapping[int, str] | None = None) -> str:
    """A transaction error in one sentence; `names` are a program's error names by number."""
    code = custom_code(err)
    if code is not None and names and code in names:
        return f"the program answers {names[code]} ({code})"
    if (failed := _instruction(err)) is not None:
        index, said = failed
        detail = f"custom program error {code}" if code is not None else _words(said)
        return f"instruction {index + 1} failed: {detail}"
    if isinstance(err, Mapping):
        return "; ".join(f"{key}: {_words(value)}" for key, value in err.items())
    return _words(err)


def _instruction(err: Any) -> tuple[int, Any] | None:
    """(which instruction, what it said) where an error is one of an instruction's."""
    pair = err.get("InstructionError") if isinstance(err, Mapping) else None
    if isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], int):
        return pair[0], pair[1]
    return None


def _words(value: Any, deep: int = 3) -> str:
    """What a node answers may be of any depth and length; what it means is short and flat."""
    if isinstance(value, Mapping) and deep:
        return ", ".join(f"{key} {_words(inner, deep - 1)}" for key, inner in value.items())
    return "…" if isinstance(value, Mapping | list | tuple) else str(value)[:_LONGEST]


def _last_words(logs: Sequence[str]) -> str:
    """The last lines that a program itself wrote, which mostly say why."""
    own = [line for line in logs if line.startswith("Program log:")][-2:]
    return f" ({' / '.join(line[13:].strip() for line in own)})" if own else ""
