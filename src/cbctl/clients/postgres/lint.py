"""What speaks against a migration before it runs anywhere: our own rules, and squawk's.

A finding is accepted in the file itself, in a comment before the statement that it is about:

    -- cbctl-lint: allow ban-drop-table: the code has not read it since 0041
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cbctl.clients.postgres.migrations import Migration
from cbctl.clients.postgres.promises import broken
from cbctl.clients.postgres.script import Script, needs_no_transaction
from cbctl.clients.postgres.statements import Statement, split
from cbctl.errors import CbctlError

_SERVED: Final = (
    # cbctl sets the limit, and takes a migration back as a whole
    "require-lock-timeout",
    "require-statement-timeout",
    "prefer-robust-stmts",
    # our own rule `runnable` says the same of the files as cbctl runs them
    "ban-concurrent-index-creation-in-transaction",
    "transaction-nesting",
)
_FOR_POST: Final = frozenset(
    {
        "ban-drop-column",
        "ban-drop-table",
        "ban-truncate-cascade",
        "renaming-column",
        "renaming-table",
    }
)
"""squawk's rules about code that is still running: none is, when the phase post comes."""
_OLDEST: Final = "15.0"
_SECONDS: Final = 120.0
_ALLOW = re.compile(r"^[ \t]*--[ \t]*cbctl-lint:[ \t]*(?P<rest>[^\n]*)$", re.MULTILINE)
_ALLOWED = re.compile(r"allow[ \t]+(?P<rule>[a-z0-9-]+)[ \t]*:[ \t]*(?P<reason>\S.*)")
_SQUAWK_IGNORE = re.compile(r"^.*squawk-ignore.*$", re.MULTILINE)
_TEXT = re.compile(r"'(?:[^']|'')*'|\$(\w*)\$.*?\$\1\$", re.DOTALL)
_NAME: Final = r'(?:"(?:[^"]|"")+"|[\w$]+)(?:\s*\.\s*(?:"(?:[^"]|"")+"|[\w$]+))*'
_CREATED = re.compile(
    rf"CREATE (?:UNLOGGED |TEMP(?:ORARY)? )?(?:TABLE|VIEW|TYPE|FUNCTION|SEQUENCE|MATERIALIZED VIEW)"
    rf" (?:IF NOT EXISTS )?(?P<name>{_NAME})",
    re.IGNORECASE,
)
_CHANGED = re.compile(
    rf"(?:ALTER|DROP|TRUNCATE|DELETE)\b(?: (?:TABLE|VIEW|TYPE|FUNCTION|SEQUENCE|MATERIALIZED VIEW|"
    rf"FROM))?(?: IF EXISTS)?(?: ONLY)? (?P<name>{_NAME})",
    re.IGNORECASE,
)
_DESTRUCTIVE: Final = (
    (
        r"DROP (TABLE|VIEW|MATERIALIZED VIEW|TYPE|DOMAIN|SCHEMA|FUNCTION|PROCEDURE|SEQUENCE)\b",
        "drops",
    ),
    (r"(TRUNCATE|DELETE FROM)\b", "removes rows"),
    (r"REVOKE\b", "takes rights away"),
    (r"ALTER (TABLE|VIEW|TYPE|FUNCTION|SEQUENCE|SCHEMA)\b.* RENAME (?!CONSTRAINT\b)", "renames"),
    (r"ALTER (TABLE|VIEW|TYPE|FUNCTION|SEQUENCE)\b.* SET SCHEMA\b", "moves"),
)
_DESTRUCTIVE_ACTIONS: Final = (
    (r"DROP (?!CONSTRAINT\b|DEFAULT\b|NOT NULL\b|IDENTITY\b|EXPRESSION\b)", "drops a column"),
    (rf"ALTER (COLUMN )?{_NAME} (SET DATA )?TYPE\b", "changes the type of a column"),
    (rf"ALTER (COLUMN )?{_NAME} SET NOT NULL\b", "refuses NULL where the code before may write it"),
    (
        rf"ADD (?!CONSTRAINT\b|PRIMARY\b|UNIQUE\b|CHECK\b|FOREIGN\b|EXCLUDE\b)(COLUMN )?{_NAME}"
        r"(?!.*\b(DEFAULT|GENERATED|SERIAL|BIGSERIAL)\b).* NOT NULL\b",
        "demands a value that the code before does not write",
    ),
)


@dataclass(frozen=True)
class Finding:
    """rule: of ours `runnable`, `destructive-in-pre`, `needless-header`, `exception`, those of
    promises.py; else squawk's"""

    file: str
    line: int
    rule: str
    what: str
    fix: str = ""


@dataclass
class _Exception:
    """An accepted rule; the lines of the statement that it is about."""

    line: int
    rule: str
    first: int
    last: int
    used: bool = False


def program() -> Path | None:
    """squawk, on PATH or beside this Python."""
    found = shutil.which("squawk") or shutil.which("squawk", path=str(Path(sys.executable).parent))
    return Path(found) if found else None


def lint(migrations: Sequence[Migration], squawk: Path | None) -> list[Finding]:
    """By file and line. squawk: None checks our own rules only."""
    from_squawk = _ask(squawk, [m.path for m in migrations]) if squawk and migrations else []
    found: list[Finding] = []
    for migration in migrations:
        about = [one for one in from_squawk if one.file == str(migration.path)]
        if migration.entry.phase == "post":
            about = [one for one in about if one.rule not in _FOR_POST]
        about += _own(migration)
        for script in _scripts(migration):
            found += _accepted(script, [one for one in about if one.file == str(script.path)])
    return sorted(found, key=lambda one: (one.file, one.line, one.rule))


def _scripts(migration: Migration) -> Iterator[Script]:
    return filter(None, (migration.up(), migration.way_back(), migration.check()))


def _own(migration: Migration) -> Iterator[Finding]:
    for script in _scripts(migration):
        for number, rule, what, fix in broken(split(script.text)):
            yield Finding(str(script.path), number, rule, what, fix)
        try:
            script.runnable()
        except CbctlError as error:
            line = error.where.rpartition(":")[2]
            what = error.what.partition(script.path.name)[2].strip()
            yield Finding(str(script.path), int(line), "runnable", what, error.fix)
    statements = split(migration.script)
    alone = not migration.entry.transactional
    if alone and len(statements) == 1 and not needs_no_transaction(statements[0]):
        yield Finding(
            str(migration.path),
            1,
            "needless-header",
            "transaction=none, and the statement can run in a transaction",
            "remove it: in a transaction an interrupted migration leaves nothing",
        )
    if migration.entry.phase == "pre":
        yield from _destructive(migration.path, statements)


def _destructive(path: Path, statements: Sequence[Statement]) -> Iterator[Finding]:
    """What the code before, which runs on while and after `pre` runs, would fail on."""
    made: set[str] = set()
    for statement in statements:
        words = _TEXT.sub("''", statement.words)
        if created := _CREATED.match(words):
            made.add(created["name"].lower())
            continue
        changed = _CHANGED.match(words)
        if changed and changed["name"].lower() in made:
            continue
        for what in _what_it_does(words):
            yield Finding(
                str(path),
                statement.line,
                "destructive-in-pre",
                f"{what} in the phase pre, while the code before still runs",
                "put it into a migration with phase=post",
            )


def _what_it_does(words: str) -> Iterator[str]:
    for pattern, what in _DESTRUCTIVE:
        if re.match(pattern, words, re.IGNORECASE | re.DOTALL):
            yield what
    table = re.match(rf"ALTER TABLE (IF EXISTS )?(ONLY )?{_NAME} ", words, re.IGNORECASE)
    for action in _parts(words[table.end() :]) if table else ():
        for pattern, what in _DESTRUCTIVE_ACTIONS:
            if re.match(pattern, action, re.IGNORECASE | re.DOTALL):
                yield what


def _parts(actions: str) -> list[str]:
    """At the commas outside of brackets."""
    depth, parts = 0, [""]
    for letter in actions:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _accepted(script: Script, findings: Sequence[Finding]) -> Iterator[Finding]:
    """What no exception in the file accepts, and exceptions that are none."""
    path, text = str(script.path), script.text
    exceptions: list[_Exception] = []
    statements = split(text)
    for comment in _ALLOW.finditer(text):
        line = text.count("\n", 0, comment.start()) + 1
        said = _ALLOWED.fullmatch(comment["rest"].strip())
        about = next((one for one in statements if one.start > comment.start()), None)
        if said is None or about is None:
            yield Finding(
                path,
                line,
                "exception",
                "is no exception: rule and reason are needed, before a statement",
                "write `-- cbctl-lint: allow RULE: why it is right here`",
            )
            continue
        last = about.line + text.count("\n", about.start, about.end)
        exceptions.append(_Exception(line, said["rule"], about.line, last))
    for comment in _SQUAWK_IGNORE.finditer(text):
        yield Finding(
            path,
            text.count("\n", 0, comment.start()) + 1,
            "exception",
            "squawk-ignore gives no reason",
            "write `-- cbctl-lint: allow RULE: why it is right here`",
        )
    for finding in findings:
        for one in exceptions:
            if one.rule == finding.rule and one.first <= finding.line <= one.last:
                one.used = True
                break
        else:
            yield finding
    for one in exceptions:
        if not one.used:
            yield Finding(
                path,
                one.line,
                "exception",
                f"nothing here breaks {one.rule}",
                "remove the exception",
            )


def _ask(squawk: Path, files: Sequence[Path]) -> list[Finding]:
    command = [str(squawk), "--reporter", "json", "--pg-version", _OLDEST]
    command += ["--exclude", ",".join(_SERVED), "--", *map(str, files)]
    try:
        done = subprocess.run(
            command,
            cwd=files[0].parent,  # where its own settings are looked for, and upwards
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        told: list[dict[str, Any]] = json.loads(done.stdout)
        return [
            Finding(
                str(one["file"]),
                int(one["line"]) + 1,
                str(one["rule_name"]),
                str(one["message"]),
                str(one["help"] or ""),
            )
            for one in told
        ]
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError, TypeError) as error:
        raise CbctlError(
            f"squawk does not answer as it should ({type(error).__name__})",
            where=str(squawk),
            fix="pip install 'cbctl[lint]' brings the version that cbctl knows",
        ) from None
