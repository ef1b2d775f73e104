"""psql, for a person."""

from __future__ import annotations

import getopt
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from cbctl.clients.postgres.address import Address
from cbctl.clients.postgres.tools import Work, login
from cbctl.errors import CbctlError, Exit

_READ_ONLY = "-c default_transaction_read_only=on"
# Source: PostgreSQL documentation, psql
_SHORT = "aAbc:d:eEf:F:h:HlL:no:p:P:qR:sStT:U:v:VwWxXz0?1"
_LONG = [
    *("echo-all", "no-align", "echo-errors", "command=", "csv", "dbname=", "echo-queries"),
    *("echo-hidden", "file=", "field-separator=", "host=", "html", "list", "log-file="),
    *("no-readline", "output=", "port=", "pset=", "quiet", "record-separator=", "single-step"),
    *("single-line", "tuples-only", "table-attr=", "username=", "set=", "variable=", "version"),
    *("no-password", "password", "expanded", "no-psqlrc", "field-separator-zero"),
    *("record-separator-zero", "single-transaction", "help="),
]
_PLACES = frozenset({"-d", "-h", "-p", "-U", "--dbname", "--host", "--port", "--username"})
_OF_THE_TERMINAL = (
    "TERM",
    "COLORTERM",
    "HOME",
    "USER",
    "LANG",
    "LC_ALL",
    "PAGER",
    "LESS",
    "EDITOR",
)
"""All that it gets of our own variables: among the others may be secrets."""


def program(beside: list[Path]) -> str:
    """psql of PATH, or beside other programs of Postgres. Raises CbctlError (7) without one."""
    found = [shutil.which("psql"), *(str(path.with_name("psql")) for path in beside)]
    for one in found:
        if one and os.access(one, os.X_OK):
            return one
    raise CbctlError(
        "there is no psql on this machine",
        exit=Exit.REFUSED,
        fix="install the client programs of Postgres (Debian: apt-get install postgresql-client)",
    )


def require_no_place(words: Sequence[str]) -> None:
    """Raises CbctlError (64) where they say what to connect to: the environment says that."""
    try:
        options, others = getopt.gnu_getopt(list(words), _SHORT, _LONG)
    except getopt.GetoptError as error:
        raise CbctlError(f"psql: {error}", exit=Exit.USAGE, fix="psql --help") from None
    said = [name for name, _ in options if name in _PLACES] + others
    if said:
        raise CbctlError(
            f"{said[0]}: to what psql connects is up to the environment",
            exit=Exit.USAGE,
            fix="leave it out; \\connect DATABASE goes to another database of the same server",
        )


def run(
    psql: str, words: Sequence[str], address: Address, work: Work, who: str, *, read_only: bool
) -> int:
    """Its exit code.

    who        names the session for others who look
    read_only  it begins so; whoever means it can change that"""
    with login(address, work) as given:
        options = given.get("PGOPTIONS", "")
        own = {name: os.environ[name] for name in _OF_THE_TERMINAL if name in os.environ}
        environment = {**given, **own, "PGAPPNAME": f"cbctl shell of {who}"[:63]}
        if read_only:
            environment["PGOPTIONS"] = f"{options} {_READ_ONLY}".strip()
        # Ctrl-C is for psql, which gives up a statement by it; a handler is not handed on to it
        before = signal.signal(signal.SIGINT, lambda *_: None)
        try:
            return subprocess.run([psql, *words], env=environment, check=False).returncode
        finally:
            signal.signal(signal.SIGINT, before)
