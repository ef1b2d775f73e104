"""`cbctl program` as a person runs it: a folder with a cbctl.yaml, a wallet, a real localnet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.integration.program.support import ELF, IDL, SOL, Localnet
from tests.testbed.forked import Forked

from cbctl.clients.solana.keypair import write

_ENVIRONMENT = """
  {name}:
    protected: {protected}
    chain: {{ on: external, cluster: {cluster}, rpc: ["{url}"], genesis_hash: {genesis} }}
    program:
      keypair: ${{file:keys/program.json}}
      wallet: ${{file:keys/wallet.json}}
{program}
    database: {{ on: external, url: "${{env:DATABASE_URL}}" }}
    cache: {{ on: external, url: "${{env:REDIS_URL}}" }}
    api: {{ on: kubernetes }}
    clusters: {{ other: {{ context: none, namespace: none }} }} # no main one: journals stay here
"""
_DEFAULTS = """
version: 1
platform: test-house
defaults:
  program:
    name: crypto_bet
    elf: program.so
    idl: program.json
    initialize:
      instruction: initialize_program
      account: GlobalConfig
      changed_by: update_config
      arguments:
        config:
          fee_bps: 250
          min_market_duration: 3600
          max_market_duration: 31536000
          dispute_window: 86400
          resolution_window: 604800
          sweep_delay: 7776000
          sol: {{ min_bet: 1000000, max_bet: 1000000000000 }}
          usdc: {{ min_bet: 1000000, max_bet: 1000000000000 }}
          resolver: {resolver}
          guardian: {guardian}
          treasury: {treasury}
          usdc_mint: {mint}
    pause:
      instruction: emergency_pause
      arguments: {{ scope: AllButClaims }}
      account: GlobalConfig
      result: {{ pause_scope: AllButClaims }}
      wallet: ${{file:keys/guardian.json}}
    unpause:
      instruction: emergency_unpause
      account: GlobalConfig
      result: {{ pause_scope: None }}
  migrations: {{ folder: ., schema: program.json }}
  api:
    source: .
    module: none
    port: 3000
    health: /health
    ready: /ready
    environment: {{}}
environments:
"""


@dataclass(frozen=True)
class Done:
    words: tuple[str, ...]
    exit: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"cbctl {' '.join(self.words)} → {self.exit}\n{self.out}\n{self.err}"

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def ended(self, exit: int = 0) -> Done:
        assert self.exit == exit, self
        assert "Traceback" not in self.err and "defect of cbctl" not in self.err, self
        return self

    def refused(self, exit: int, *words: str) -> Done:
        self.ended(exit)
        for word in words:
            assert word in self.err, f"{word!r} is missing in {self}"
        return self


@dataclass
class House:
    """One program on one localnet, in the environment `dev`."""

    folder: Path
    net: Localnet
    forked: Forked
    wallet: Keypair = field(default_factory=Keypair, repr=False)
    program: Keypair = field(default_factory=Keypair, repr=False)
    guardian: Keypair = field(default_factory=Keypair, repr=False)
    cluster: str = "local"
    protected: bool = False
    section: str = ""
    variables: dict[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, folder: Path, net: Localnet, forked: Forked, sol: int = 20, **more: Any) -> House:
        house = cls(folder, net, forked, **more)
        for name in ("wallet", "program", "guardian"):
            write(folder / "keys" / f"{name}.json", getattr(house, name))
        (folder / "program.so").write_bytes(ELF.read_bytes())
        (folder / "program.json").write_text(IDL.read_text())
        house.configure()
        if sol:
            net.fund(house.wallet.pubkey(), sol * SOL)
        return house

    @property
    def id(self) -> str:
        return str(self.program.pubkey())

    @property
    def state(self) -> Path:
        return self.folder / "state" / "test-house"

    def configure(self, section: str | None = None, **changes: Any) -> None:
        """Writes cbctl.yaml; section: more lines below `program:` of the environment."""
        for name, value in changes.items():
            setattr(self, name, value)
        self.section = self.section if section is None else section
        addresses = {n: str(Keypair().pubkey()) for n in ("resolver", "treasury", "mint")}
        known = self.folder / "addresses"
        if known.exists():
            addresses = json.loads(known.read_text())
        known.write_text(json.dumps(addresses))
        text = _DEFAULTS.format(**addresses, guardian=self.guardian.pubkey()).lstrip()
        text += _ENVIRONMENT.format(
            name="dev",
            url=self.net.url,
            genesis=self.net.genesis,
            cluster=self.cluster,
            protected=str(self.protected).lower(),
            program="\n".join(f"      {line}" for line in self.section.splitlines()),
        )
        (self.folder / "cbctl.yaml").write_text(text)

    def run(self, *words: str, env: str | None = "dev", **variables: str) -> Done:
        """`cbctl program WORDS`, without a terminal."""
        return self.cbctl("program", *words, *(() if env is None else ("--env", env)), **variables)

    def cbctl(self, *words: str, **variables: str) -> Done:
        done = self.forked.run(words, cwd=self.folder, env=self.environment(variables), limit=200)
        assert not done.hung, words
        return Done(words, done.exit, _text(done.out), _text(done.err))

    def start(self, *words: str, env: str | None = "dev") -> subprocess.Popen[bytes]:
        place = () if env is None else ("--env", env)
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "cbctl", "program", *words, *place],
            cwd=self.folder,
            env=self.environment({}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def environment(self, variables: dict[str, str]) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "CBCTL_STATE_DIR": str(self.folder / "state"),
            **self.variables,
            **variables,
        }

    def field(self, name: str) -> Any:
        return self.run("show", "--output", "json").ended().json["account"][name]

    def balance(self, key: Pubkey | None = None) -> int:
        return self.net.rpc.balance(key or self.wallet.pubkey())


def _text(out: str) -> str:
    """The server gives each byte as one character."""
    return out.encode("latin-1").decode()
