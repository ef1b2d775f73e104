"""All journals of an environment at one moment, and the same as one NDJSON file.

The file: a first line that says what it is; `{stream, line}` for each record, `line` being its
exact text, whose hash the chain needs; a last line with the end of each stream and the sha256 of
all bytes before it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cbctl.engine import policy, release
from cbctl.engine.journal import BESIDE, GENESIS, RUNS, Head
from cbctl.engine.store import Store
from cbctl.errors import CbctlError, Exit

HISTORIES = (release.HISTORY, policy.HISTORY, policy.BACKUPS)
MARK = "cbctl audit export"
VERSION = 1
_TRIES = 5
_LARGEST = 256 << 20
"""Bytes of a file that is read: a device has no end."""


@dataclass(frozen=True)
class Copy:
    """streams  name → its lines, sorted by name
    flaws      what is wrong with the file it came from
    """

    environment: str
    streams: Mapping[str, list[bytes]]
    flaws: tuple[str, ...] = ()
    heads: tuple[Head, ...] = field(default=())

    @property
    def records(self) -> int:
        return sum(len(lines) for lines in self.streams.values())


def copy(store: Store, environment: str) -> Copy:
    """Runs and histories as they stood together, also while a run writes to them."""
    before: dict[str, list[bytes]] = {}
    streams: dict[str, list[bytes]] = {}
    for _ in range(_TRIES):
        histories = {s: store.read(s) for s in HISTORIES}
        if histories == before:
            break
        before = histories
        streams = {s: store.read(s) for kind in (BESIDE, RUNS) for s in store.streams(kind)}
    streams |= {s: lines for s, lines in before.items() if lines}
    return Copy(environment, dict(sorted(streams.items())))


def ends(streams: Mapping[str, list[bytes]]) -> list[Head]:
    return [Head(name, len(lines), line_hash(lines[-1])) for name, lines in streams.items()]


def line_hash(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def written(copied: Copy, at: str, by: str) -> Iterator[str]:
    """The lines of the file, each with its newline."""
    whole = hashlib.sha256()

    def line(value: Mapping[str, Any]) -> str:
        text = json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n"
        whole.update(text.encode())
        return text

    first = {"is": MARK, "version": VERSION, "environment": copied.environment}
    yield line({**first, "at": at, "by": by})
    for name, lines in copied.streams.items():
        for record in lines:
            # bytes that are no UTF-8 (a damaged file) come back as they were
            yield line({"stream": name, "line": record.decode("utf-8", "surrogateescape")})
    heads = [_plain(h) for h in ends(copied.streams)]
    yield line({"heads": heads, "records": copied.records, "sha256": whole.hexdigest()})


def read_copy(path: Path) -> Copy:
    """Raises CbctlError (64) for what is no export; what is wrong with one is in `flaws`."""
    lines = _read(path).split(b"\n")
    first = _object(lines[0])
    if first.get("is") != MARK or first.get("version") != VERSION:
        raise CbctlError(
            "this is no file that this cbctl exported",
            exit=Exit.USAGE,
            where=str(path),
            fix="cbctl audit export FILE --env ENV makes one",
        )
    streams: dict[str, list[bytes]] = {}
    flaws = []
    whole = hashlib.sha256(lines[0] + b"\n")
    last: dict[str, Any] = {}
    for number, line in enumerate(lines[1:], 2):
        value = _object(line)
        if "heads" in value:
            last = value
            if any(lines[number:]):
                flaws.append(f"there is more after its last line ({number})")
            break
        if not line and number == len(lines):
            break
        whole.update(line + b"\n")
        stream, text = value.get("stream"), value.get("line")
        if isinstance(stream, str) and isinstance(text, str):
            streams.setdefault(stream, []).append(text.encode("utf-8", "surrogateescape"))
        else:
            flaws.append(f"line {number} is no record")
    if not last:
        flaws.append("its end is missing: it was cut off, or never written to its end")
    elif last.get("sha256") != whole.hexdigest():
        flaws.append("its bytes are not those that were written: their sha256 is another")
    heads = tuple(h for h in _heads_in(last))
    return Copy(str(first.get("environment", "")), streams, tuple(flaws), heads)


def parse_head(text: str) -> Head:
    """`COUNT:HASH`, or `RUN:COUNT:HASH`; without a run its stream is ""."""
    *stream, count, hash = ["", *text.strip().split(":")][-3:]
    name = stream[0] if stream else ""
    hash = hash.lower()
    if not count.isdecimal() or int(count) < 1 or not _is_hash(hash) or text.count(":") > 2:
        raise CbctlError(
            f"{text!r} is no end of a journal",
            exit=Exit.USAGE,
            fix="write COUNT:HASH or RUN:COUNT:HASH, as a notification carried them",
        )
    return Head(_stream(name), int(count), hash)


def read_heads(path: Path) -> list[Head]:
    """From a notification as it was received, an export, or lines of COUNT:HASH."""
    text = _read(path).decode("utf-8", "replace")
    try:
        found = list(_heads_in(json.loads(text)))
    except (ValueError, RecursionError):
        found = []
        for line in text.splitlines():
            if line.lstrip().startswith(("{", "[")):
                found += _heads_in(_object(line.encode()))
            elif line.strip():
                found.append(parse_head(line))
    if not found:
        raise CbctlError(
            "no end of a journal stands in this file", exit=Exit.USAGE, where=str(path)
        )
    return found


def _heads_in(value: Any) -> Iterable[Head]:
    match value:
        case list():
            for inner in value:
                yield from _heads_in(inner)
        case {"heads": list(heads)}:
            yield from _heads_in(heads)
        case {"journal": {"stream": str()} as inner}:
            yield from _heads_in(inner)
        case {"run": str(run), "journal": {"count": int(count), "hash": str(hash)}}:
            yield parse_head(f"{run}:{count}:{hash}")
        case {"stream": str(stream), "count": int(count), "hash": str(hash)}:
            yield parse_head(f"{stream}:{count}:{hash}")


def _stream(name: str) -> str:
    return name if not name or "/" in name else RUNS + name


def _plain(head: Head) -> dict[str, Any]:
    return {"stream": head.stream, "count": head.count, "hash": head.hash}


def _is_hash(text: str) -> bool:
    return len(text) == len(GENESIS) and all(c in "0123456789abcdef" for c in text)


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or type(error).__name__
        raise CbctlError(what, exit=Exit.USAGE, where=str(path)) from None
    if len(data) > _LARGEST:
        what = f"it is larger than {_LARGEST >> 20} MiB"
        raise CbctlError(what, exit=Exit.USAGE, where=str(path))
    return data
