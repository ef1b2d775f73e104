"""Connections to Postgres whose errors say host, port, database and user, never the password."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from cbctl.clients.postgres.address import Address, parse
from cbctl.config.reference import Secret
from cbctl.errors import CbctlError, Exit

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[Any, ...]]

APPLICATION: Final = "cbctl"
MIGRATING: Final = "cbctl migration"
"""The session in which migrations run, for those who look who waits."""
CONNECT_SECONDS: Final = 5.0
RDS: Final = ".rds.amazonaws.com"
"""What a host's name ends with, for whose certificate rds.pem holds the authorities"""

# What libpq says when a connection fails → (kind, words). A failed login has no SQLSTATE, so the
# text is all there is; libpq's own texts are English, the server's are in every default set-up.
_DOWN: Final = (
    ("starting", r"the database system is (starting up|shutting down|in recovery|not yet acc)"),
    ("no such database", r'database ".*" does not exist'),
    ("no such host", r"failed to resolve host|could not translate host name"),
    ("timeout", r"timeout expired|timed out"),
    (
        "refused",
        r"Connection refused|No route to host|Network is unreachable|Connection reset|"
        r"server closed the connection unexpectedly",
    ),
)
_DENIED: Final = (
    r"authentication failed|no pg_hba\.conf entry|no password supplied|is not permitted to log in|"
    r'role ".*" does not exist|permission denied|requires? a valid client certificate'
)


# libpq ends the login before it sends anything when the server asks for less than was required.
_WEAKER: Final = r'authentication method requirement "[^"]*" failed'


_AUTHORITY: Final = (
    "sslrootcert=FILE in the URL names the authority that signed the server's certificate (RDS' "
    "came with cbctl, but not of regions that opened since September 2024)"
)
_UNPROVED: Final = (
    (r'root certificate file "([^"]*)" does not exist', "there is no file {}", _AUTHORITY),
    (
        r'could not read root certificate file "([^"]*)"',
        "the file {} is no certificate",
        _AUTHORITY,
    ),
    (
        r'server certificate for "([^"]*)"[^\n]* does not match host name "([^"]*)"',
        "its certificate is for {}, not for {}",
        "connect to the name in the certificate, or to the right server",
    ),
    (
        r"certificate verify failed|certificate has expired|unable to get local issuer",
        "its certificate is of another authority, or over",
        f"check the certificate on the server; {_AUTHORITY}",
    ),
    (
        r"server does not support SSL",
        "it does not speak TLS",
        "let the server use TLS, or check that it is the right one",
    ),
)
"""What libpq says of TLS → our words, and what to do."""


_ENDED: Final = ("57P", "08")
"""SQLSTATE classes: the server ends or ended the session, the connection failed."""
_ABOUT_DATA: Final = "22"
"""SQLSTATE class: a value is not what it should be."""
_QUOTED: Final = '["\u201e\u201c\u201d\u00ab\u00bb].*["\u201c\u201d\u00ab\u00bb]'
"""From the first quotation mark to the last, of any language: a value may hold some itself."""


class DatabaseDown(CbctlError):
    """Nobody answers there (yet).

    kind  "refused", "timeout", "no such host", "no such database" or "starting"
    """

    def __init__(self, what: str, *, kind: str, where: str, fix: str) -> None:
        super().__init__(what, where=where, fix=fix, exit=Exit.FAILED)
        self.kind = kind


def connect(
    target: Address | Secret | str,
    *,
    seconds: float = CONNECT_SECONDS,
    where: str = "",
    application: str = APPLICATION,
) -> Connection:
    """A connection in autocommit mode.

    seconds      limit for connecting, over all addresses of the host name
    where        the setting that holds the URL, for messages about its form
    application  what others see it as
    Raises DatabaseDown, or CbctlError: 3 when the login is refused, 64 when the URL is malformed.
    """
    address = target if isinstance(target, Address) else parse(target, where=where)
    import psycopg

    for name in ("PGSERVICE", "PGSERVICEFILE"):  # no parameter says that there is no service
        os.environ.pop(name, None)
    try:
        given = parameters(address, seconds) | {"application_name": application}
        connection = psycopg.connect(autocommit=True, prepare_threshold=None, **given)
    except psycopg.Error as error:
        # `from None`: the chain would lead to libpq's own text and to the parameters.
        raise _failed(address, scrub(str(error), address)) from None
    return connection


def parameters(address: Address, seconds: float) -> dict[str, Any]:
    chosen: dict[str, Any] = {
        # A dead network must not hold a run for ever.
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
        "connect_timeout": max(1, round(seconds)),
        # Given, so that neither the shell's PG* variables nor ~/.pgpass lead elsewhere.
        "sslrootcert": str(Path("~/.postgresql/root.crt").expanduser()),
        "hostaddr": "",
        "options": "",
        "target_session_attrs": "any",
        "passfile": os.path.join(os.devnull, "none"),  # noqa: PTH118 - a path that cannot exist
        # A URL that says nothing is verified, except on this machine itself.
        "sslmode": "prefer" if address.loopback else "verify-full",
    }
    if address.host.lower().rstrip(".").endswith(RDS):
        mode = address.option("sslmode") or "verify-full"
        if mode.startswith("verify-"):
            chosen["sslrootcert"] = str(Path(__file__).with_name("rds.pem"))
    chosen |= dict(address.options)
    if "require_auth" not in chosen and _doubtful(address, chosen["sslmode"]):
        chosen["require_auth"] = "scram-sha-256"
    chosen |= {
        "host": address.host,
        "port": address.port,
        "dbname": address.database,
        "user": address.user,
        "password": address.password.reveal(),
        "application_name": APPLICATION,
    }
    return chosen


def _doubtful(address: Address, sslmode: str) -> bool:
    """Whether the server could be a stranger to whom a password would be given away.

    One that nobody has vouched for may be whoever took the port while the real one was down, and
    libpq hands it the password in clear when it asks so. SCRAM shows it nothing. Without a
    password there is nothing to show, and a server that trusts everybody stays reachable.
    """
    unproven = address.loopback or sslmode != "verify-full"
    return unproven and bool(address.password.reveal())


def _failed(address: Address, text: str) -> CbctlError:
    if re.search(_WEAKER, text):
        return CbctlError(
            f"the login is broken off, no password was sent: {_last_line(text)}",
            where=str(address),
            exit=Exit.CREDENTIALS,
            fix="check that this is the right server; if it is, let it use SCRAM "
            "(password_encryption = scram-sha-256 and a newly set password), or say in the URL "
            "what it may ask for, such as require_auth=md5",
        )
    for kind, pattern in _DOWN:
        if re.search(pattern, text):
            return DatabaseDown(
                f"cannot connect: {kind}",
                kind=kind,
                where=str(address),
                fix="check that the server runs and is reachable from here, and its name and port",
            )
    if re.search(_DENIED, text):
        return CbctlError(
            f"the login is refused: {_last_line(text)}",
            where=str(address),
            exit=Exit.CREDENTIALS,
            fix="check user and password in the URL, and pg_hba.conf on the server",
        )
    mode = parameters(address, CONNECT_SECONDS)["sslmode"]
    for pattern, words, fix in _UNPROVED:
        if found := re.search(pattern, text):
            what = words.format(*found.groups())
            return CbctlError(
                f"it is not proved who the server is: {what}; no password was sent",
                where=str(address),
                exit=Exit.REFUSED,
                fix=f"{fix} (sslmode={mode})",
            )
    fix = "see the server's log for the reason"
    if re.search(r"SSL|certificate|sslrootcert", text):
        fix = f"the connection is made with sslmode={mode}; {_AUTHORITY}"
    return CbctlError(f"cannot connect: {_last_line(text)}", where=str(address), fix=fix)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines[-1] if lines else "no reason given")[:300]


def scrub(text: str, address: Address) -> str:
    """`text` with the password replaced, plain and percent-encoded."""
    password = address.password.reveal()
    for form in {password, quote(password), quote(password, safe="")} - {""}:
        text = text.replace(form, "***")
    return text


def explain(error: psycopg.Error, address: Address | None = None) -> str:
    """What the server says about a failed statement, in one line with its SQLSTATE.

    address  whose password it could have, if it has one

    Rows may be about people: without DETAIL and CONTEXT, which quote them, and of errors in data
    without what is quoted.
    """
    said = error.diag.message_primary or _last_line(str(error))
    state = f" ({error.sqlstate})" if error.sqlstate else ""
    if error.sqlstate and error.sqlstate.startswith(_ABOUT_DATA):
        said = re.sub(_QUOTED, "***", said, flags=re.DOTALL)
    hint = f"; {error.diag.message_hint}" if error.diag.message_hint else ""
    text = f"{said}{state}{hint}"
    return scrub(text, address) if address else text


def failed(error: psycopg.Error, address: Address, doing: str) -> CbctlError:
    """The error that a user sees when a statement of ours fails."""
    denied = error.sqlstate == "42501"
    return CbctlError(
        f"{doing}: {explain(error, address)}",
        where=str(address),
        exit=Exit.CREDENTIALS if denied else Exit.FAILED,
        fix="use the role that owns the schema" if denied else "",
    )


@contextmanager
def told_when_lost(address: Address) -> Iterator[None]:
    """A connection that breaks ends in a CbctlError, not in the driver's own words."""
    import psycopg

    try:
        yield
    except psycopg.OperationalError as error:
        if error.sqlstate is not None and not error.sqlstate.startswith(_ENDED):
            raise  # the server's answer to a statement
        reason = f"server: {error.sqlstate}" if error.sqlstate else "network"
        raise CbctlError(
            f"the connection to the database broke ({reason}); what was not finished is undone by "
            "the server",
            where=str(address),
            fix="run it again: it continues where this run stopped",
        ) from None


def ping(target: Address | Secret | str, *, seconds: float = CONNECT_SECONDS) -> str:
    """The server's version, for example "15.14". Raises like `connect`."""
    address = target if isinstance(target, Address) else parse(target)
    import psycopg

    with connect(address, seconds=seconds) as connection:
        try:
            row = connection.execute(
                "select pg_catalog.current_setting('server_version')"
            ).fetchone()
        except psycopg.Error as error:
            raise failed(error, address, "cannot ask for the version") from None
    return str(row[0]).split()[0] if row else ""
