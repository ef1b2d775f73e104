"""Hundreds of command lines, configuration files and state folders that nobody has thought of: a
clear message, a code of the table, nothing changed by what was refused, and never a traceback."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator

import pytest
from tests.e2e.support import CBCTL
from tests.fuzz.ground import Ground, differences, prepared
from tests.fuzz.judge import faults
from tests.fuzz.kinds import KINDS, Attempt, lines
from tests.testbed.forked import LIMIT, Ended

from cbctl.errors import Exit

BLOCK = 50
SAMPLE = {"lines": 4, "configuration": 3, "state": 2}
FULL = {"lines": 80, "configuration": 60, "state": 40}
"""Blocks of each kind in `make test` (450 attempts) and in `make nightly` (9,000)."""


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with prepared(tmp_path_factory.mktemp("fuzz")) as made:
        yield made


def blocks() -> Iterator[object]:
    for kind in KINDS:
        for block in range(FULL[kind]):
            marks = () if block < SAMPLE[kind] else (pytest.mark.nightly,)
            yield pytest.param(kind, block, marks=marks)


@pytest.mark.parametrize(("kind", "block"), list(blocks()))
def test_attempts(kind: str, block: int, ground: Ground) -> None:
    wrong: list[Attempt] = []
    for number in range(block * BLOCK, (block + 1) * BLOCK):
        attempt = KINDS[kind](ground, number)
        if attempt.faults:
            wrong.append(attempt)
    assert not wrong, "\n\n".join(
        f"{attempt}\nreplay it: python -m tests.fuzz.kinds {attempt.case.name.split(' (')[0]}"
        for attempt in wrong[:10]
    )


_TIME = re.compile(r"^\d\d:\d\d:\d\d ", re.MULTILINE)


def test_real_processes_say_the_same(ground: Ground) -> None:
    """What is forked is what is run: a sample of the attempts, by the launcher."""
    for number in range(0, 200, 20):
        attempt = lines(ground, number)
        if attempt.case.endless:
            continue
        before = ground.fresh(locked=True)
        done = subprocess.run(
            [CBCTL, *map(os.fsencode, attempt.case.argv)],
            cwd=ground.work,
            env={k: os.fsencode(v) for k, v in ground.environment(attempt.case).items()},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LIMIT,
        )
        out, err = done.stdout.decode("latin-1"), done.stderr.decode("latin-1")
        real = Ended(done.returncode, out, err, hung=False, seconds=0)
        assert not faults(real, differences(before, ground.signature()), looks=False), attempt
        assert real.exit == attempt.ended.exit, f"{attempt}\n{real}"
        if real.exit == Exit.USAGE:
            said, again = (_TIME.sub("", text) for text in (real.err, attempt.ended.err))
            assert (real.out, said) == (attempt.ended.out, again)


@pytest.mark.nightly
def test_attempts_meet_everything(ground: Ground) -> None:
    """What never happens is not tested."""
    exits = {
        kind: Counter(attempt(ground, number).ended.exit for number in range(100))
        for kind, attempt in KINDS.items()
    }
    assert {0, 6, 7, 64} <= set(exits["lines"]), exits
    assert {0, 7, 10, 64} <= set(exits["configuration"]), exits
    assert {0, 1, 7, 10} <= set(exits["state"]), exits
    assert all(max(counts.values()) < 85 for counts in exits.values()), exits
