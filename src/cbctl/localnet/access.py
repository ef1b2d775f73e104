"""Who may speak to the two ports: programs of this machine, and no web page that was not invited.

A browser sends requests for any page to any address. Two of its headers tell them apart: Host, the
name that the page was told (somebody's DNS may point it at 127.0.0.1: DNS rebinding), and Origin,
the page that asks.
"""

from __future__ import annotations

import functools
import re
from ipaddress import ip_address
from typing import NamedTuple

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#@\\]+")
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")

# How long a browser may remember the answer to its question before a request.
_PREFLIGHT_SECONDS = "600"


def parse_origin(text: str) -> str:
    """An origin as browsers send it; ValueError for anything else."""
    origin = text.lower()
    if not _ORIGIN.fullmatch(origin):
        raise ValueError(f"{text!r} is no origin such as http://localhost:3000 (no path, no slash)")
    return origin


def parse_name(text: str) -> str:
    """A host's name without a port; ValueError for anything else."""
    name = text.lower()
    if not _NAME.fullmatch(name):
        raise ValueError(f"{text!r} is no name of a host")
    return name


class Access(NamedTuple):
    """What was asked for on the command line.

    names    hosts by which clients may come, besides `localhost`
    origins  pages that may speak to this chain
    """

    names: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()

    def refusal(self, host: str | None, origin: str | None) -> str:
        """Why a request gets nothing; "" when it is welcome."""
        if not self._host_allowed(host):
            return "Host not allowed\n"
        if origin is None or self._invited(origin) or _same(origin, host or ""):
            return ""
        return "Origin not allowed: start the localnet with --allow-origin to invite it\n"

    def headers(self, origin: str | None) -> list[tuple[str, str]]:
        """What lets an invited page read an answer."""
        if origin is None or not self._invited(origin):
            return []
        return [("access-control-allow-origin", origin), ("vary", "origin")]

    def preflight(self, origin: str | None) -> list[tuple[str, str]]:
        """What lets an invited page ask; nothing for any other."""
        shown = self.headers(origin)
        if not shown:
            return []
        return [
            *shown,
            ("access-control-allow-methods", "POST, GET"),
            ("access-control-allow-headers", "*"),
            ("access-control-max-age", _PREFLIGHT_SECONDS),
        ]

    def _invited(self, origin: str) -> bool:
        return origin.lower() in self.origins

    def _host_allowed(self, host: str | None) -> bool:
        """Any port, since ports are forwarded; any address, since no DNS leads from one to us."""
        if not host:
            return False
        name, colon, port = host.lower().rpartition(":")
        if not colon or host.endswith("]"):
            name, port = host.lower(), ""
        if port and not (port.isascii() and port.isdigit()):
            return False
        return name == "localhost" or name in self.names or _is_address(name)


@functools.lru_cache(maxsize=64)
def _is_address(name: str) -> bool:
    bracketed = name.startswith("[") and name.endswith("]")
    try:
        return ip_address(name[1:-1] if bracketed else name).version == (6 if bracketed else 4)
    except ValueError:
        return False


def _same(origin: str, host: str) -> bool:
    """Some programs that are no browser name as origin where they connect to."""
    return origin.lower() in (f"http://{host.lower()}", f"https://{host.lower()}")
