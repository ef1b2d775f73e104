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
_COMMANDS = (
    *("config validate", "config validate local", "config validate production"),
    *("config validate local -o json", "config show local", "config show production -o json"),
    *("deploy local --plan", "deploy local --plan -o json", "rollback local --plan"),
    *("status local", "health local -o yaml", "releases local", "local logs", "lock status local"),
    *("deploy local", "deploy local --events ndjson", "rollback local", "resume --env local"),
)
_PLANS = (
    *("deploy local --plan-file saved.plan", "deploy local --plan-file saved.plan -o json"),
    *("diff saved.plan saved.plan -o json", "diff saved.plan saved.plan -e local"),
    "approve 000000000000 --env local --plan-file saved.plan --yes",
)
_EXPORTS = (
    *("audit verify --file audit.ndjson -e local", "audit verify --file audit.ndjson -o json"),
    *("audit verify --head-file audit.ndjson -e local", "audit export audit.ndjson -e local"),
)
_FILES: tuple[tuple[str, tuple[str, ...]], ...] = (
    *([("cbctl.yaml", _COMMANDS)] * 6),
    *([(".env.local", _COMMANDS)] * 3),
    *(("own/deploy.yaml", _COMMANDS), ("own/rollback.yaml", _COMMANDS)),
    ("programs/crypto_bet/artifacts/crypto_bet.idl.json", _COMMANDS),
    ("src/cbapi/schema.json", _COMMANDS),
    ("src/cbapi/migrations/0001_program_config_cache.up.sql", _COMMANDS),
    *([("saved.plan", _PLANS), ("audit.ndjson", _EXPORTS)] * 2),
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
    case = command_lines.case(
        Random(f"lines {number}"), f"lines {number}", table(), ground.runs[-1]
    )
    ended = ground.carry_out(case)
    changed = differences(before, ground.signature())
    return Attempt(case, ended, faults(ended, changed, looks=_looks(case)))


def configuration(ground: Ground, number: int) -> Attempt:
    """A command on a configuration file that was spoilt, or on another that it is given."""
    random = Random(f"configuration {number}")
    before = ground.fresh()
    name, commands = random.choice(_FILES)
    file = ground.work / name
    case = Case(f"configuration {number} ({file.name})", tuple(random.choice(commands).split()))
    good = file.read_bytes()
    spoilt = mutated(random, good)
    if name == "saved.plan" and random.random() < 0.5:
        spoilt = states.changed(random, good, ".json")
    file.write_bytes(spoilt)
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
    ground.supervise()
    spoilt = states.spoil(random, ground.state)
    before = ground.signature()
    case = states.case(random, f"state {number}", spoilt, ground.runs)
    ended = ground.carry_out(case)
    changed = differences(before, ground.signature())
    stops = case.argv[:2] in (("local", "down"), ("local", "reset"))
    return Attempt(case, ended, faults(ended, changed, looks=_looks(case), stops=stops))


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
