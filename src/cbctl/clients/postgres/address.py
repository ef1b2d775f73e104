"""A database URL, checked before any library sees it: libraries quote what they cannot parse."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NoReturn, Protocol

from cbctl.config.reference import Secret
from cbctl.config.urls import at, is_loopback_host
from cbctl.errors import CbctlError, Exit

FORM: Final = "postgresql://user:password@host:5432/database?sslmode=verify-full"

SSL_MODES: Final = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})
OPTIONS: Final = frozenset(
    {
        "application_name",
        "channel_binding",
        "connect_timeout",
        "gssencmode",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "options",
        "require_auth",
        "ssl_min_protocol_version",
        "sslcert",
        "sslcrl",
        "sslkey",
        "sslmode",
        "sslnegotiation",
        "sslrootcert",
        "sslsni",
        "target_session_attrs",
        "tcp_user_timeout",
    }
)

# With these libpq would connect to somewhere else than the URL's host says.
_DETOURS: Final = frozenset({"host", "hostaddr", "port", "service", "servicefile"})
_NO_SOCKETS: Final = "a Unix socket cannot be used, only TCP, for example 127.0.0.1"

_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.])?")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class Wrong(Protocol):
    """The function that refuses the URL."""

    def __call__(self, what: str) -> NoReturn: ...


@dataclass(frozen=True)
class Address:
    """Where a database is and as whom. Prints without the password."""

    host: str
    port: int
    database: str
    user: str
    password: Secret
    options: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"database {self.database} on {at(self.host, self.port)} as {self.user}"

    def option(self, name: str) -> str | None:
        return dict(self.options).get(name)

    @property
    def loopback(self) -> bool:
        return is_loopback_host(self.host)


def parse(url: str | Secret, *, where: str = "") -> Address:
    """The parts of a `postgresql://` URL.

    where  the setting that holds the URL, for messages
    Raises CbctlError (64). Its message names the part that is wrong and quotes nothing: in a
    malformed URL nobody knows which piece belongs to the password.
    """
    text = url.reveal() if isinstance(url, Secret) else url

    def wrong(what: str) -> NoReturn:
        raise CbctlError(
            f"the database URL {what}",
            where=where,
            fix=f"write it as {FORM}; in user, password and database every character other than "
            "A-Z a-z 0-9 . _ ~ - is percent-encoded",
            exit=Exit.USAGE,
        )

    def decoded(part: str, name: str) -> str:
        if _BAD_ESCAPE.search(part):
            wrong(f"has a % in the {name} that is not followed by two hexadecimal digits")
        from urllib.parse import unquote_to_bytes

        # Not caught as an exception: that would carry the bytes in the new error's context.
        value = unquote_to_bytes(part).decode(errors="replace")
        if "\ufffd" in value:
            wrong(f"has a percent-encoded byte in the {name} that is not UTF-8")
        if any(ord(letter) < 32 or ord(letter) == 127 for letter in value):
            wrong(f"has a control character in the {name}")
        return value

    if not text:
        wrong("is empty")
    if any(not 32 < ord(letter) < 127 for letter in text):
        wrong("holds a space, a line break or a letter that must be percent-encoded")
    scheme, found, rest = text.partition("://")
    if not found or scheme not in ("postgresql", "postgres"):
        wrong("does not begin with postgresql://")
    if "#" in rest:
        wrong("holds a # that is not percent-encoded")
    if "\\" in rest:
        wrong("holds a backslash that is not percent-encoded")
    location, _, query = rest.partition("?")
    authority, _, path = location.partition("/")
    if "@" in path or "@" in query or authority.count("@") > 1:
        wrong("holds an @, / or ? in user or password that is not percent-encoded")
    who, _, host_and_port = authority.rpartition("@")
    host, port = _host_and_port(host_and_port, wrong)
    user, _, password = who.partition(":")
    if not user:
        wrong("names no user")
    if not path:
        wrong("names no database")
    if "/" in path:
        wrong("has more than one / after the host")
    return Address(
        host=host,
        port=port,
        database=decoded(path, "database"),
        user=decoded(user, "user"),
        password=Secret(decoded(password, "password")),
        options=tuple((name, decoded(value, "options")) for name, value in _options(query, wrong)),
    )


def _host_and_port(text: str, wrong: Wrong) -> tuple[str, int]:
    if text.startswith("["):
        host, closed, port = text[1:].partition("]")
        if not closed or (port and not port.startswith(":")):
            wrong("has a [ in the host without its ]")
        if not _is_ipv6(host):
            wrong("has a host in [ ] that is not an IPv6 address")
        port = port[1:] if port else "5432"
    else:
        if "," in text:
            wrong("names more than one host; cbctl changes exactly one")
        host, colon, port = text.partition(":")
        if not host:
            wrong(f"names no host before the database; {_NO_SOCKETS}")
        if not _HOST.fullmatch(host):
            wrong(f"has a host that is neither a name nor an address; {_NO_SOCKETS}")
        port = port if colon else "5432"
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        wrong("has a port that is not a number from 1 to 65535")
    return host, int(port)


def _is_ipv6(text: str) -> bool:
    from ipaddress import AddressValueError, IPv6Address

    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return True


def _options(query: str, wrong: Wrong) -> list[tuple[str, str]]:
    """Pairs after the `?`; values still percent-encoded."""
    found: dict[str, str] = {}
    for part in query.split("&") if query else []:
        name, equals, value = part.partition("=")
        if name in _DETOURS:
            wrong(f"gives {name} after the ?; host and port stand before the database")
        if not equals or name not in OPTIONS:
            wrong(f"has an option after ? that is none of {', '.join(sorted(OPTIONS))}")
        if name in found:
            wrong(f"gives the option {name} twice")
        if name == "sslmode" and value not in SSL_MODES:
            wrong(f"has an sslmode that is none of {', '.join(sorted(SSL_MODES))}")
        if name == "connect_timeout" and not (
            re.fullmatch(r"[0-9]{1,3}", value) and 0 < int(value) <= 600
        ):
            wrong("has a connect_timeout that is not a number of seconds from 1 to 600")
        found[name] = value
    return list(found.items())
