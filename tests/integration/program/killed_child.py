"""Deploys in a process of its own and kills it at the n-th request: before it is sent, or after
it is answered. Arguments: URL, folder of the keys, ELF, n, "before" or "after"."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from pathlib import Path
from typing import Any

from tests.testbed.context import FakeContext

from cbctl.clients.solana.transport import Transport
from cbctl.engine.step import Changes
from cbctl.steps.program import deploy


def main(url: str, folder: str, elf: str, last: str, when: str) -> None:
    keys = Path(folder)
    inputs = deploy.Inputs(
        rpc=url,
        elf=Path(elf),
        wallet=keys / "wallet.json",
        program_keypair=keys / "program.json",
    )
    step, ctx = deploy.STEP, FakeContext()
    verdict = step.plan(inputs, step.observe(ctx, inputs).facts)
    assert isinstance(verdict, Changes)
    intent = step.identify(ctx, inputs, verdict.changes)
    _arm(int(last), when)
    step.apply(ctx, inputs, verdict.changes, intent)


def _arm(last: int, when: str) -> None:
    numbers, post = itertools.count(1), Transport._post

    def counted(self: Transport, *arguments: Any) -> Any:
        mine = next(numbers) == last
        if mine and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = post(self, *arguments)
        if mine:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    setattr(Transport, "_post", counted)  # noqa: B010 - a method is replaced on purpose


if __name__ == "__main__":
    main(*sys.argv[1:])
