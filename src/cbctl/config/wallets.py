"""Which wallet a command line means, as a reference that is read when it is needed."""

from __future__ import annotations

import os
from pathlib import Path

from cbctl.config.urls import expanded
from cbctl.errors import CbctlError, Exit

SOLANA_CLI = "solana-cli"
FORMS = f"FILE, env:NAME, kms:KEY, {SOLANA_CLI}"
_LEDGER = "usb:"


def wallet_reference(form: str, folder: Path | None = None) -> str:
    """The text of a reference: `${file:…}`, `${env:…}`, `${kms:…}`.

    folder  what a relative path is relative to
    Errors: CbctlError (64, or 7 for a hardware wallet)
    """
    kind, _, name = form.partition(":")
    if form == SOLANA_CLI:
        return wallet_reference(_of_solana_cli())
    if form.startswith(_LEDGER):
        raise CbctlError(
            "a Ledger signs one transaction at a time by hand, and a deploy has many",
            exit=Exit.REFUSED,
            where=form,
            fix="make it a member of a multisig, and that the upgrade authority "
            "(cbctl program authority set --to VAULT --multisig ADDRESS)",
        )
    if kind in ("env", "kms") and name:
        text = f"${{{kind}:{name}}}"
    else:
        text = f"${{file:{((folder or Path.cwd()) / expanded(form)).absolute()}}}"
    return _checked(text, form)


def _checked(text: str, form: str) -> str:
    from cbctl.config.reference import BadReference, parse

    try:
        parse(text)
    except BadReference:
        raise CbctlError(
            "this is no wallet", exit=Exit.USAGE, where=form, fix=f"one of {FORMS}"
        ) from None
    return text


def _of_solana_cli() -> str:
    """`keypair_path` of the Solana CLI's configuration."""
    import yaml

    home = os.environ.get("XDG_CONFIG_HOME") or str(expanded("~/.config"))
    path = Path(home) / "solana" / "cli" / "config.yml"
    fix = f"name a wallet: --wallet {FORMS}, or `program.wallet` in cbctl.yaml"
    try:
        found = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise CbctlError(
            f"no wallet is named, and the Solana CLI has no configuration at {path}",
            exit=Exit.USAGE,
            fix=fix,
        ) from None
    except (OSError, ValueError, yaml.YAMLError):
        found = None
    keypair = found.get("keypair_path") if isinstance(found, dict) else None
    if not isinstance(keypair, str) or not keypair:
        raise CbctlError("no `keypair_path` in it", exit=Exit.USAGE, where=str(path), fix=fix)
    return keypair
