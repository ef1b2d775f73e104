"""The keypairs of a program: made, looked at, and backed up so that they can be restored."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from cbctl.clients import age
from cbctl.clients.solana import keypair as files
from cbctl.config.rules import leaves
from cbctl.config.types import Reference
from cbctl.errors import CbctlError, Exit
from cbctl.local import key_backup
from cbctl.local.files import write_atomic
from cbctl.local.key_backup import KeyBackup
from cbctl.secrets.env_file import read_private
from cbctl.wiring.view import keypair_of
from cbctl.wiring.workplace import Workplace

_SETTINGS = ("program.keypair", "program.wallet", "program.pause.wallet", "program.unpause.wallet")


MAGIC = b"-----BEGIN AGE ENCRYPTED FILE-----"


def new_keypair(file: Path) -> tuple[str, bool]:
    """(its address, whether it was made now)"""
    made = not file.exists()
    return str(files.read_or_create(file).pubkey()), made


def keypairs(work: Workplace) -> dict[str, Reference]:
    """By setting. A key in KMS has no copy."""
    named = ((s, v) for s, v in leaves(work.env) if s in _SETTINGS and isinstance(v, Reference))
    found = {setting: keypair_of(value) for setting, value in named if value.kind != "kms"}
    return {setting: value for setting, value in found.items() if value is not None}


def addresses(work: Workplace) -> list[dict[str, Any]]:
    """What each setting names, never the key itself; None where it is not there."""
    rows = []
    for setting, reference in keypairs(work).items():
        try:
            text = work.world.reveal(reference).reveal()
            address: str | None = str(files.parse(text, reference.text).pubkey())
        except CbctlError as error:
            if error.exit is not Exit.USAGE:
                raise
            address = None
        rows.append({"setting": setting, "address": address, "from": reference.text})
    return rows


def backup(work: Workplace, file: Path, recipient: str | None, identity: Path) -> KeyBackup:
    """Writes all keypairs, encrypted, proves that they come back, and records it.

    recipient  None: that of cbctl.yaml, else the one that belongs to the identity
    identity   file of the secret that opens it: what was written is read again and opened
    """
    texts, known = {}, {}
    for setting, reference in keypairs(work).items():
        text = work.world.reveal(reference).reveal()
        known[setting] = str(files.parse(text, reference.text).pubkey())
        texts[setting] = json.loads(text)
    if not texts:
        raise CbctlError(
            "there is nothing to back up: no keypair is named",
            exit=Exit.REFUSED,
            where=work.env.name,
            fix="program.keypair and program.wallet in cbctl.yaml",
        )
    secret = read_private(identity)
    if secret is None:
        raise CbctlError("there is no such file", exit=Exit.USAGE, where=str(identity))
    whom = recipient or work.env.program.backup.recipient or age.recipient_of(secret)
    content = json.dumps({"platform": work.env.platform, "keypairs": texts}).encode()
    sealed = age.encrypt(content, whom)
    if age.decrypt(sealed, secret) != content:
        raise CbctlError("what was encrypted opens as something else", exit=Exit.FAILED)
    write_atomic(file, sealed)
    if age.decrypt(file.read_bytes(), secret) != content:
        raise CbctlError("the file holds something else", exit=Exit.FAILED, where=str(file))
    made = KeyBackup(known, whom, hashlib.sha256(sealed).hexdigest(), work.world.clock.wall())
    key_backup.write(work.state.path, made)
    return made
