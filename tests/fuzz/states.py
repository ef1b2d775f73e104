"""State folders that disks, people and other versions have damaged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz import documents
from tests.fuzz.judge import Case

LOOKING: tuple[str, ...] = (
    *("status local", "status local -o json", "health local", "health local -o yaml"),
    *(
        "releases local",
        "releases local -o json",
        "diff r1 r2 -e local",
        "diff r1 current -e local",
    ),
    *(
        "runs attach last -e local",
        "runs attach RUN -e local --events ndjson",
        "unfreeze local --reason why",
    ),
    *("runs list --env local", "runs list -e local -o json", "runs show last --env local"),
    *("runs show RUN -e local -o yaml", "why last --env local", "why RUN -e local -o json"),
    *("why last -e local --html why.html --force", "audit list -e local", "audit verify -e local"),
    *("audit verify -e local -o json", "audit export -e local", "lock status local"),
    *("lock status local -o json", "local logs -e local", "local logs api", "config show local"),
    *("deploy local --plan", "deploy local --plan -o json", "rollback local --plan"),
    *("deploy local", "deploy local --events ndjson", "rollback local", "rollback local --to r1"),
    *("resume --env local", "resume RUN --env local -o json"),
)
CHANGING = ("lock break local --yes --reason why", "local down", "local reset --yes")
_OWN = ("services/", "supervisor.json", "lock.json")
"""What decides about processes and waiting: where it was damaged, nothing is stopped."""
_KINDS = (documents.flip, documents.insert, documents.cut, documents.line, documents.shape)
_OTHER: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, 10**30, "", "x", "\x1b[31m", "../../x", [], {}, [None], {"a": []}),
    *("running", "stopped", "succeeded", "bad", "9.0", "1.9", "2026-13-99", ["x"], [{"what": 1}]),
)


def spoil(random: Random, state: Path) -> str:
    """Damages one file or two; tells which."""
    files = sorted(p for p in state.rglob("*") if p.is_file())
    groups: dict[str, list[Path]] = {}
    for file in files:
        groups.setdefault(file.relative_to(state).parts[0], []).append(file)
    names = [*sorted(groups), *(["runs"] * 4), *(["releases", "policy", "services"] * 2)]
    chosen = {
        random.choice(groups[random.choice(names)]) for _ in range(random.choice((1, 1, 1, 2)))
    }
    for file in sorted(chosen):
        _spoil(random, file)
    return ", ".join(str(f.relative_to(state)) for f in sorted(chosen))


def case(random: Random, name: str, spoilt: str, runs: Sequence[str]) -> Case:
    commands = LOOKING
    if not any(word in spoilt for word in _OWN):
        commands = (*LOOKING, *CHANGING)
    command = random.choice(commands).replace("RUN", random.choice(runs))
    return Case(f"{name} ({spoilt})", tuple(command.split()))


def _spoil(random: Random, file: Path) -> None:
    data = file.read_bytes()
    match random.randrange(12):
        case 0:
            file.unlink()
        case 1:
            file.unlink()
            file.mkdir()
        case 2:
            file.unlink()
            file.symlink_to(random.choice((file.name, "/dev/null", "nowhere", "../version")))
        case 3:
            file.chmod(random.choice((0, 0o444, 0o666)))
        case 4 | 5 | 6:
            file.write_bytes(documents.mutated(random, data, _KINDS))
        case _:
            file.write_bytes(changed(random, data, file.suffix))


def changed(random: Random, data: bytes, suffix: str) -> bytes:
    """A value in it is another: what another version, or a person, may have written."""
    try:
        if suffix == ".ndjson":
            return _records(random, [json.loads(line) for line in data.splitlines()])
        return json.dumps(_changed(random, json.loads(data))).encode()
    except ValueError:
        return str(random.choice(_OTHER)).encode()


def _records(random: Random, records: list[Any]) -> bytes:
    """Mostly with a chain that holds, as whoever owns the file can make it."""
    for _ in range(random.choice((1, 1, 3))):
        at = random.randrange(len(records))
        match random.randrange(6):
            case 0 if len(records) > 1:
                del records[at]
            case 1:
                records.insert(at, records[at])
            case 2:
                records[at] = _changed(random, records[at])
            case _ if isinstance(records[at], dict):
                records[at] = {**records[at], "data": _changed(random, records[at].get("data"))}
    chained = random.random() < 0.8
    last, lines = "0" * 64, []
    for number, record in enumerate(records, 1):
        if chained and isinstance(record, dict):
            record = {**record, "seq": number, "prev_hash": last}
        lines.append(json.dumps(record, separators=(",", ":")).encode())
        last = hashlib.sha256(lines[-1]).hexdigest()
    return b"".join(line + b"\n" for line in lines)


def _changed(random: Random, value: Any) -> Any:
    """The same with something in it taken away or replaced."""
    if isinstance(value, dict) and value and random.random() < 0.85:
        name = random.choice(list(value))
        if random.random() < 0.25:
            return {k: v for k, v in value.items() if k != name}
        if random.random() < 0.1:
            return {**value, "x" + name: value[name], "new": 1}
        return {**value, name: _changed(random, value[name])}
    if isinstance(value, list) and value and random.random() < 0.7:
        at = random.randrange(len(value))
        return [*value[:at], _changed(random, value[at]), *value[at + 1 :]]
    return random.choice(_OTHER)
