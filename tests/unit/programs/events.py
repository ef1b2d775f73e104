"""Events by the IDL, for tests that compare what was logged."""

from __future__ import annotations

from functools import cache
from typing import Any

from tests.unit.programs import idl_codec
from tests.unit.programs.crypto_bet import ARTIFACTS
from tests.unit.programs.svm import Outcome


@cache
def _idl() -> idl_codec.Idl:
    return idl_codec.current(ARTIFACTS / "crypto_bet.idl.json")


def read_event(data: bytes) -> dict[str, Any]:
    """The event's fields, and its `name`."""
    (name,) = [
        entry["name"]
        for entry in _idl().document["events"]
        if bytes(entry["discriminator"]) == data[:8]
    ]
    return {"name": name, **_idl().read(name, data)}


def the_event(outcome: Outcome) -> dict[str, Any]:
    (event,) = outcome.events
    return read_event(event)
