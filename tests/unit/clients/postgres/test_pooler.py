"""What two sessions behind a pooler see. The real pooler is in the integration tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from cbctl.clients.postgres.ledger import shares_sessions


class Session:
    """Answers with one pid after the other, whatever is asked."""

    def __init__(self, *pids: int) -> None:
        self.pids = list(pids)

    def execute(self, query: bytes) -> Session:
        return self

    def fetchone(self) -> tuple[int]:
        return (self.pids.pop(0),)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        yield


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [
        ((10, 10), (11,), False),
        ((10, 12), (10,), True),  # the second got the first one's server session
        ((10, 12), (11,), True),  # the first has another one now
    ],
)
def test_shared_sessions_are_seen(
    first: tuple[int, ...], second: tuple[int, ...], shared: bool
) -> None:
    assert shares_sessions(cast(Any, Session(*first)), cast(Any, Session(*second))) is shared
