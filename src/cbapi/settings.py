"""Everything that cbapi is told, from environment variables only.

| variable | default | |
|---|---|---|
| HOST | 127.0.0.1 | IP address to listen on |
| PORT | 3000 | |
| DATABASE_URL | required | postgresql://…, see `cbapi.urls` |
| REDIS_URL | required | redis://, rediss:// (TLS) or unix:// |
| SOLANA_RPC_URL | required | http:// or https:// |
| PROGRAM_ID | required | base58 |
| LOG_LEVEL | info | debug, info, warning, error |
| CBAPI_VERSION | this package's | shown by /health and in every answer |
| DRAIN_SECONDS | 0 | how long after SIGTERM new connections are still answered |

`NAME_FILE` gives a file to read NAME from (a mounted secret); its last newline is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import TypeVar

from cbapi import __version__
from cbapi.urls import PostgresUrl, RedisUrl, RpcUrl, Unreadable

T = TypeVar("T")

LOG_LEVELS = ("debug", "info", "warning", "error")
_BASE58 = re.compile(r"[1-9A-HJ-NP-Za-km-z]{32,44}")


class InvalidSettings(Exception):
    """One line that names each variable, what was wrong and what is expected; never a value."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("invalid settings: " + "; ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Settings:
    database: PostgresUrl
    redis: RedisUrl
    rpc: RpcUrl
    program_id: str
    host: str = "127.0.0.1"
    port: int = 3000
    log_level: str = "info"
    version: str = __version__
    drain_seconds: float = 0.0
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What must never be printed: the raw URLs and the passwords in them."""


def load(environ: Mapping[str, str]) -> Settings:
    """The settings, or InvalidSettings with every problem at once."""
    reader = _Reader(environ)
    database = reader.read("DATABASE_URL", PostgresUrl.parse)
    redis = reader.read("REDIS_URL", RedisUrl.parse)
    rpc = reader.read("SOLANA_RPC_URL", RpcUrl.parse)
    program_id = reader.read("PROGRAM_ID", _program_id)
    host = reader.read("HOST", _host, "127.0.0.1")
    port = reader.read("PORT", _port, "3000")
    log_level = reader.read("LOG_LEVEL", _log_level, "info")
    version = reader.read("CBAPI_VERSION", _version, __version__)
    drain = reader.read("DRAIN_SECONDS", _seconds, "0")
    if (
        database is None
        or redis is None
        or rpc is None
        or program_id is None
        or host is None
        or port is None
        or log_level is None
        or version is None
        or drain is None
    ):
        raise InvalidSettings(reader.problems)
    raw = [reader.raw[name] for name in ("DATABASE_URL", "REDIS_URL", "SOLANA_RPC_URL")]
    secrets = (*raw, database.password, redis.password, rpc.target)
    return Settings(
        database=database,
        redis=redis,
        rpc=rpc,
        program_id=program_id,
        host=host,
        port=port,
        log_level=log_level,
        version=version,
        drain_seconds=drain,
        # Very short strings would blank half of every log line.
        secrets=tuple(secret for secret in secrets if len(secret) >= 4),
    )


class _Reader:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []
        self.raw: dict[str, str] = {}

    def read(self, name: str, parse: Callable[[str], T], default: str | None = None) -> T | None:
        text = self._text(name)
        if text is None:
            return None
        text = text or default or ""
        self.raw[name] = text
        try:
            if not text:
                raise Unreadable("not set", _EXPECTED[name])
            return parse(text)
        except Unreadable as error:
            self.problems.append(f"{name}: {error.problem}, expected {error.expected}")
            return None

    def _text(self, name: str) -> str | None:
        """The value, "" when it is not set, None when that is a problem already noted."""
        value = self._environ.get(name, "")
        path = self._environ.get(f"{name}_FILE", "")
        if not path:
            return value
        if value:
            self.problems.append(f"{name}: both {name} and {name}_FILE are set, expected one")
            return None
        try:
            value = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "not a text file"
            self.problems.append(
                f"{name}_FILE: cannot be read ({why}), expected the path of a file with {name}"
            )
            return None
        if not value:
            self.problems.append(f"{name}_FILE: the file is empty, expected {_EXPECTED[name]}")
            return None
        return value


def _program_id(text: str) -> str:
    if not _BASE58.fullmatch(text):
        raise Unreadable("not a Solana address", _EXPECTED["PROGRAM_ID"])
    # solders is imported here so that every other mistake is reported without it.
    from solders.pubkey import Pubkey

    try:
        return str(Pubkey.from_string(text))
    except ValueError:
        raise Unreadable("not a Solana address", _EXPECTED["PROGRAM_ID"]) from None


def _host(text: str) -> str:
    # No names: the server takes none, and localhost means two addresses on many machines.
    try:
        return str(ip_address(text))
    except ValueError:
        raise Unreadable("not an IP address", _EXPECTED["HOST"]) from None


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise Unreadable("not a port", _EXPECTED["PORT"])
    return int(text)


def _log_level(text: str) -> str:
    if text.lower() not in LOG_LEVELS:
        raise Unreadable("not a level", _EXPECTED["LOG_LEVEL"])
    return text.lower()


def _version(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.+_:@/-]{1,128}", text):
        raise Unreadable("not a version", _EXPECTED["CBAPI_VERSION"])
    return text


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3})?", text) or float(text) > 300:
        raise Unreadable("not a number of seconds", _EXPECTED["DRAIN_SECONDS"])
    return float(text)


_EXPECTED = {
    "DATABASE_URL": PostgresUrl.EXPECTED,
    "REDIS_URL": RedisUrl.EXPECTED,
    "SOLANA_RPC_URL": RpcUrl.EXPECTED,
    "PROGRAM_ID": "the program's address in base58, 32 to 44 characters",
    "HOST": "the IP address to listen on, such as 127.0.0.1, 0.0.0.0 or ::",
    "PORT": "a number from 1 to 65535",
    "LOG_LEVEL": "one of " + ", ".join(LOG_LEVELS),
    "CBAPI_VERSION": "up to 128 letters, digits and .+_:@/-",
    "DRAIN_SECONDS": "a number from 0 to 300",
}
