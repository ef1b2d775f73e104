"""Deploys an ELF in a virtual machine before a real cluster is paid for it.

No verifier of SBPF exists in Python; LiteSVM runs the loader's own code, so what it takes a
cluster with the same features takes. It runs in a process of its own: a panic inside it is no
Exception, prints to stderr, and may leave the machine unusable.

    python -m cbctl.clients.solana.dry_deploy < program.so

writes {"problem": null} or {"problem": "why"}.
"""

from __future__ import annotations

import json
import struct
import subprocess
import sys

from cbctl.clients.solana.elf import Elf
from cbctl.errors import CbctlError

TIMEOUT = 60.0  # seconds


def problem(elf: Elf) -> str | None:
    """Why a loader refuses the file, None when it takes it.

    Errors: CbctlError when the check itself cannot be made.
    """
    try:
        done = subprocess.run(
            # -P: nothing from the folder that the operator happens to stand in
            [sys.executable, "-P", "-m", __name__],
            input=elf.data,
            capture_output=True,
            start_new_session=True,  # Ctrl-C stops the run at a safe point, not the child
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"the loader did not come to an end within {TIMEOUT:g} s"
    except OSError as error:
        raise CbctlError(f"the dry deploy cannot be started: {error.strerror}") from None
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        # No verdict: the virtual machine went down with it, as it does when the loader panics.
        return f"the loader crashed on it (status {done.returncode})"
    found = answer["problem"]
    return None if found is None else str(found)


def deploy(data: bytes) -> str | None:
    """Runs DeployWithMaxDataLen on a fresh LiteSVM; why it failed, or None."""
    from solders.account import Account
    from solders.keypair import Keypair
    from solders.litesvm import LiteSVM
    from solders.message import Message
    from solders.system_program import ID as SYSTEM
    from solders.system_program import CreateAccountParams, create_account
    from solders.transaction import Transaction
    from solders.transaction_metadata import FailedTransactionMetadata

    from cbctl.clients.solana import loader

    svm = (
        LiteSVM.default()
        .with_feature_set(LiteSVM.mainnet_feature_set())
        .with_builtins()
        .with_sysvars()
        .with_feature_accounts()
    )
    payer, program, buffer = Keypair(), Keypair(), Keypair().pubkey()
    svm.set_account(payer.pubkey(), Account(10**15, b"", SYSTEM, False, 0))
    header = struct.pack("<IB", 1, 1) + bytes(payer.pubkey())
    held = header + data
    rent = svm.minimum_balance_for_rent_exemption(len(held))
    svm.set_account(buffer, Account(rent, held, loader.LOADER, False, 0))
    create = create_account(
        CreateAccountParams(
            from_pubkey=payer.pubkey(),
            to_pubkey=program.pubkey(),
            lamports=svm.minimum_balance_for_rent_exemption(loader.PROGRAM_SIZE),
            space=loader.PROGRAM_SIZE,
            owner=loader.LOADER,
        )
    )
    final = loader.deploy(payer.pubkey(), program.pubkey(), buffer, payer.pubkey(), len(data))
    message = Message([create, final], payer.pubkey())
    result = svm.send_transaction(Transaction([payer, program], message, svm.latest_blockhash()))
    if isinstance(result, FailedTransactionMetadata):
        logs = [line for line in result.meta().logs() if "success" not in line]
        said = [line for line in logs if not line.startswith("Program 11111111")]
        return (said[-2] if len(said) > 1 else str(result.err()))[:300]
    return None


if __name__ == "__main__":
    print(json.dumps({"problem": deploy(sys.stdin.buffer.read())}))
