"""What a deploy leaves in the systems, to be compared with what another one left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.e2e.support import Platform

AIRDROP = 100_000_000_000  # lamports, as deploy.yaml asks for
_OWN = {"program_id", "slot"}  # another in every state folder


@dataclass(frozen=True)
class End:
    releases: list[str]
    parts: dict[str, Any]
    on_chain: str
    program: bytes
    schema: list[tuple[Any, ...]]
    migrations: list[tuple[Any, ...]]
    marker: list[tuple[Any, ...]]
    services: list[str]
    token_supply: int
    lamports: int

    @classmethod
    def of(cls, platform: Platform) -> End:
        releases = platform.releases()
        parts = releases[-1]["parts"]
        return cls(
            [r["id"] for r in releases],
            {k: v for k, v in parts.items() if k not in _OWN},
            platform.program_on_chain(parts["program_id"]),
            platform.account(parts["program_id"])[:4],
            platform.schema(),
            platform.sql("SELECT version, checksum FROM schema_migrations ORDER BY version"),
            platform.sql("SELECT platform, environment, building FROM cbctl_marker"),
            sorted(platform.pids()),
            int.from_bytes(platform.account(platform.address("usdc-mint"))[36:44], "little"),
            platform.balance(),
        )

    def require(self, other: End) -> None:
        """Fails where the other one is not the same."""
        for name in self.__dataclass_fields__:
            if name != "lamports":
                assert getattr(other, name) == getattr(self, name), name
        # A second airdrop would show as another hundred SOL; what is missing are fees and rent.
        assert other.lamports <= AIRDROP
        assert abs(other.lamports - self.lamports) < AIRDROP // 100
