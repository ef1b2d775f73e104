"""A platform in which every secret setting holds a canary, and eyes on all that comes out of it."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin
from urllib.parse import quote

import msgspec
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.e2e.support import Platform
from tests.testbed.canaries import Canaries
from tests.testbed.forked import Ended, Forked
from tests.testbed.postgres import PostgresServer
from tests.testbed.receiver import Receiver
from tests.testbed.redis import RedisServer
from tests.testbed.watch import Watch

from cbctl.config.read import fields_of
from cbctl.config.reference import Reference
from cbctl.config.settings import FILLED_IN, Environment
from cbctl.errors import Exit
from cbctl.local.state import State

PUBLIC = {
    "program.id": "an address",
    "program.initialize.arguments.*": "they stand on the chain afterwards",
    "program.initialize.accounts.*": "addresses",
    "program.initialize.allowed.*": "addresses",
    "program.authority": "an address",
    "program.multisig": "an address",
    **{
        f"program.{call}.{part}.*": "they stand on the chain afterwards"
        for call in ("pause", "unpause")
        for part in ("arguments", "accounts", "result")
    },
    "images.*.repository": "a name",
    "images.*.arguments.*": "whoever has the image sees them",
    "jobs.image": "a name",
}
"""Settings that may be references and are no secrets."""

PLACED = {
    "chain.rpc.*": "${env:RPC_URL}, the key is in its path",
    "chain.mint.keypair": "${file:keys/mint.json}",
    "program.keypair": "${file:keys/program.json}",
    "program.wallet": "${file:keys/wallet.json}",
    "program.pause.wallet": "${file:keys/guardian.json}",
    "program.unpause.wallet": "${file:keys/wallet.json}",
    "database.url": "${env:DATABASE_URL}, with a password",
    "database.admin": "${env:ADMIN_URL}, with a password",
    "database.roles.app": "${env:APP_URL}, with a password",
    "database.roles.readonly": "${env:READONLY_URL}, with a password",
    "cache.url": "${env:REDIS_URL}, with a password",
    "api.environment.*": "${env:JWT_SECRET}, ${file:partner.key}, ${state:session-secret}",
    "notify.*.url": "${env:NOTIFY_URL}, the token is in its path and query",
    "notify.*.secret": "${env:NOTIFY_SECRET}",
    "secrets.*": "${env:PARTNER_TOKEN}",
}
"""Secret settings, and where `given` puts a canary for each."""

GENERATED = {
    "database-password": "text",
    "postgres-password": "text",
    "redis-password": "text",
    "jwt-secret": "text",
    "keypair-program": "keypair",
    "keypair-wallet": "keypair",
    "keypair-resolver": "keypair",
    "keypair-guardian": "keypair",
    "keypair-treasury": "keypair",
    "keypair-usdc-mint": "keypair",
}
"""Secrets that a deploy makes in the state folder; `own` puts a canary there before it does."""
MADE_OF_OTHERS = {"database-url", "redis-url"}
NO_SECRETS = {"rpc-url"}


def secret_settings() -> set[str]:
    """Every setting of an environment whose value may be kept elsewhere, `*` for names and
    positions: what a new one is called, too."""
    found = _references(Environment, "")
    return {path.replace(".*.*", ".*") for path in found}  # however deep an argument is


def _references(kind: Any, path: str) -> Iterator[str]:
    origin = get_origin(kind)
    if origin is Annotated:
        yield from _references(get_args(kind)[0], path)
    elif origin in (Union, types.UnionType):
        for one in get_args(kind):
            yield from _references(one, path)
    elif origin in (tuple, dict):
        yield from _references(get_args(kind)[-1 if origin is dict else 0], f"{path}.*")
    elif kind is Reference:
        yield path
    elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        for member in fields_of(kind):
            if member.name not in FILLED_IN.get(kind, ()):
                yield from _references(member.type, f"{path}.{member.name}".lstrip("."))


@dataclass
class Planted:
    """
    variables  `.env.local` as it should be
    passwords  of the servers, as they stand in its URLs
    seen       where a canary was seen that must not be
    """

    platform: Platform
    canaries: Canaries
    forked: Forked
    hook: Receiver
    watch: Watch | None = None
    variables: dict[str, str] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)

    @property
    def temporary(self) -> Path:
        return self.platform.folder.parent / "tmp"

    def run(self, line: str, **env: str) -> Ended:
        """cbctl, and a look at what it says."""
        ended = self.forked.run(
            line.split(), cwd=self.platform.folder, env=self.platform.environment(env)
        )
        self.look(f"output of cbctl {line}", ended.out + ended.err)
        told = f"cbctl {line} → {ended.exit}\n{ended.out}\n{ended.err}"
        assert not ended.hung and ended.exit in {int(code) for code in Exit}, told
        assert "defect of cbctl" not in told, told
        return ended

    def done(self, line: str) -> Ended:
        ended = self.run(line)
        assert ended.exit == 0, f"cbctl {line} → {ended.exit}\n{ended.out}\n{ended.err}"
        return ended

    def look(self, where: str, data: bytes | str) -> None:
        raw = data.encode("latin-1", "replace") if isinstance(data, str) else data
        for name in sorted(self.canaries.seen(raw)):
            self.seen.append(f"{name} in {where}")

    def look_everywhere(self) -> None:
        """At all that was written, sent, and is running."""
        for path, private in self._files():
            data = path.read_bytes()
            much = len(data) > 1 << 18 or "postgres" in path.parts  # fifty megabytes
            found = self.canaries.tagged(data) if much else self.canaries.seen(data)
            if found and private:
                assert path.stat().st_mode & 0o077 == 0, f"{path} can be read by others"
            elif found:
                self.seen.append(f"{', '.join(sorted(found))} in {path}")
        for text in self.platform.transcript:
            self.look("output of a process", text.encode())
        for number, (_, _, body) in enumerate(self.hook.got):
            self.look(f"notification {number}", body)
        if self.watch:
            self.seen += sorted(self.watch.seen)

    def _files(self) -> Iterator[tuple[Path, bool]]:
        """Of the state folder and of the project; True for those that are there to hold secrets."""
        sources = {".env.local", "partner.key", "keys"}
        for top in (self.platform.root, self.platform.folder, self.temporary):
            for path in top.rglob("*"):
                if path.is_file() and not path.is_symlink():
                    inside = path.relative_to(top).parts
                    if top == self.platform.root:
                        kept = inside[2:3] == ("secrets",) or inside[2:] == ("redis", "redis.conf")
                    else:
                        kept = inside[0] in sources
                    yield path, kept

    def write_variables(self, changed: Mapping[str, str] | None = None) -> None:
        """`.env.local`; what is changed to nothing is left out."""
        lines = []
        for name, value in {**self.variables, **(changed or {})}.items():
            quoted = value.replace("\\", "\\\\").replace('"', '\\"')
            lines += [f'{name}="{quoted}"\n'] if value else []
        path = self.platform.folder / ".env.local"
        path.write_text("".join(lines))
        path.chmod(0o600)

    @contextlib.contextmanager
    def with_variables(self, **changed: str) -> Iterator[None]:
        self.write_variables(changed)
        try:
            yield
        finally:
            self.write_variables()

    @contextlib.contextmanager
    def with_file(self, path: Path, text: str, mode: int = 0o600) -> Iterator[None]:
        before, was = path.read_bytes(), path.stat().st_mode
        path.write_text(text)
        path.chmod(mode)
        try:
            yield
        finally:
            path.write_bytes(before)
            path.chmod(was)

    def is_api(self, environment: bytes) -> bool:
        """The service has its own secrets in its environment: there they belong."""
        marker = State.at(self.platform.state).marker("api") if self.platform.state.exists() else ""
        return bool(marker) and f"CBCTL_RUN_MARKER={marker}".encode() in environment


@contextlib.contextmanager
def planted(home: Path, seed: int) -> Iterator[Planted]:
    """Nothing deployed yet."""
    with ExitStack() as stack:
        platform = Platform.make(home)
        forked = Forked()
        stack.callback(forked.close)
        hook = Receiver([200])
        stack.callback(hook.close)
        made = Planted(platform, Canaries(seed), forked, hook)
        made.temporary.mkdir()
        platform.variables["TMPDIR"] = str(made.temporary)
        stack.callback(platform.kill_everything)
        watch = Watch(made.canaries.tagged, made.is_api, made.temporary)
        made.watch = stack.enter_context(watch)
        yield made


@contextlib.contextmanager
def given(home: Path, seed: int) -> Iterator[Planted]:
    """All that the settings can name is given: servers, keypairs, addresses, secrets."""
    with planted(home, seed) as made, ExitStack() as stack:
        canaries, folder = made.canaries, made.platform.folder
        servers = home / "servers"
        servers.mkdir()
        password = canaries.text("database.url", special=True)
        postgres = PostgresServer(servers, user="owner", password=password)
        postgres.start()
        stack.callback(postgres.stop)
        admin = canaries.text("database.admin")
        postgres.execute("postgres", f"create role admin superuser login password '{admin}'")
        roles = {name: canaries.text(f"database.roles.{name}") for name in ("app", "readonly")}
        redis = RedisServer(servers, password=canaries.text("cache.url", special=True))
        redis.start()
        stack.callback(redis.stop)
        rpc, token, query = (canaries.text(n) for n in ("chain.rpc", "notify.url", "notify.url ?"))
        made.variables = {
            "RPC_URL": f"http://127.0.0.1:{made.platform.chain_port}/v2/{rpc}",
            "DATABASE_URL": postgres.url("postgres"),
            "ADMIN_URL": f"postgresql://admin:{admin}@127.0.0.1:{postgres.port}/postgres",
            **{
                f"{name.upper()}_URL": f"postgresql://{name}:{password}@127.0.0.1:{postgres.port}"
                "/postgres"
                for name, password in roles.items()
            },
            "REDIS_URL": redis.url,
            "JWT_SECRET": canaries.text("api.environment", special=True),
            "NOTIFY_URL": made.hook.address(f"/services/{token}?key={query}"),
            "NOTIFY_SECRET": canaries.text("notify.secret", special=True),
            "PARTNER_TOKEN": canaries.text("secrets", special=True),
        }
        made.passwords = {
            "DATABASE_URL": quote(postgres.password, safe=""),
            "ADMIN_URL": admin,
            "REDIS_URL": quote(redis.password, safe=""),
        }
        made.write_variables()
        (folder / "keys").mkdir()
        names = ("program.keypair", "program.wallet", "chain.mint.keypair")
        program, wallet, mint = (canaries.keypair(name) for name in names)
        _private(folder / "keys" / "program.json", program)
        _private(folder / "keys" / "wallet.json", wallet)
        _private(folder / "keys" / "mint.json", mint)
        _private(folder / "keys" / "age.txt", canaries.text("an age identity, wrong"))
        guardian = canaries.keypair("program.pause.wallet")
        _private(folder / "keys" / "guardian.json", guardian)
        _private(folder / "partner.key", canaries.text("api.environment (file)", special=True))
        _name_them(made.platform, Keypair.from_json(program).pubkey())
        yield made


@contextlib.contextmanager
def own(home: Path, seed: int) -> Iterator[Planted]:
    """Everything is cbctl's own: what it would generate is a canary already."""
    with planted(home, seed) as made:
        made.run("deploy local --plan")
        secrets = made.platform.state / "secrets"
        for name, kind in GENERATED.items():
            make = made.canaries.keypair if kind == "keypair" else made.canaries.text
            _private(secrets / name, make(name))
        yield made


def _name_them(platform: Platform, program_id: Pubkey) -> None:
    """Every secret setting becomes a reference to what was placed."""
    platform.edit("      slot_ms: 400\n", '      slot_ms: 400\n      rpc: ["${env:RPC_URL}"]\n')
    platform.edit('"${key:usdc-mint}"', '"${file:keys/mint.json}"')
    platform.edit("keypair: ${key:program}", "keypair: ${file:keys/program.json}")
    platform.edit("wallet: ${key:wallet}", "wallet: ${file:keys/wallet.json}")
    platform.edit("wallet: ${key:guardian}", "wallet: ${file:keys/guardian.json}")
    platform.edit(
        "      url: ${env:DATABASE_URL?}",
        "      admin: ${env:ADMIN_URL}\n      url: ${env:DATABASE_URL?}",
    )
    platform.edit(
        "      roles: null\n",
        '      roles: { app: "${env:APP_URL}", readonly: "${env:READONLY_URL}" }\n',
    )
    platform.edit(
        "        JWT_SECRET: ${state:jwt-secret}\n",
        "        JWT_SECRET: ${env:JWT_SECRET}\n        PARTNER: ${file:partner.key}\n"
        "        SESSION: ${state:session-secret}\n",
    )
    platform.edit(
        "        PROGRAM_ID: ${key:program}\n",
        f"        PROGRAM_ID: {program_id}\n    notify:\n      - kind: webhook\n"
        "        url: ${env:NOTIFY_URL}\n        secret: ${env:NOTIFY_SECRET}\n"
        '    secrets: { partner: { token: "${env:PARTNER_TOKEN}" } }\n',
    )
    platform.shipped = platform.config.read_text()


def _private(path: Path, text: str) -> None:
    path.write_text(text + "\n")
    path.chmod(0o600)
