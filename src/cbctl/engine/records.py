"""What a record of each type says at least, so that whoever reads one need not doubt it.

What a later version of the same schema added has a default here; what a newer one adds is passed
over, and so is a type that this cbctl does not know.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from cbctl.errors import Exit

BEGINS = frozenset({"run.started", "lock.broken"})
"""The first record of a run's journal is one of these."""


class _Change(msgspec.Struct):
    what: str
    before: Any
    after: Any


class _Shown(msgspec.Struct):
    id: str
    step: str
    verdict: str
    because: str
    changes: list[_Change]


class _Passed(msgspec.Struct):
    rule: str
    why: str
    by: str
    reason: str


class _Selection(msgspec.Struct):
    only: list[str] = []
    skip: list[str] = []
    release: str | None = None
    step: str = ""
    given: dict[str, Any] = {}


class _Owner(msgspec.Struct):
    who: str


class _Holder(msgspec.Struct):
    run: str
    owner: _Owner


class _Started(msgspec.Struct):
    kind: str
    environment: str
    reason: str
    who: str
    host: str
    identity: dict[str, Any]
    selection: _Selection
    plan: str
    replaces: str | None
    shown: list[_Shown]
    passed: list[_Passed] = []


class _Resumed(msgspec.Struct):
    who: str
    host: str
    plan: str
    passed: list[_Passed] = []


class _Broken(msgspec.Struct):
    reason: str
    who: str
    host: str
    holder: _Holder | None


class _Intent(msgspec.Struct):
    step: str
    identity: Any
    before: Any
    changes: list[_Change]


class _OfStep(msgspec.Struct):
    step: str


class _Failed(msgspec.Struct):
    step: str
    phase: str
    error: str
    fix: str
    evidence: dict[str, Any]


class _Waiting(msgspec.Struct):
    step: str
    what: str
    fix: str
    evidence: dict[str, Any]


class _Undoing(msgspec.Struct):
    error: str
    where: str
    fix: str
    exit: Exit


class _Undone(msgspec.Struct):
    step: str
    cannot: str | None


class _Named(msgspec.Struct):
    id: str


class _Marked(msgspec.Struct):
    id: str
    state: str
    reason: str


class _Ended(msgspec.Struct):
    result: str
    exit: Exit
    changes: list[dict[str, Any]]
    release: str | None
    error: str | None


class _Frozen(msgspec.Struct):
    """until: a time with its zone, or "" for no end"""

    reason: str
    until: str
    who: str
    host: str

    def __post_init__(self) -> None:
        if self.until and datetime.fromisoformat(self.until).tzinfo is None:
            raise ValueError("its end names no zone")


class _Unfrozen(msgspec.Struct):
    reason: str
    who: str
    host: str


class _Approved(msgspec.Struct):
    plan: str
    who: str
    host: str
    after: str


class _BackupFailed(msgspec.Struct):
    id: str
    problem: str
    who: str
    host: str


class _BackupVerified(msgspec.Struct):
    id: str
    made: str
    digest: str
    who: str
    host: str

    def __post_init__(self) -> None:
        if datetime.fromisoformat(self.made).tzinfo is None:
            raise ValueError("when it was made names no zone")


_KINDS: dict[str, type[msgspec.Struct]] = {
    "run.started": _Started,
    "run.resumed": _Resumed,
    "lock.broken": _Broken,
    "step.intent": _Intent,
    "step.outcome": _OfStep,
    "step.verified": _OfStep,
    "step.failed": _Failed,
    "step.waiting": _Waiting,
    "run.undoing": _Undoing,
    "step.undone": _Undone,
    "release.recorded": _Named,
    "release.marked": _Marked,
    "run.ended": _Ended,
    "policy.frozen": _Frozen,
    "policy.unfrozen": _Unfrozen,
    "plan.approved": _Approved,
    "backup.verified": _BackupVerified,
    "backup.failed": _BackupFailed,
}


def problem(type: str, data: dict[str, Any], at: str) -> str:
    """Why this is no record of its type, or of no time; nothing when it is one."""
    try:
        if datetime.fromisoformat(at).tzinfo is None:
            return "its time names no zone"
        if kind := _KINDS.get(type):
            msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        return str(error)
    except ValueError:
        return "its time is none"
    return ""
