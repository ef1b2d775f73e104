"""The kinds of fuzzing. Each attempt is made from its number alone, and so can be repeated:

python -m tests.fuzz.kinds lines 93
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.fuzz import lines as command_lines
from tests.fuzz import states
from tests.fuzz.documents import mutated
from tests.fuzz.ground import Ground, differences, prepared
from tests.fuzz.judge import Case, faults
from tests.testbed.commands import table
from tests.testbed.forked import Ended

_LOOKING = frozenset(
    {"status", "health", "releases", "diff", "runs", "audit", "config", "completion", "why"}
)
"""Commands that change nothing, however they end."""
_FILES = (
    *(["cbctl.yaml"] * 6),
    *([".env.local"] * 3),
    *("own/deploy.yaml", "own/rollback.yaml"),
    "programs/crypto_bet/artifacts/crypto_bet.idl.json",
    "src/cbapi/schema.json",
    "src/cbapi/migrations/0001_program_config_cache.up.sql",
)
_COMMANDS = (
    *("config validate", "config validate local", "config validate production"),
    *("config validate local -o json", "config show local", "config show production -o json"),
    *("deploy local --plan", "deploy local --plan -o json", "rollback local --plan"),
    *("status local", "health local -o yaml", "releases local", "local logs", "lock status local"),
    *("deploy local", "deploy local --events ndjson", "rollback local", "resume --env local"),
)


@dataclass(frozen=True)
class Attempt:
    case: Case
    ended: Ended
    faults: list[str]

    def __str__(self) -> str:
        told = f"{self.ended.out}\n{self.ended.err}".strip()
        return f"{self.case}\n→ {self.ended.exit} {self.faults}\n{told}"


def lines(ground: Ground, number: int) -> Attempt:
    """A command line, on a state that somebody else works on."""
    before = ground.fresh(locked=True)
    case = command_lines.case(Random(f"lines {number}"), f"lines {number}", table(), ground.run)
    ended = ground.carry_out(case)
    changed = differences(before, ground.signature())
    return Attempt(case, ended, faults(ended, changed, looks=_looks(case)))


def configuration(ground: Ground, number: int) -> Attempt:
    """A command on a configuration file that was spoilt."""
    random = Random(f"configuration {number}")
    before = ground.fresh()
    file = ground.work / random.choice(_FILES)
    case = Case(f"configuration {number} ({file.name})", tuple(random.choice(_COMMANDS).split()))
    good = file.read_bytes()
    file.write_bytes(mutated(random, good))
    try:
        ended = ground.carry_out(case)
    finally:
        file.write_bytes(good)
    changed = differences(before, ground.signature())
    return Attempt(case, ended, faults(ended, changed, looks=_looks(case)))


def state(ground: Ground, number: int) -> Attempt:
    """A command on a state folder that was damaged."""
    random = Random(f"state {number}")
    ground.fresh()
    spoilt = states.spoil(random, ground.state)
    before = ground.signature()
    case = states.case(random, f"state {number}", spoilt, ground.run)
    ended = ground.carry_out(case)
    changed = differences(before, ground.signature())
    return Attempt(case, ended, faults(ended, changed, looks=_looks(case)))


KINDS: dict[str, Callable[[Ground, int], Attempt]] = {
    "lines": lines,
    "configuration": configuration,
    "state": state,
}


def _looks(case: Case) -> bool:
    words = case.argv
    return bool(words) and (words[0] in _LOOKING or "--plan" in words or words[1:2] == ("logs",))


if __name__ == "__main__":
    kind, number = sys.argv[1:]
    with tempfile.TemporaryDirectory() as home, prepared(Path(home)) as ground:
        print(KINDS[kind](ground, int(number)))
