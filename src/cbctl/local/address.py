"""URLs of databases and caches that a person gave: taken apart without ever being quoted."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from cbctl.errors import CbctlError, Exit

# Parameters with which libpq would connect to somewhere else than the URL's host says.
_DETOURS = {"host", "hostaddr", "port", "service", "servicefile"}


@dataclass(frozen=True)
class Address:
    """`shown` is all that may be printed."""

    scheme: str
    host: str
    port: int
    user: str
    password: str
    database: str

    @property
    def shown(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    def __repr__(self) -> str:
        return f"Address({self.shown})"


def parse(
    url: str, setting: str, *, schemes: tuple[str, ...], port: int, allow_remote: bool = False
) -> Address:
    """The parts of a URL; `setting` names it in errors, `port` is the scheme's usual one.

    Errors: Exit.USAGE when it is malformed, Exit.REFUSED when it leads to another machine and
    `allow_remote` is not set.
    """
    try:
        parts = urlsplit(url)
        found, host = parts.port or port, parts.hostname or ""
    except ValueError:
        raise _malformed(setting, "the host or port in it is not well-formed") from None
    if parts.scheme not in schemes:
        raise _malformed(setting, f"it must start with {schemes[0]}://")
    if not host or "," in parts.netloc:
        raise _malformed(setting, "it must name one host")
    if _DETOURS & {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}:
        raise _malformed(setting, "host and port must stand before the path, not as parameters")
    if not allow_remote and not is_loopback(host):
        raise CbctlError(
            f"{setting} leads to another machine ({host}), and this environment is local",
            exit=Exit.REFUSED,
            where=setting,
            fix=f"use 127.0.0.1, remove {setting} to have one started here, or set"
            " allow_remote: true beside it in cbctl.yaml",
        )
    return Address(
        scheme=parts.scheme,
        host=host,
        port=found,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=unquote(parts.path.lstrip("/")),
    )


def is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a name can lead anywhere


def _malformed(setting: str, why: str) -> CbctlError:
    return CbctlError(f"{setting} cannot be used: {why}", exit=Exit.USAGE, where=setting)
