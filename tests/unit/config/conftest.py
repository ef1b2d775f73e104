from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

# Another platform than the one that this repository ships: nothing of that one may be needed.
SAMPLE = """\
version: 1
platform: lottery
defaults:
  program:
    name: lottery
    elf: build/lottery.so
    idl: build/lottery.json
    initialize:
      instruction: begin
      account: House
      arguments:
        price: 10
        limits: {least: 1, most: 9}
        keeper: ${env:KEEPER}
  migrations: {folder: sql, schema: sql/range.json}
  api:
    source: service
    module: service.main
    port: 4000
    health: /health
    ready: /ready
    environment:
      DATABASE_URL: ${env:DATABASE_URL}
environments:
  local:
    chain:
      on: local
      port: 9900
    program:
      wallet: ${key:wallet}
    database: {on: local}
    cache: {on: local}
    api: {on: local}
  production:
    protected: true
    chain:
      on: external
      cluster: mainnet-beta
      rpc: ["${env:RPC}"]
    program:
      wallet: ${file:~/wallet.json}
    database:
      on: rds
      url: ${env:OWNER_URL}
    cache:
      on: external
      url: ${env:CACHE_URL}
    api: {on: kubernetes}
    clusters:
      main: {context: prod, namespace: lottery}
"""


@pytest.fixture
def sample() -> str:
    return SAMPLE


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Writes a cbctl.yaml into the working folder, so that messages name it without a path."""
    monkeypatch.chdir(tmp_path)

    def write_text(text: str) -> Path:
        path = tmp_path / "cbctl.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_text
