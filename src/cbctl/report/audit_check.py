"""Whether the journals are what was written: each chain, each link between them, each head.

Nothing is stopped at the first fault: every place that does not hold is found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from cbctl.engine import journal
from cbctl.engine.journal import BESIDE, GENESIS, RUNS, Head, Record
from cbctl.engine.release import HISTORY
from cbctl.errors import CbctlError, Exit
from cbctl.report.audit_copy import HISTORIES, Copy, ends, line_hash


@dataclass(frozen=True)
class Finding:
    """kind   record, link, release, head, file
    where  stream and record
    what   what stands there
    means  what that says
    """

    kind: str
    where: str
    what: str
    means: str


@dataclass(frozen=True)
class Checked:
    """runs, records, links, releases, heads: how many were checked
    findings  what does not hold
    ends      where runs and history end now: to be kept elsewhere
    unheld    streams whose last records nothing else names: a cut there shows only by a head
    """

    environment: str
    runs: int
    records: int
    links: int
    releases: int
    heads: int
    findings: tuple[Finding, ...]
    ends: tuple[Head, ...]
    unheld: tuple[str, ...]


def verify(copied: Copy, heads: Sequence[Head] = ()) -> Checked:
    """heads: ends that were carried elsewhere. Raises CbctlError (7) for records of a newer cbctl,
    which cannot be judged."""
    return _Check(copied).all((*copied.heads, *heads))


@dataclass
class _Check:
    copied: Copy
    findings: list[Finding] = field(default_factory=list)
    links: int = 0
    releases: int = 0

    def all(self, heads: Sequence[Head]) -> Checked:
        for flaw in self.copied.flaws:
            self._add("file", "the file", flaw, "it is not the file that was exported")
        streams = self.copied.streams
        self.records = {name: self._chain(name, lines) for name, lines in streams.items()}
        self.hashes = {name: [line_hash(x) for x in lines] for name, lines in streams.items()}
        self.held: set[tuple[str, int]] = set()
        self.runs = [name for name in streams if name.startswith(RUNS)]
        for name in self.runs:
            self._links(name)
        for name in streams:
            if name.startswith(BESIDE):
                self._beside(name)
        self._history()
        for head in heads:
            self._head(head)
        return Checked(
            self.copied.environment,
            len(self.runs),
            self.copied.records,
            self.links,
            self.releases,
            len(heads),
            tuple(self.findings),
            tuple(ends(streams)),
            tuple(n for n, lines in streams.items() if (n, len(lines)) not in self.held),
        )

    # -- one stream -------------------------------------------------------------------------

    def _chain(self, name: str, lines: Sequence[bytes]) -> list[Record]:
        records: list[Record] = []
        try:
            for record in journal.check(name, lines):
                records.append(record)
        except CbctlError as error:
            if error.exit is not Exit.DIFFERS:
                raise
        except (UnicodeDecodeError, RecursionError):
            pass  # a line that no cbctl wrote
        if len(records) < len(lines):
            number = len(records) + 1
            last = line_hash(lines[number - 2]) if number > 1 else GENESIS
            told = _break(name, number, lines[number - 1], last)
            self._add("record", f"{name} record {number}", *told)
        return records

    # -- between streams --------------------------------------------------------------------

    def _links(self, name: str) -> None:
        for record in self.records[name]:
            where = f"{name} record {record.seq}"
            if record.type not in ("run.started", "run.resumed") and "parent" not in record.data:
                continue
            self.links += 1
            laid_down = record.data.get("policy")
            if laid_down and (head := self._read_head("link", where, laid_down)):
                self._holds("link", where, head)
            parent = record.data.get("parent")
            if parent is None:
                self._no_parent(name, record, where)
            elif head := self._read_head("link", where, parent):
                self._holds("link", where, head)
                if record.type != "run.resumed":
                    self._between(name, head.stream, where)

    def _beside(self, name: str) -> None:
        """Several may be going on at once: each names one that was there before it."""
        for record in self.records[name][:1]:
            where = f"{name} record {record.seq}"
            for named in (record.data.get("policy"), record.data.get("parent")):
                if named and (head := self._read_head("link", where, named)):
                    self.links += 1
                    self._holds("link", where, head)

    def _no_parent(self, name: str, record: Record, where: str) -> None:
        if record.type == "run.resumed":
            self._add(
                "link", where, "names no run before it", "it was changed: a resume always does"
            )
        for before in self._started(GENESIS, name):
            what = f"says that no run was there before it, but {before} is"
            self._add("link", where, what, f"{before} was put in later, or this run was replaced")

    def _between(self, name: str, parent: str, where: str) -> None:
        if parent >= name:
            what = f"names {parent} as the run before it, which is not older"
            self._add("link", where, what, "one of them was renamed or replaced")
        for other in self._started(parent, name):
            what = f"was begun right after {parent}, but {other} stands between them"
            self._add("link", where, what, f"{other} was put in later")

    def _started(self, after: str, before: str) -> Iterator[str]:
        """Runs and broken locks between two."""
        low = "" if after == GENESIS else after
        return (name for name in self.runs if low < name < before and self.records[name])

    def _history(self) -> None:
        recorded: dict[str, str] = {}
        bad: set[str] = set()
        for record in self.records.get(HISTORY, []):
            where, data = f"{HISTORY} record {record.seq}", record.data
            if record.type == "release.recorded":
                self.releases += 1
                where += f" ({data.get('id')})"
                recorded[str(data.get("id"))] = RUNS + str(data.get("run"))
                if head := self._read_head("release", where, data.get("journal")):
                    self._holds("release", where, head)
            elif data.get("state") == "bad":
                bad.add(str(data.get("id")))
        for name in self.runs:
            self._of_run(name, recorded, bad)

    def _of_run(self, name: str, recorded: dict[str, str], bad: set[str]) -> None:
        """What a run says of the history must stand there: so a cut history is found."""
        records = self.records[name]
        made = [r for r in records if r.type == "release.recorded"]
        for record in made:
            id = str(record.data.get("id"))
            where = f"{name} record {record.seq}"
            if recorded.get(id) != name:
                what = f"recorded release {id}, which {HISTORY} does not have from this run"
                self._add("release", where, what, "the history of releases was cut or rewritten")
            replaced = records[0].data.get("replaces")
            ended = records[-1].data.get("result") == "succeeded"
            if ended and replaced and replaced != id and replaced not in bad:
                what = f"moved away from release {replaced}, which {HISTORY} never calls bad"
                self._add("release", where, what, "the history of releases was cut or rewritten")

    def _head(self, head: Head) -> None:
        if head.stream:
            self._holds("head", f"head {head.count}:{head.hash[:12]}… of {head.stream}", head)
            return
        for name, hashes in self.hashes.items():
            if hashes[head.count - 1 : head.count] == [head.hash]:
                self.held.add((name, head.count))
                return
        where = f"head {head.count}:{head.hash[:12]}…"
        what = f"no journal has this as its record {head.count}"
        self._add("head", where, what, "the journal that ended so was cut, rewritten or removed")

    def _holds(self, kind: str, where: str, head: Head) -> None:
        """Whether a stream still has the record that somebody named as its end."""
        hashes = self.hashes.get(head.stream)
        if hashes is None:
            what = f"names {head.stream}, which is not there"
            self._add(kind, where, what, f"{head.stream} was removed")
        elif len(hashes) < head.count:
            what = f"{head.stream} had {head.count} records then, now it has {len(hashes)}"
            self._add(kind, where, what, f"the end of {head.stream} was cut off")
        elif hashes[head.count - 1] != head.hash:
            what = f"record {head.count} of {head.stream} is not the one that stood there then"
            self._add(kind, where, what, f"{head.stream} was changed or rewritten afterwards")
        else:
            self.held.add((head.stream, head.count))

    def _read_head(self, kind: str, where: str, data: Any) -> Head | None:
        try:
            return msgspec.convert(data, Head)
        except msgspec.ValidationError:
            self._add(kind, where, "names no end of a journal", "it was not written by cbctl")
            return None

    def _add(self, kind: str, where: str, what: str, means: str) -> None:
        self.findings.append(Finding(kind, where, what, means))


def _break(stream: str, number: int, line: bytes, last: str) -> tuple[str, str]:
    """What is wrong with the first record that does not follow, and what that means.

    last  hash of the record before it"""
    try:
        record = msgspec.json.decode(line, type=Record)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "cannot be read as a record", "it was changed after it was written"
    if record.seq > number:
        missing = f"{record.seq - number} before it" if number > 1 else "its beginning"
        return f"calls itself record {record.seq}", f"records were removed: {missing}"
    if record.seq < number:
        return f"calls itself record {record.seq}", "records were put in before it, or it was moved"
    if record.prev_hash == last:
        why = journal.problem(stream, record)
        return (
            f"is no {record.type} that cbctl writes ({why})",
            "it was rewritten, and all after it",
        )
    if number == 1:
        return "does not begin a chain", "it was changed after it was written"
    what = f"was written after another record {number - 1} than the one that stands there"
    return what, f"record {number - 1} was changed after it was written (or this one was)"


def newest(heads: Iterable[Head]) -> list[Head]:
    """The ends that are worth to be kept elsewhere: they cover all before them."""
    found = list(heads)
    last = [[h for h in found if h.stream.startswith(kind)][-1:] for kind in (RUNS, BESIDE)]
    return [*last[0], *last[1], *(h for h in found if h.stream in HISTORIES)]
