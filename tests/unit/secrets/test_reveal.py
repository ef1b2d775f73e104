from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import pytest

from cbctl.config.load import load
from cbctl.config.types import Environment, Reference, Secret
from cbctl.errors import CbctlError, Exit
from cbctl.secrets.reveal import HANDED, Revealer

CANARY = "canary-4711"

CONFIG = """\
version: 1
platform: lottery
defaults:
  program:
    name: lottery
    elf: l.so
    idl: l.json
    initialize: {instruction: begin, account: House, arguments: {}}
  migrations: {folder: sql, schema: sql/range.json}
  api:
    source: service
    module: service
    port: 4000
    health: /health
    ready: /ready
    environment:
      DATABASE_URL: ${env:API_URL}
environments:
  local:
    chain: {on: local}
    program:
      keypair: ${key:program}
      wallet: ${file:wallet.json}
    database:
      on: local
      url: ${env:DATABASE_URL?}
    cache:
      on: local
      url: ${state:redis-url}
    api: {on: local}
  staging:
    chain:
      on: external
      cluster: devnet
      rpc: ["${env:RPC}", "${env:RPC_2?}"]
    program:
      wallet: ${file:wallet.json}
    database:
      on: external
      url: ${secret:owner#url}
    cache:
      on: external
      url: ${env:CACHE}
    api: {on: kubernetes}
    clusters:
      main: {context: c, namespace: n}
"""

Make = Callable[..., Revealer]


class Keys:
    def address(self, name: str) -> str:
        return f"address of {name}"


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Environment]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cbctl.yaml").write_text(CONFIG)
    return load(tmp_path / "cbctl.yaml").environments


def private(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)


def revealed(secret: Secret | None) -> str | None:
    return secret.reveal() if secret is not None else None


def rpc(env: Environment, index: int) -> Reference:
    found = env.chain.rpc[index]
    assert isinstance(found, Reference)
    return found


def test_variable_of_the_file_then_of_the_process(
    env: dict[str, Environment], tmp_path: Path
) -> None:
    variables = {"RPC": "from the process", "CACHE": "from the process"}
    private(tmp_path / ".env.staging", "RPC=from-the-file\nCACHE=\n")
    values = Revealer(env["staging"], variables=variables)
    assert values.reveal(rpc(env["staging"], 0)).reveal() == "from-the-file"
    # An empty line in the file, as copied from the example, does not hide what CI passes.
    assert revealed(values.find(env["staging"].cache.url)) == "from the process"


def test_optional_and_literal(env: dict[str, Environment]) -> None:
    values = Revealer(env["staging"], variables={})
    assert values.find(rpc(env["staging"], 1)) is None
    assert values.find(None) is None
    assert revealed(values.find("https://example.com")) == "https://example.com"
    with pytest.raises(CbctlError, match="RPC_2 is not set"):
        values.reveal(rpc(env["staging"], 1))


def test_missing_variable(env: dict[str, Environment], tmp_path: Path) -> None:
    with pytest.raises(CbctlError) as caught:
        Revealer(env["staging"], variables={}).reveal(rpc(env["staging"], 0))
    assert caught.value.fix == f"add the line RPC=… to {tmp_path}/.env.staging (mode 600)"

    (tmp_path / ".env.staging.example").write_text("RPC=\n")
    with pytest.raises(CbctlError) as caught:
        Revealer(env["staging"], variables={}).reveal(rpc(env["staging"], 0))
    error = caught.value
    assert error.exit is Exit.USAGE
    assert str(error) == (
        "cbctl.yaml:35:13: environments.staging.chain.rpc.0: the variable RPC is not set in"
        " .env.staging or the process environment"
    )
    assert error.fix == (
        f"add the line RPC=… to {tmp_path}/.env.staging (mode 600; .env.staging.example shows"
        " what it means)"
    )


def test_local_never_takes_the_shells_variables(
    env: dict[str, Environment], tmp_path: Path
) -> None:
    local = env["local"]
    shell: Mapping[str, str] = {"DATABASE_URL": CANARY, "API_URL": CANARY}
    values = Revealer(local, variables=shell)
    assert values.find(local.database.url) is None
    with pytest.raises(CbctlError) as caught:
        values.find(local.api.environment["DATABASE_URL"])
    error = caught.value
    assert error.what == (
        "defaults.api.environment.DATABASE_URL: the variable API_URL is not set in .env.local"
    )
    assert error.fix.startswith("the shell's variables are not used for a local environment; ")
    assert CANARY not in f"{error} {error.fix}"
    private(tmp_path / ".env.local", "API_URL=mine\n")
    assert revealed(Revealer(local, variables=shell).find(local.api.environment["DATABASE_URL"]))


def test_any_part_on_this_machine_makes_it_local(env: dict[str, Environment]) -> None:
    """Whatever it is called: the shell must not choose the database that gets migrated."""
    mixed = msgspec.structs.replace(env["local"], name="sandbox")
    assert Revealer(mixed, variables={"DATABASE_URL": "x"}).find(mixed.database.url) is None


def test_a_file_of_the_wrong_mode_stops_everything(
    env: dict[str, Environment], tmp_path: Path
) -> None:
    (tmp_path / ".env.staging").write_text(f"RPC={CANARY}\n")
    (tmp_path / ".env.staging").chmod(0o644)
    with pytest.raises(CbctlError, match="others can read or change it") as caught:
        Revealer(env["staging"], variables={"RPC": "x"}).reveal(rpc(env["staging"], 0))
    assert caught.value.exit is Exit.USAGE


def test_file(env: dict[str, Environment], tmp_path: Path) -> None:
    wallet = env["local"].program.wallet
    assert wallet is not None
    values = Revealer(env["local"])
    with pytest.raises(CbctlError) as caught:
        values.reveal(wallet)
    assert str(caught.value) == (
        "cbctl.yaml:23:15: environments.local.program.wallet:"
        f" {tmp_path}/wallet.json does not exist"
    )
    private(tmp_path / "wallet.json", "[1, 2]\n")
    assert values.reveal(wallet).reveal() == "[1, 2]"
    (tmp_path / "wallet.json").chmod(0o644)
    with pytest.raises(CbctlError, match="others can read or change it"):
        values.reveal(wallet)


def test_file_in_the_home_folder(
    env: dict[str, Environment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    private(tmp_path / "home" / "w.json", "[3]")
    assert Revealer(env["local"]).reveal(Reference(kind="file", name="~/w.json")).reveal() == "[3]"


def test_state(env: dict[str, Environment], tmp_path: Path) -> None:
    url = env["local"].cache.url
    with pytest.raises(CbctlError, match="needs the local state, and there is none"):
        Revealer(env["local"]).find(url)
    values = Revealer(env["local"], state_folder=tmp_path)
    with pytest.raises(CbctlError, match="has no secret `redis-url` yet") as caught:
        values.find(url)
    assert caught.value.fix == "cbctl deploy local"
    assert caught.value.exit is Exit.USAGE
    assert values.find(Reference("state", "redis-url", optional=True)) is None
    private(tmp_path / "secrets" / "redis-url", "redis://:p@127.0.0.1:1/0\n")
    assert revealed(values.find(url)) == "redis://:p@127.0.0.1:1/0"


def test_key(env: dict[str, Environment]) -> None:
    pair = env["local"].program.keypair
    assert pair is not None
    values = Revealer(env["local"], keys=Keys())
    assert values.reveal(pair).reveal() == "address of program"
    with pytest.raises(CbctlError, match="needs the local state"):
        Revealer(env["local"]).reveal(pair)


def test_kubernetes_secret(env: dict[str, Environment]) -> None:
    url = env["staging"].database.url
    with pytest.raises(CbctlError) as caught:
        Revealer(env["staging"], variables={}).find(url)
    assert caught.value.exit is Exit.USAGE
    assert str(caught.value) == (
        "cbctl.yaml:40:12: environments.staging.database.url: ${secret:owner#url} is a Kubernetes"
        " Secret, which is given only to what runs inside the cluster"
    )
    inside = {HANDED: json.dumps({"${secret:owner#url}": "V0"}), "V0": "postgres://there"}
    found = Revealer(env["staging"], variables=inside).find(url)
    assert found == Secret("postgres://there")


def test_nothing_prints_a_value(env: dict[str, Environment], tmp_path: Path) -> None:
    private(tmp_path / ".env.local", f"DATABASE_URL=postgres://u:{CANARY}@localhost/x\n")
    values = Revealer(env["local"])
    found = values.find(env["local"].database.url)
    assert CANARY not in f"{values!r} {vars(values)} {found} {found!r} {env['local']}"
