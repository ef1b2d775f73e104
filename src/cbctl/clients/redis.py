"""Redis, as little as cbctl needs: is it there, which version, and whose is it.

Spoken over a plain socket with hiredis, the parser of redis-py: importing redis-py takes 0.2-0.3 s
of the time in which `deploy local` has to find that nothing changed, hiredis takes none.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import SplitResult, unquote, urlsplit

from cbctl.config.reference import Secret
from cbctl.config.urls import at
from cbctl.errors import CbctlError, Exit

MARKER: Final = "cbctl:marker"
CONNECT_SECONDS: Final = 5.0

Reply = None | int | str | bytes | list["Reply"]


@dataclass(frozen=True)
class Address:
    """Prints without user and password. path: of a Unix socket, then host is "" and port 0."""

    host: str
    port: int
    database: int
    tls: bool
    user: str
    password: Secret
    path: str = ""

    def __str__(self) -> str:
        return f"Redis at {self.path or at(self.host, self.port)}"

    @property
    def shown(self) -> str:
        """As a URL for people."""
        if self.path:
            return f"unix://{self.path}"
        return f"{'rediss' if self.tls else 'redis'}://{at(self.host, self.port)}"


class CacheDown(CbctlError):
    """Nobody answers there (yet)."""


@dataclass(frozen=True)
class Server:
    """version  as `redis_version` says: Valkey tells the Redis that it is compatible with
    role     "master" or "slave"
    used_memory, max_memory  bytes; max_memory 0 is no limit
    """

    version: str
    role: str
    used_memory: int
    max_memory: int
    keys: int


def parse(url: str | Secret, *, where: str = "") -> Address:
    """`redis://[user:password@]host[:port][/number]`, `rediss://` with TLS,
    `unix://[user:password@]/path/of/socket[?db=number]`.

    Raises CbctlError (64) that quotes nothing of the URL.
    """
    text = url.reveal() if isinstance(url, Secret) else url

    def wrong(what: str) -> CbctlError:
        return CbctlError(
            f"the Redis URL {what}",
            where=where,
            exit=Exit.USAGE,
            fix="write it as redis://user:password@host:6379/0, rediss:// with TLS, or "
            "unix://user:password@/path/of/socket?db=0; characters other than A-Z a-z 0-9 . _ ~ - "
            "in user and password are percent-encoded",
        )

    if any(not 32 < ord(letter) < 127 for letter in text) or "#" in text or "\\" in text:
        raise wrong("is empty or holds a character that must be percent-encoded")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise wrong("has a host or a port that is none") from None
    if parts.scheme == "unix":
        return _parse_socket(text, parts, wrong)
    if parts.scheme not in ("redis", "rediss"):
        raise wrong("does not begin with redis://, rediss:// or unix://")
    if parts.query or "?" in text or parts.netloc.count("@") > 1 or "@" in parts.path:
        raise wrong("has options after ?, or an @, / or ? that is not percent-encoded")
    if not host or not re.fullmatch(r"[A-Za-z0-9_.:-]{1,253}", host) or port == 0:
        raise wrong("names no valid host and port")
    number = parts.path.removeprefix("/")
    if number and not re.fullmatch(r"[0-9]{1,4}", number):
        raise wrong("has something after the host that is not the number of a database")
    password = Secret(unquote(parts.password or ""))
    return Address(
        host=host,
        port=port or 6379,
        database=int(number or "0"),
        tls=parts.scheme == "rediss",
        user=unquote(parts.username or ""),
        password=password,
    )


def _parse_socket(text: str, parts: SplitResult, wrong: Callable[[str], CbctlError]) -> Address:
    path = unquote(parts.path)
    # An @ in the path would be a password whose / is not percent-encoded.
    if (
        parts.netloc.rpartition("@")[2]
        or "@" in parts.path
        or not path.startswith("/")
        or not path.isprintable()
    ):
        raise wrong("names no socket: after unix:// or the @ its absolute path follows")
    found = re.fullmatch(r"(?:db=([0-9]{1,4}))?", parts.query)
    if found is None or ("?" in text and not parts.query):
        raise wrong("has something after ? that is not db=NUMBER")
    return Address(
        host="",
        port=0,
        database=int(found[1] or "0"),
        tls=False,
        user=unquote(parts.username or ""),
        password=Secret(unquote(parts.password or "")),
        path=path,
    )


class Connection:
    """One command after the other. Made by `connect`."""

    def __init__(self, address: Address, stream: socket.socket) -> None:
        import hiredis

        self._address = address
        self._stream = stream
        self._reader = hiredis.Reader(encoding="utf-8", errors="replace")
        self._error = hiredis.ReplyError
        # The stubs know only commands of one word.
        self._pack: Any = hiredis.pack_command

    def command(self, *words: str | int) -> Reply:
        """The reply. Raises CacheDown when the connection breaks, CbctlError on an error reply."""
        try:
            self._stream.sendall(self._pack(words))
            reply = self._reader.gets()
            while reply is False:
                data = self._stream.recv(65536)
                if not data:
                    raise ConnectionResetError("the server closed the connection")
                self._reader.feed(data)
                reply = self._reader.gets()
        except OSError as error:
            raise _down(self._address, error) from None
        if isinstance(reply, self._error):
            raise self._refused(words[0], str(reply))
        return cast(Reply, reply)

    def _refused(self, command: str | int, said: str) -> CbctlError:
        code = said.split(" ", 1)[0]
        if code in ("NOAUTH", "WRONGPASS", "NOPERM") or command == "AUTH":
            return CbctlError(
                f"Redis refuses the login or the command {command} ({code})",
                where=str(self._address),
                exit=Exit.CREDENTIALS,
                fix="check user and password in the Redis URL",
            )
        if code in ("LOADING", "BUSY", "MASTERDOWN", "CLUSTERDOWN"):
            return CacheDown(f"Redis is not ready ({code})", where=str(self._address))
        # Only the code: the rest of a reply may quote what was sent.
        return CbctlError(f"Redis refuses {command} ({code})", where=str(self._address))

    def ping(self) -> None:
        if self.command("PING") != "PONG":
            raise CbctlError("this is not a Redis server", where=str(self._address))

    def info(self) -> Server:
        return _server(str(self.command("INFO")))

    def empty(self) -> bool:
        return self.command("DBSIZE") == 0

    def read_marker(self) -> str | None:
        """`<platform>/<environment>`, or None when there is no marker."""
        found = self.command("GET", MARKER)
        return None if found is None else str(found)

    def write_marker(self, platform: str, environment: str) -> None:
        """Never over another one. Raises CbctlError (7) when there is another."""
        wanted = f"{platform}/{environment}"
        self.command("SET", MARKER, wanted, "NX")
        found = self.read_marker()
        if found != wanted:
            raise CbctlError(
                f"this Redis belongs to {(found or 'nobody')[:100]}, not to {wanted}",
                where=str(self._address),
                exit=Exit.REFUSED,
                fix="check the Redis URL of the environment",
            )


@contextmanager
def connect(
    target: Address | Secret | str, *, seconds: float = CONNECT_SECONDS, where: str = ""
) -> Iterator[Connection]:
    """A session that has logged in and selected its database.

    seconds  limit for connecting and for each command
    Raises CacheDown, or CbctlError: 3 when the login is refused or the certificate is not trusted,
    64 when the URL is malformed.
    """
    address = target if isinstance(target, Address) else parse(target, where=where)
    with _open(address, seconds) as stream:
        connection = Connection(address, stream)
        password = address.password.reveal()
        if password:
            connection.command(
                *(["AUTH", address.user, password] if address.user else ["AUTH", password])
            )
        if address.database:
            connection.command("SELECT", address.database)
        yield connection


def ping(target: Address | Secret | str, *, seconds: float = CONNECT_SECONDS) -> str:
    """The server's version, for example "7.2.4". Raises like `connect`."""
    with connect(target, seconds=seconds) as connection:
        connection.ping()
        return connection.info().version


def _open(address: Address, seconds: float) -> socket.socket:
    try:
        if address.path:
            return _open_socket(address.path, seconds)
        stream = socket.create_connection((address.host, address.port), timeout=seconds)
    except OSError as error:
        raise _down(address, error) from None
    if not address.tls:
        return stream
    import ssl

    try:
        # The certificate and its name are always verified; SSL_CERT_FILE may name an authority.
        return ssl.create_default_context().wrap_socket(stream, server_hostname=address.host)
    except ssl.SSLCertVerificationError as error:
        stream.close()
        raise CbctlError(
            f"the server's certificate is not trusted: {error.verify_message}",
            where=str(address),
            exit=Exit.CREDENTIALS,
            fix="check the host name; SSL_CERT_FILE names the authority that signed it",
        ) from None
    except OSError as error:
        stream.close()
        raise _down(address, error) from None


def _open_socket(path: str, seconds: float) -> socket.socket:
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        stream.settimeout(seconds)
        stream.connect(path)
    except BaseException:
        stream.close()
        raise
    return stream


def _down(address: Address, error: OSError) -> CacheDown:
    why = error.strerror or str(error) or type(error).__name__
    return CacheDown(
        f"cannot reach it: {why}",
        where=str(address),
        fix="check that the server runs and is reachable from here, and its name and port",
    )


def _server(text: str) -> Server:
    values = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    keys = sum(int(count) for count in re.findall(r"^db\d+:keys=(\d+)", text, re.MULTILINE))
    return Server(
        version=values.get("redis_version", ""),
        role=values.get("role", ""),
        used_memory=int(values.get("used_memory", "0")),
        max_memory=int(values.get("maxmemory", "0")),
        keys=keys,
    )
