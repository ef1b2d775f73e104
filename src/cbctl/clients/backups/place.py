"""Where backups are kept: a folder, or a bucket of S3."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from cbctl.clients.backups import manifest as manifests
from cbctl.clients.backups.manifest import File, Manifest, Proof, is_id
from cbctl.errors import CbctlError, Exit

S3: Final = "s3://"
_AHEAD: Final = 300.0
"""Seconds that the clock of a database may be ahead of this machine's."""

Pause = Callable[[float], None]
"""Waits; raises when the run has to stop."""
Progress = Callable[..., None]


class Place(Protocol):
    """Keeps backups by their ids. One that is not complete is not there.

    Others may write there too: nothing in it is taken for what a backup says of itself."""

    def ids(self) -> list[str]:
        """Of those that are complete, the oldest first."""

    def read(self, id: str, name: str) -> bytes | None:
        """A small file of a backup. Raises CbctlError where it is there and cannot be read."""

    def sizes(self, id: str) -> dict[str, int]:
        """Of what `dump/` holds, by the paths that a manifest names; {} where it is not there."""

    def has_any(self, id: str) -> bool:
        """Whether there is anything of it, be it no backup."""

    def write(self, id: str, name: str, data: bytes) -> None: ...

    def fetch(self, id: str, file: File, folder: Path, pause: Pause) -> Path | None:
        """A copy of the file, in `folder`, where nobody else changes it; None: it is missing."""

    def stage(self, id: str, scratch: Path) -> Path:
        """An empty folder in which a backup is put together; what an interrupted run left there
        is gone."""

    def keep(self, id: str, stage: Path, manifest: bytes, pause: Pause, say: Progress) -> None:
        """Takes over what was put together. Repeated after an interruption it goes on."""

    def remove(self, id: str) -> None: ...

    def clean(self, but: str) -> None:
        """Removes what interrupted runs left, except of the backup `but`. Comes before `stage` and
        `keep`."""


@dataclass(frozen=True)
class Kept:
    """A backup as a list shows it.

    manifest  None where it cannot be read
    proof     that it was proved, as the file beside it says: who may write there may write that too
    recorded  that it was proved, as the history says that is audited
    problem   why it cannot be relied on, in words; "" where nothing speaks against it
    """

    id: str
    manifest: Manifest | None
    proof: Proof | None
    problem: str = ""
    recorded: bool = False

    @property
    def proved(self) -> bool:
        return self.recorded and not self.problem

    @property
    def made_at(self) -> str:
        """By the id where the manifest cannot be read."""
        if self.manifest is not None:
            return self.manifest.made_at
        day, clock = self.id[:8], self.id[9:15]
        return f"{day[:4]}-{day[4:6]}-{day[6:]}T{clock[:2]}:{clock[2:4]}:{clock[4:]}Z"


def open_place(address: str, *, encryption: str = "AES256", kms_key: str | None = None) -> Place:
    """address: a folder, or s3://BUCKET/PREFIX"""
    if address.startswith(S3):
        from cbctl.clients.backups.s3 import Bucket

        return Bucket.open(address, encryption=encryption, kms_key=kms_key)
    from cbctl.clients.backups.folder import Folder

    return Folder(Path(address))


def kept(place: Place, proved: Mapping[str, str]) -> list[Kept]:
    """All that are complete, the oldest first; also those that cannot be relied on.

    proved  by the id, the digest of the manifest of those that the history says were proved
    """
    return [look(place, id, proved.get(id)) for id in place.ids()]


def look(place: Place, id: str, proved: str | None) -> Kept:
    try:
        manifest = manifest_of(place, id, "ENV")
        proof = proof_of(place, manifest)
    except CbctlError as error:
        if error.exit not in (Exit.DIFFERS, Exit.REFUSED):  # then it is the place's, and of all
            raise
        return Kept(id, None, None, error.what)
    recorded = proved == manifest.digest
    if proof is not None and proof.problems:
        why = f"not what it should be ({proof.at}): {proof.problems[0]}"
        return Kept(id, manifest, None, why, recorded)
    return Kept(id, manifest, proof, "", recorded)


def find(place: Place, name: str, env: str) -> Manifest:
    """name: an id, or `last`; env: whose they are. Raises CbctlError: 64 for none of that name,
    10 or 7 for one whose manifest cannot be read."""
    ids = place.ids()
    return manifest_of(place, ids[-1] if name == "last" and ids else name, env)


def manifest_of(place: Place, id: str, env: str) -> Manifest:
    """Raises CbctlError: as `find`, and 10 where it is another backup's, or of the future."""
    data = place.read(id, manifests.NAME) if is_id(id) else None
    if data is None:
        raise _unknown(place, id, env)
    where = f"{id}/{manifests.NAME}"
    found = manifests.read(data, where)
    why = ""
    if found.id != id:
        why = f"it is of the backup {found.id}"
    elif found.made > time.time() + _AHEAD:
        why = f"it was made in the future ({found.made_at}), or the clock of this machine is wrong"
    if why:
        raise manifests.damaged(where, why)
    return found


def find_readable(place: Place, name: str, env: str) -> Manifest:
    """The same, but `last` is the newest whose manifest can be read."""
    ids = place.ids() if name == "last" else []
    for id in reversed(ids):
        try:
            return find(place, id, env)
        except CbctlError as error:
            if error.exit not in (Exit.DIFFERS, Exit.REFUSED):
                raise
    return find(place, name, env)


def is_whole(place: Place, manifest: Manifest) -> bool:
    """By the sizes of its files alone; to read them takes long."""
    there = place.sizes(manifest.id)
    return all(there.get(file.path) == file.size for file in manifest.files)


def proof_of(place: Place, manifest: Manifest) -> Proof | None:
    """What came of the last look at it; None where there was none, or it is another one now."""
    import msgspec

    data = place.read(manifest.id, manifests.PROOF)
    try:
        proof = msgspec.json.decode(data, type=Proof) if data else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return proof if proof and proof.manifest == manifest.digest else None


def _unknown(place: Place, name: str, env: str) -> CbctlError:
    what, fix = f"there is no backup {name!r}", f"cbctl db backups --env {env} lists them"
    if name == "last":
        what, fix = "there is no backup yet", f"cbctl db backup --env {env}"
    elif is_id(name) and place.has_any(name):
        what += f": what has that name there holds no {manifests.NAME}"
    return CbctlError(what, exit=Exit.USAGE, where=str(place), fix=fix)
