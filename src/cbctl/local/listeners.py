"""Who listens on a TCP port of this machine."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cbctl.local.processes import LINUX, Identity, alive, session_members

_PROC = Path("/proc")
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port id
_SOCK_DIAG, _BY_FAMILY, _DUMP = 4, 20, 0x301
_ERROR, _DONE = 2, 3
_LISTEN = 10
_INODE_AT = 68  # in struct inet_diag_msg


@dataclass(frozen=True)
class Listener:
    """Who has a port; pid None when this user may not know."""

    port: int
    pid: int | None
    name: str

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})" if self.pid else "a process of another user"


def listens(leader: Identity, port: int) -> bool:
    """Whether `leader` or another process of its session has `port` open for listening."""
    return listening([leader], port) or listening(session_members(leader), port)


def listening(members: Iterable[Identity], port: int) -> bool:
    """Whether one of these processes has `port` open for listening."""
    pids = [member.pid for member in members if alive(member)]
    if LINUX:
        sockets = {f"socket:[{inode}]" for inode in _inodes(port)}
        return any(link in sockets for pid in pids for link in _descriptors(pid))
    import psutil

    for pid in pids:
        try:
            connections = psutil.Process(pid).net_connections("tcp")
        except psutil.Error:
            continue  # gone meanwhile
        if any(
            c.status == psutil.CONN_LISTEN and getattr(c.laddr, "port", 0) == port
            for c in connections
        ):
            return True
    return False


def listener(port: int) -> Listener | None:
    """Who listens on a TCP port of this machine, or has a connection from it, which keeps others
    away just as well; None when nobody does."""
    import psutil

    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:  # macOS shows foreign sockets to root only
        return Listener(port, None, "")
    holding = [c for c in connections if getattr(c.laddr, "port", 0) == port]
    # A connection in TIME_WAIT has no process and keeps nobody away.
    holding = [c for c in holding if c.status != psutil.CONN_TIME_WAIT]
    if not holding:
        return None
    holder = min(holding, key=lambda c: c.status != psutil.CONN_LISTEN)
    if holder.pid is None:
        return Listener(port, None, "")
    try:
        return Listener(port, holder.pid, psutil.Process(holder.pid).name())
    except psutil.Error:
        return Listener(port, holder.pid, "unknown")


def _inodes(port: int) -> set[int]:
    """Of the sockets that listen on a port, as the kernel tells."""
    try:
        return _ask_kernel(socket.AF_INET, port) | _ask_kernel(socket.AF_INET6, port)
    except OSError:
        return _read_tables(port)  # a sandbox without that interface


def _ask_kernel(family: int, port: int) -> set[int]:
    """By NETLINK_SOCK_DIAG, which looks at listening sockets alone; `/proc/net/tcp` goes through
    the table of all connections, 10 ms and more."""
    request = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, 1 << _LISTEN)
    request += struct.pack("!H", port) + bytes(46)
    found: set[int] = set()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as kernel:
        kernel.settimeout(1.0)
        kernel.send(_HEADER.pack(_HEADER.size + len(request), _BY_FAMILY, _DUMP, 1, 0) + request)
        while True:
            answer = kernel.recv(65_536)
            while len(answer) >= _HEADER.size:
                length, kind, *_ = _HEADER.unpack_from(answer)
                if kind == _DONE:
                    return found
                if kind == _ERROR or length < _HEADER.size:
                    raise OSError("sock_diag is refused")
                body = answer[_HEADER.size : length]
                if struct.unpack_from("!H", body, 4)[0] == port:
                    found.add(struct.unpack_from("=I", body, _INODE_AT)[0])
                answer = answer[(length + 3) & ~3 :]


def _read_tables(port: int) -> set[int]:
    found = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = (_PROC / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue  # no IPv6 in this kernel
        for row in (line.split() for line in lines):
            if row[3] == "0A" and row[1].endswith(f":{port:04X}"):
                found.add(int(row[9]))
    return found


def _descriptors(pid: int) -> Iterator[str]:
    folder = _PROC / str(pid) / "fd"
    try:
        entries = list(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        try:
            yield str(entry.readlink())
        except OSError:
            continue  # closed meanwhile
