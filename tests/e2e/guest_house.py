"""The guest house of `tests/fixtures`, run by the installed `cbctl` like any other platform."""

from __future__ import annotations

import shutil
import urllib.request
from pathlib import Path
from typing import Any, ClassVar

from tests.e2e.support import PATIENCE, REPOSITORY, Platform, free_ports

FIXTURE = REPOSITORY / "tests" / "fixtures" / "guest_house"
VARIABLES = "BOOK_TITLE=2026\nWARMTH=-12\n"


class GuestHouse(Platform):
    name: ClassVar[str] = "guest-house"
    env: ClassVar[str] = "sandbox"

    @classmethod
    def make(cls, home: Path) -> GuestHouse:
        """home: a folder that may be another platform's too; the state folders have one root."""
        folder = home / "guest-house"
        shutil.copytree(FIXTURE, folder, ignore=shutil.ignore_patterns("target", "__pycache__"))
        api, chain = free_ports()
        made = cls(folder, home / "state", api, chain)
        text = made.config.read_text()
        for before, now in (("port: 4180", f"port: {api}"), ("port: 9180", f"port: {chain}")):
            assert text.count(before) == 1
            text = text.replace(before, now)
        made.shipped = text
        made.config.write_text(text)
        made.give(VARIABLES)
        return made

    @property
    def mark(self) -> str:
        return str(self.root / self.name)

    @property
    def source(self) -> Path:
        return self.folder / "house" / "concierge"

    @property
    def migrations(self) -> Path:
        return self.folder / "db"

    @property
    def elf(self) -> Path:
        return self.folder / "onchain" / "guestbook.so"

    @property
    def idl(self) -> Path:
        return self.folder / "onchain" / "guestbook.json"

    def give(self, variables: str) -> None:
        """The values that cbctl.yaml takes from elsewhere."""
        file = self.folder / f".env.{self.env}"
        file.touch(mode=0o600)
        file.write_text(variables)

    def greet(self, words: str) -> None:
        """Another version of the service."""
        (self.source / "greeting.txt").write_text(words)

    def address(self, key: str) -> str:
        from solders.keypair import Keypair

        text = (self.state / "secrets" / f"keypair-{key}").read_text()
        return str(Keypair.from_json(text).pubkey())

    def book(self) -> dict[str, Any]:
        """The account that the program made, read from the chain by the IDL."""
        from solders.pubkey import Pubkey

        from cbctl.clients.solana.idl.program import Program

        program = Program.from_text(self.idl.read_text(), Pubkey.from_string(self.address("book")))
        owner = Pubkey.from_string(self.address("owner"))
        seeds = [b"book", (7).to_bytes(2, "little"), bytes(owner)]
        place = Pubkey.find_program_address(seeds, program.address)[0]
        return program.decode("Book", self.account(str(place)))

    def post(self, path: str, body: str = "") -> str:
        url = f"http://127.0.0.1:{self.api_port}{path}"
        with urllib.request.urlopen(url, body.encode(), timeout=PATIENCE) as answer:
            return str(answer.read().decode().strip())
