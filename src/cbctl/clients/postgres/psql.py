"""psql, told by variables where to connect: a password has no place among its words.

Nor in a file, which would stay when psql is killed. Its environment is read by the same user and
the superuser alone, and both could read its memory too.

Source: PostgreSQL documentation, libpq, "Environment Variables".
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from cbctl.clients.postgres.address import Address
from cbctl.clients.postgres.connect import CONNECT_SECONDS, parameters
from cbctl.errors import CbctlError, Exit

_VARIABLES = {
    "channel_binding": "PGCHANNELBINDING",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "dbname": "PGDATABASE",
    "gssencmode": "PGGSSENCMODE",
    "host": "PGHOST",
    "options": "PGOPTIONS",
    "passfile": "PGPASSFILE",
    "password": "PGPASSWORD",
    "port": "PGPORT",
    "require_auth": "PGREQUIREAUTH",
    "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
    "sslcert": "PGSSLCERT",
    "sslcrl": "PGSSLCRL",
    "sslkey": "PGSSLKEY",
    "sslmode": "PGSSLMODE",
    "sslnegotiation": "PGSSLNEGOTIATION",
    "sslrootcert": "PGSSLROOTCERT",
    "sslsni": "PGSSLSNI",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "user": "PGUSER",
}
_READ_ONLY = "-c default_transaction_read_only=on"


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


def variables(
    address: Address, who: str, environ: Mapping[str, str], *, read_only: bool
) -> dict[str, str]:
    """What psql gets: none of the shell's own PG… variables, which would lead elsewhere.

    who        names the session for others who look
    read_only  it begins so; whoever means it can change that"""
    found = {name: value for name, value in environ.items() if not name.startswith("PG")}
    given = parameters(address, CONNECT_SECONDS)
    if read_only:
        given["options"] = f"{given['options']} {_READ_ONLY}".strip()
    for name, variable in _VARIABLES.items():
        if value := given.get(name):
            found[variable] = str(value)
    return found | {"PGAPPNAME": f"cbctl shell of {who}"[:63]}
