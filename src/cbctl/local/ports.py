"""Ports of the local services: chosen once, stored in ports.json, kept.

Free ports are below the range that the kernel gives to outgoing connections, so that a stored port
is not taken by chance between two starts.
"""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass

from cbctl.errors import CbctlError, Exit
from cbctl.local import listeners, processes
from cbctl.local.files import exclusive, read_json, write_json
from cbctl.local.state import State

HOST = "127.0.0.1"
_FIRST, _LAST = 15_000, 29_999


@dataclass(frozen=True)
class Ports:
    """`ports.json` of a state folder: {service: first port}."""

    state: State

    def stored(self, service: str) -> int | None:
        value = (read_json(self.state.path / "ports.json") or {}).get(service)
        return value if isinstance(value, int) and 0 < value < 65536 else None

    def reserve(self, service: str, *, preferred: int | None = None, count: int = 1) -> int:
        """The first of `count` neighbouring ports for a service; stored.

        preferred  the port the configuration names: exactly this or an error (Exit.REFUSED) that
                   names who has it. None: the stored one, or any that is free.
        A port that the service itself has, or an orphan of it, counts as free: the supervisor
        adopts or replaces that process.
        """
        if preferred is not None:
            self.check(service, preferred, count)
        with exclusive(self.state.path / "ports.lock"):
            port = preferred if preferred is not None else self.stored(service)
            if port is None or (preferred is None and self._stranger(service, port, count)):
                port = self._free(count)
            self._store(service, port)
            return port

    def check(self, service: str, preferred: int, count: int = 1) -> None:
        """Raises (Exit.REFUSED) when a stranger has one of these ports; changes nothing."""
        stranger = self._stranger(service, preferred, count)
        if stranger is not None:
            raise _taken(service, preferred, stranger)

    def _stranger(self, service: str, first: int, count: int) -> listeners.Listener | None:
        for port in range(first, first + count):
            if can_bind(port) or self._ours(service, port):
                continue
            return listeners.listener(port) or listeners.Listener(port, None, "")
        return None

    def _ours(self, service: str, port: int) -> bool:
        record = read_json(self.state.path / "records" / f"{service}.json") or {}
        leader = processes.Identity.of_json(record.get("process"))
        if leader is not None and listeners.listens(leader, port):
            return True
        orphans = [found for found, _ in processes.marked(self.state.marker(service))]
        return listeners.listening(orphans, port)

    def _free(self, count: int) -> int:
        ports = read_json(self.state.path / "ports.json") or {}
        others = {p + i for p in ports.values() if isinstance(p, int) for i in (0, 1)}
        span = _LAST - _FIRST - count
        start = secrets.randbelow(span)
        for offset in range(span):
            first = _FIRST + (start + offset) % span
            wanted = range(first, first + count)
            if others.isdisjoint(wanted) and all(can_bind(port) for port in wanted):
                return first
        raise CbctlError(f"no free port between {_FIRST} and {_LAST} on {HOST}", exit=Exit.REFUSED)

    def _store(self, service: str, port: int) -> None:
        ports = read_json(self.state.path / "ports.json") or {}
        if ports.get(service) != port:
            write_json(self.state.path / "ports.json", {**ports, service: port})


def can_bind(port: int) -> bool:
    """Whether nobody listens there (a connection in TIME_WAIT does not count)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except PermissionError:
            raise CbctlError(
                f"this user may not use port {port}",
                exit=Exit.CREDENTIALS,
                where=f"{HOST}:{port}",
                fix="choose a port from 1024 on in cbctl.yaml",
            ) from None
        except OSError:
            return False
    return True


def _taken(service: str, preferred: int, who: listeners.Listener) -> CbctlError:
    reason = f"port {who.port} is taken by {who}"
    if who.port != preferred:
        reason = f"{reason}; {service} needs {preferred} and the port after it"
    return CbctlError(
        f"{service} cannot start: {reason}",
        exit=Exit.REFUSED,
        where=f"{HOST}:{who.port}",
        fix=f"stop that process, or choose another port for {service} in cbctl.yaml",
    )
