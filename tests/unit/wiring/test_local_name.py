"""Which environment `cbctl local` means."""

from __future__ import annotations

from pathlib import Path

import pytest

from cbctl.errors import CbctlError, Exit
from cbctl.wiring.workplace import local_name

HERE = "{chain: {on: local}, database: {on: local}, cache: {on: local}, api: {on: local}}"
ELSEWHERE = (
    "{chain: {on: external, rpc: ['${env:RPC}']}, database: {on: external, url: '${env:DB}'},"
    " cache: {on: external, url: '${env:CACHE}'}, api: {on: kubernetes},"
    " clusters: {main: {context: c, namespace: n}}}"
)
FILE = """\
version: 1
platform: lottery
defaults:
  program:
    name: lottery
    elf: lottery.so
    idl: lottery.json
    wallet: ${{file:wallet.json}}
    initialize: {{instruction: begin, account: House, arguments: {{}}}}
  migrations: {{folder: sql, schema: range.json}}
  api: {{source: service, module: service, port: 4000, health: /h, ready: /r, environment: {{}}}}
environments:
{environments}
"""


def named(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    given: str | None = None,
    *,
    variable: str = "",
    **environments: str,
) -> str:
    lines = "\n".join(f"  {name}: {text}" for name, text in environments.items())
    (folder / "cbctl.yaml").write_text(FILE.format(environments=lines))
    monkeypatch.setenv("CBCTL_ENV", variable)
    return local_name(str(folder / "cbctl.yaml"), given)


def test_without_a_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert named(monkeypatch, tmp_path, sandbox=HERE, hosted=ELSEWHERE) == "sandbox"
    assert named(monkeypatch, tmp_path, sandbox=HERE, local=HERE) == "local"
    for none_of_them in ({"a": HERE, "b": HERE}, {"a": ELSEWHERE}):
        with pytest.raises(CbctlError, match="which environment") as caught:
            named(monkeypatch, tmp_path, **none_of_them)
        assert caught.value.exit is Exit.USAGE


def test_a_name_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    both = {"sandbox": HERE, "local": HERE}
    assert named(monkeypatch, tmp_path, variable="sandbox", **both) == "sandbox"
    assert named(monkeypatch, tmp_path, "local", variable="sandbox", **both) == "local"
    # Whether it runs on this machine is judged where it is opened.
    assert named(monkeypatch, tmp_path, variable="x", local=HERE, x=ELSEWHERE) == "x"
