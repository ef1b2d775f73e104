"""Keypairs that the local state generates: `${key:NAME}` is kept in `secrets/keypair-NAME`.

The file holds what the Solana CLI writes: a JSON array of 64 numbers, the secret key and then the
public key. The step `local.keys` makes them; here they are only read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cbctl.errors import CbctlError, Exit
from cbctl.secrets.env_file import read_private

KEYPAIR = "keypair-"
"""In front of a keypair's name among the secrets of the state folder."""


@dataclass(frozen=True)
class LocalKeys:
    """state  the state folder of the environment"""

    state: Path

    def has(self, name: str) -> bool:
        return self._file(name).exists()

    def keypair(self, name: str) -> str:
        text = read_private(self._file(name))
        if text is None:
            raise CbctlError(
                f"the local state has no keypair `{name}` yet",
                exit=Exit.USAGE,
                fix=f"cbctl deploy {self.state.name}",
            )
        return text.removesuffix("\n")

    def address(self, name: str) -> str:
        """Base58."""
        from solders.keypair import Keypair

        try:
            return str(Keypair.from_json(self.keypair(name)).pubkey())
        except ValueError:  # its message may repeat what is in the file
            raise CbctlError(
                "this is no keypair: expected a JSON array of 64 numbers",
                exit=Exit.USAGE,
                where=str(self._file(name)),
            ) from None

    def _file(self, name: str) -> Path:
        return self.state / "secrets" / f"{KEYPAIR}{name}"
