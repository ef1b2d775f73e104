"""What a URL says about itself (where it leads, whether a password is in it), and paths in the
home folder. No network."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

_PASSWORDS = (
    "password",
    "passwd",
    "secret",
    "token",
    "api_key",
    "api-key",
    "apikey",
    "sslpassword",
)


def is_url(url: str, *schemes: str) -> bool:
    """Whether the text is a URL of one of these schemes, with a host and a sensible port."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises when it is no number
    except ValueError:
        return False
    return parts.scheme in schemes and bool(parts.hostname)


def is_loopback(url: str) -> bool:
    """Whether every host of the URL is this machine. A name other than localhost is not: what
    it resolves to may change between this check and the connection."""
    try:
        parts = urlsplit(url)
        if parts.scheme == "unix":  # a socket, whose path follows at once
            return not parts.netloc.rpartition("@")[2] and parts.path.startswith("/")
        hosts = unquote(parts.netloc.rpartition("@")[2]).split(",")
        # libpq takes its host from the query too, and several hosts separated by commas.
        for name, value in parse_qsl(parts.query):
            if name == "service":
                return False  # names a file that may name any host
            if name in ("host", "hostaddr"):
                hosts.extend(value.split(","))
        return all(_leads_here(host) for host in hosts if host) and any(hosts)
    except ValueError:
        return False


def is_loopback_host(name: str) -> bool:
    """The same for a host alone, without port and brackets."""
    try:
        return name.lower() == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


def at(host: str, port: int) -> str:
    """`host:port`, as a URL writes it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _leads_here(host: str) -> bool:
    if host.startswith("/"):
        return True  # folder of a Unix socket
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return is_loopback_host(name)


def has_password(url: str) -> bool:
    """Whether a text is a URL with a password or key in it."""
    if "://" not in url:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return True  # cannot be judged, so it is not shown
    user = parts.netloc.rpartition("@")[0]
    if ":" in user and user.partition(":")[2]:
        return True
    return any(name.lower() in _PASSWORDS for name, _ in parse_qsl(parts.query))


def expanded(path: str) -> Path:
    """The path with a leading `~/` replaced by the home folder; `~other` is left as it is."""
    if not path.startswith("~/"):
        return Path(path)
    try:
        return Path.home() / path[2:]
    except RuntimeError:  # a user without a home folder
        return Path(path)
