"""Imports when they are needed, from any thread."""

from __future__ import annotations

import builtins
import threading
from typing import Any

_lock = threading.RLock()
_real = builtins.__import__


def one_at_a_time() -> None:
    """Let one thread import at a time.

    Python locks module by module. Two threads that enter a package by different doors see a half
    made module, or end in a _DeadlockError, where its modules import each other (redis, psycopg,
    solders). Steps run in threads and import what is heavy when they need it.
    """
    builtins.__import__ = _alone


def _alone(*args: Any, **kwargs: Any) -> Any:
    with _lock:
        return _real(*args, **kwargs)
