"""A server that limits, and whoever learns from it how fast it may be asked."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import pytest

from cbctl.clients.solana.pacing import UNLIMITED, Pacing


@dataclass
class Limited:
    """So many requests in a sliding window of seconds."""

    most: int
    window: float
    retry_after: bool
    now: float = 0.0
    refused: int = 0
    taken: deque[float] = field(default_factory=deque)

    def ask(self, pacing: Pacing) -> bool:
        while self.taken and self.now - self.taken[0] >= self.window:
            self.taken.popleft()
        if len(self.taken) >= self.most:
            self.refused += 1
            left = self.window - (self.now - self.taken[0])
            pacing.refused(left if self.retry_after else 0.0)
            return False
        self.taken.append(self.now)
        pacing.answered(self.now)
        return True


@pytest.mark.parametrize("retry_after", [True, False])
@pytest.mark.parametrize(("most", "window"), [(40, 10.0), (15, 1.0), (100, 10.0)])
def test_nearly_all_that_is_allowed_is_used_and_little_is_refused(
    most: int, window: float, retry_after: bool
) -> None:
    server = Limited(most, window, retry_after)
    pacing, through = Pacing(lambda: server.now), 0
    while server.now < 120:
        for _ in range(min(48, pacing.room())):
            through += server.ask(pacing)
        server.now += min(0.05, max(0.001, pacing.next_room()))
    allowed = 120 / window * most
    assert 0.6 * allowed < through <= allowed + most
    assert server.refused < 0.3 * through + 48


def test_nothing_is_held_back_before_the_first_refusal() -> None:
    pacing = Pacing(lambda: 1.0)
    for _ in range(1_000):
        pacing.answered(1.0)
    assert pacing.room() == UNLIMITED
    assert pacing.next_room() == 0.0
    assert pacing.rate is None


def test_what_the_server_asks_for_is_waited_for() -> None:
    now = [0.0]
    pacing = Pacing(lambda: now[0])
    pacing.answered(0.0)
    pacing.refused(7.0)
    assert (pacing.room(), pacing.next_room(), pacing.pause) == (0, 7.0, 7.0)
    now[0] = 7.0
    assert pacing.room() == 1  # a probe


def test_requests_that_were_on_their_way_together_are_one_refusal() -> None:
    now = [0.0]
    pacing = Pacing(lambda: now[0])
    for _ in range(12):
        pacing.refused(0.0)
    assert pacing.pause == 0.5
    now[0] = 0.5
    pacing.refused(0.0)
    assert pacing.pause == 1.0
