"""What a supervisor wrote down about a service: in its answer, and in the record that outlives it.

It tells how things were, nothing depends on it: what is damaged counts as not told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cbctl.local.processes import Identity


@dataclass(frozen=True)
class Seen:
    """tag: of what runs, or ran last; since: s since 1970; log: the last lines of a failure"""

    state: str = ""
    process: Identity | None = None
    tag: str = ""
    restarts: int = 0
    since: float = 0.0
    detail: str = ""
    log: tuple[str, ...] = ()

    @classmethod
    def of_json(cls, value: Any) -> Seen:
        told = value if isinstance(value, dict) else {}
        restarts, log = told.get("restarts"), told.get("log")
        return cls(
            state=_text(told.get("state")),
            process=Identity.of_json(told.get("process")),
            tag=_text(told.get("tag")),
            restarts=restarts if isinstance(restarts, int) else 0,
            since=_time(told.get("since")),
            detail=_text(told.get("detail")),
            log=tuple(filter(None, map(_text, log))) if isinstance(log, list) else (),
        )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _time(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and 0 <= value < 1e12 else 0.0
