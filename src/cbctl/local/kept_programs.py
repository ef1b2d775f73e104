"""Programs that were on chain, kept for the way back: `<state>/programs/<address>/`.

`<hash>.so` is what was deployed, with the record of its build beside it where there is one,
`<hash>.idl.json` its IDL where that is known, and `kept.json` tells in which order. The hash is the
one of the chain, without trailing zeros.

What a multisig has yet to bring on chain is kept as proposed: nothing tells when it has done so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cbctl.errors import CbctlError, Exit
from cbctl.local import build_record
from cbctl.local.build_record import BuildRecord
from cbctl.local.files import PRIVATE_FOLDER, write_atomic

_INDEX = "kept.json"
KEEP = 5  # the newest; a program is at most ten megabytes


@dataclass(frozen=True)
class Kept:
    """
    run       which brought it on chain, found it there, or proposed it
    versions  highest version of each account type that was on chain when it was replaced
    proposed  nobody has seen it on chain yet
    """

    hash: str
    run: str
    elf: Path
    idl: Path | None
    versions: Mapping[str, int]
    proposed: bool = False


class Programs:
    """Those of one address."""

    def __init__(self, state: Path, program: str) -> None:
        self._folder = state / "programs" / program

    def all(self) -> list[Kept]:
        """Oldest first; whatever is no longer there is left out."""
        return [
            Kept(
                one["hash"],
                one["run"],
                self._elf(one["hash"]),
                self._idl(one["hash"]) if self._idl(one["hash"]).is_file() else None,
                one["versions"],
                one["proposed"],
            )
            for one in self._read()
            if self._elf(one["hash"]).is_file()
        ]

    def keep(
        self,
        hash: str,
        elf: bytes,
        idl: str | None,
        run: str,
        build: BuildRecord | None = None,
        versions: Mapping[str, int] | None = None,
        *,
        proposed: bool = False,
    ) -> None:
        """The newest from now on. Again with the same hash it only moves to the end.

        versions  beside those that are known of it; the higher one of each type is kept"""
        for folder in (self._folder.parent, self._folder):
            folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        write_atomic(self._elf(hash), elf)
        if idl is not None:
            write_atomic(self._idl(hash), idl.encode())
        if build is not None:
            build_record.write(self._elf(hash), build)
        read = self._read()
        others = [one for one in read if one["hash"] != hash]
        same = next((one for one in read if one["hash"] == hash), None)
        known = {} if same is None else dict(same["versions"])
        for name, version in (versions or {}).items():
            known[name] = max(version, known.get(name, 0))
        new = {
            "hash": hash,
            "run": run,
            "versions": known,
            "proposed": proposed and (same is None or same["proposed"]),
        }
        listed = [*others, new][-KEEP:]
        write_atomic(self._folder / _INDEX, json.dumps(listed, indent=1).encode())
        for one in others:
            if one not in listed:
                self._elf(one["hash"]).unlink(missing_ok=True)
                self._idl(one["hash"]).unlink(missing_ok=True)
                self.proposal(one["hash"]).unlink(missing_ok=True)
                build_record.path_of(self._elf(one["hash"])).unlink(missing_ok=True)

    def before(self, hash: str) -> Kept | None:
        """The newest other one that was on chain."""
        others = (one for one in reversed(self.all()) if one.hash != hash)
        return next((one for one in others if not one.proposed), None)

    def proposal(self, hash: str) -> Path:
        """Where the transaction is kept by which a multisig brings it on chain."""
        return self._folder / f"{hash}.upgrade.json"

    def of(self, hash: str) -> Kept | None:
        return next((one for one in self.all() if one.hash == hash), None)

    def _read(self) -> list[dict[str, Any]]:
        path = self._folder / _INDEX
        try:
            found = json.loads(path.read_text())
            return [
                {
                    "hash": str(one["hash"]),
                    "run": str(one["run"]),
                    "versions": {str(k): int(v) for k, v in one.get("versions", {}).items()},
                    "proposed": bool(one.get("proposed")),
                }
                for one in found
            ]
        except FileNotFoundError:
            return []
        except (ValueError, TypeError, KeyError, AttributeError):
            raise CbctlError(
                "the list of kept programs is damaged",
                exit=Exit.REFUSED,
                where=str(path),
                fix="remove it; then the way back is to deploy the former file by --elf",
            ) from None

    def _elf(self, hash: str) -> Path:
        return self._folder / f"{hash}.so"

    def _idl(self, hash: str) -> Path:
        return self._folder / f"{hash}.idl.json"
