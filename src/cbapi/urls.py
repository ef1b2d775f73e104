"""URLs of the three systems that cbapi talks to, read by us.

The libraries' own parsers quote the parts that they cannot read, the password among them. Here no
message ever holds a piece of the URL.

TLS: a URL that asks for it is verified, certificate and host name, always. There is no way to ask
for encryption without verification. A URL that does not ask gets none (logged when the host is
another machine).
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import ClassVar
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

_METHODS = ("scram-sha-256", "md5", "password", "none")
_ENCODE = "special characters in user and password percent-encoded"


class Unreadable(Exception):
    """`problem` says what is wrong, `expected` what would be right; neither quotes the value."""

    def __init__(self, problem: str, expected: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.expected = expected


@dataclass(frozen=True)
class PostgresUrl:
    EXPECTED: ClassVar[str] = (
        "postgresql://user:password@host:port/database, optionally ?sslmode=verify-full"
        f"&sslrootcert=/path/of/ca.pem&require_auth=scram-sha-256, {_ENCODE}"
    )

    host: str
    port: int
    user: str
    database: str
    tls: bool
    ca: str
    require_auth: str
    """What the server may ask for, in libpq's words; "" leaves it to `storage.postgres`."""
    password: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> PostgresUrl:
        url = _split(text, ("postgresql", "postgres"), cls.EXPECTED)
        options = _options(url, {"sslmode", "sslrootcert", "require_auth"}, cls.EXPECTED)
        mode = options.get("sslmode", "disable")
        if mode not in ("disable", "require", "verify-ca", "verify-full"):
            # allow, prefer: encrypted or not, nobody knows. Neither is offered.
            raise Unreadable("its sslmode is not supported", "sslmode disable or verify-full")
        required = options.get("require_auth", "")
        if required and not set(required.split(",")) <= set(_METHODS):
            raise Unreadable("its require_auth is not supported", " or ".join(_METHODS))
        database = unquote(url.path.removeprefix("/"))
        if not url.username or not database or "/" in database:
            raise Unreadable("no user or no database in it", cls.EXPECTED)
        return cls(
            host=_host(url, cls.EXPECTED),
            port=url.port or 5432,
            user=unquote(url.username),
            password=unquote(url.password or ""),
            database=database,
            tls=mode != "disable",
            ca=options.get("sslrootcert", ""),
            require_auth=required,
        )


@dataclass(frozen=True)
class RedisUrl:
    EXPECTED: ClassVar[str] = (
        "redis://[user]:password@host:port/number or rediss:// for TLS, optionally"
        " ?ssl_ca_certs=/path/of/ca.pem, or unix://[user]:password@/path/of/socket?db=number,"
        f" {_ENCODE}"
    )

    host: str
    port: int
    user: str
    number: int
    tls: bool
    ca: str
    password: str = field(repr=False)
    socket: str = ""
    """Path of a Unix socket; host is then "localhost"."""

    @classmethod
    def parse(cls, text: str) -> RedisUrl:
        url = _split(text, ("redis", "rediss", "unix"), cls.EXPECTED)
        if url.scheme == "unix":
            return cls._of_socket(url)
        options = _options(url, {"ssl_ca_certs"}, cls.EXPECTED)
        number = url.path.strip("/") or "0"
        if not number.isascii() or not number.isdigit() or len(number) > 4:
            raise Unreadable("its database is not a number", cls.EXPECTED)
        return cls(
            host=_host(url, cls.EXPECTED),
            port=url.port or 6379,
            user=unquote(url.username or ""),
            password=unquote(url.password or ""),
            number=int(number),
            tls=url.scheme == "rediss",
            ca=options.get("ssl_ca_certs", ""),
        )

    @classmethod
    def _of_socket(cls, url: SplitResult) -> RedisUrl:
        path, number = unquote(url.path), _options(url, {"db"}, cls.EXPECTED).get("db", "0")
        # An @ in the path would be a password whose / is not percent-encoded.
        if url.netloc.rpartition("@")[2] or "@" in url.path or not path.startswith("/"):
            raise Unreadable("it names no socket", cls.EXPECTED)
        if not number.isascii() or not number.isdigit() or len(number) > 4:
            raise Unreadable("its database is not a number", cls.EXPECTED)
        return cls(
            host="localhost",
            port=0,
            user=unquote(url.username or ""),
            password=unquote(url.password or ""),
            number=int(number),
            tls=False,
            ca="",
            socket=path,
        )


@dataclass(frozen=True)
class RpcUrl:
    EXPECTED: ClassVar[str] = "http://host:port/path or https://…, without user and password"

    host: str
    port: int
    tls: bool
    target: str = field(repr=False)
    """Path and query: providers put the key there, so it is a secret."""

    @classmethod
    def parse(cls, text: str) -> RpcUrl:
        url = _split(text, ("http", "https"), cls.EXPECTED)
        if url.username or url.password:
            raise Unreadable("it has a user or a password", cls.EXPECTED)
        if not text.isascii():
            raise Unreadable("it has characters outside ASCII", cls.EXPECTED)
        tls = url.scheme == "https"
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        port = url.port or (443 if tls else 80)
        return cls(host=_host(url, cls.EXPECTED), port=port, tls=tls, target=target)


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def ca_bundle(ca: str) -> str:
    """The certificates to trust: the URL's file, else SSL_CERT_FILE, else certifi's."""
    import certifi

    return ca or ssl.get_default_verify_paths().cafile or certifi.where()


def _split(text: str, schemes: tuple[str, ...], expected: str) -> SplitResult:
    # urlsplit drops tabs and newlines silently; a secret file with two lines must not pass.
    if any(ch.isspace() or ord(ch) < 32 for ch in text):
        raise Unreadable("it has spaces or line ends", expected)
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise Unreadable("its host or port cannot be read", expected) from None
    if url.scheme not in schemes:
        raise Unreadable("it starts with another scheme", expected)
    if port == 0 or url.fragment:
        raise Unreadable("its host or port cannot be read", expected)
    return url


def _host(url: SplitResult, expected: str) -> str:
    if not url.hostname or "," in url.hostname:
        raise Unreadable("it has not exactly one host", expected)
    return url.hostname


def _options(url: SplitResult, allowed: set[str], expected: str) -> dict[str, str]:
    pairs = parse_qsl(url.query, keep_blank_values=True)
    options = dict(pairs)
    if len(options) != len(pairs) or not options.keys() <= allowed or "" in options.values():
        raise Unreadable("what follows '?' is not understood", expected)
    return options
