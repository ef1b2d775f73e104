"""Every account of every instruction, replaced by each kind of wrong one.

All wrong calls are made in a situation in which the right one succeeds; none may change anything,
and in the end the right one is made.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from solders.account import Account
from solders.instruction import AccountMeta
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.unit.programs.crypto_bet import Error
from tests.unit.programs.house import House
from tests.unit.programs.markets import Kind
from tests.unit.programs.scenes import ACCOUNTS, EVERY, SCENES, Scene, scene, stored
from tests.unit.programs.svm import Chain

ANYBODY = {("finalize_market", "user")}
"""Accounts that anybody may be."""

OURS = ("config", "market", "position")
"""Accounts with a content that the program reads."""

every = pytest.mark.parametrize(
    ("name", "kind"), EVERY, ids=lambda value: getattr(value, "name", value)
)


def changed(scene: Scene, index: int, meta: AccountMeta) -> Scene:
    accounts = list(scene.instruction.accounts)
    accounts[index] = meta
    return scene.with_accounts(accounts)


def refused(scene: Scene, *more_signers: Keypair) -> int | str:
    """The error of a call that must fail and change nothing."""
    house = scene.house
    payer = house.anybody.pubkey()  # whom the fee changes
    addresses = [meta.pubkey for meta in scene.instruction.accounts if meta.pubkey != payer]
    before = stored(house, addresses)
    wanted = {meta.pubkey for meta in scene.instruction.accounts if meta.is_signer}
    signers = [one for one in (*scene.signers, *more_signers) if one.pubkey() in wanted]
    outcome = house.send(scene.instruction, *signers)
    assert outcome.error is not None
    assert stored(house, addresses) == before
    return outcome.error


def created(scene: Scene, index: int) -> bool:
    return scene.house.chain.account(scene.instruction.accounts[index].pubkey) is None


def wrong_calls(scene: Scene, instruction: str) -> Iterator[tuple[str, str, int | str]]:
    """Account, what is wrong with it, the error."""
    house = scene.house
    accounts, names = list(scene.instruction.accounts), scene.names()
    stranger = house.person()
    for index, (meta, name) in enumerate(zip(accounts, names, strict=True)):
        if meta.is_signer:
            unsigned = AccountMeta(meta.pubkey, False, meta.is_writable)
            yield name, "not signed", refused(changed(scene, index, unsigned))
        if meta.is_writable:
            read_only = AccountMeta(meta.pubkey, meta.is_signer, False)
            yield name, "read-only", refused(changed(scene, index, read_only))
        other = AccountMeta(stranger.pubkey(), meta.is_signer, meta.is_writable)
        if (instruction, name) not in ANYBODY:
            yield name, "another", refused(changed(scene, index, other), stranger)
        for second, twice in enumerate(accounts):
            if second != index and twice.pubkey != meta.pubkey:
                same = AccountMeta(twice.pubkey, meta.is_signer, meta.is_writable)
                signers = scene.signers if twice.pubkey in _keys(scene) else ()
                if meta.is_signer and not signers:
                    continue  # nobody can sign for it
                error = refused(changed(scene, index, same), *signers)
                yield name, f"the same as {names[second]}", error
        if not created(scene, index) and not meta.is_signer:
            yield from copies(scene, index, name)
    for count in range(len(accounts)):
        error = refused(scene.with_accounts(accounts[:count]))
        yield "all", f"only {count}", error


def copies(scene: Scene, index: int, name: str) -> Iterator[tuple[str, str, int | str]]:
    house = scene.house
    meta = scene.instruction.accounts[index]
    account = house.chain.account(meta.pubkey)
    assert account is not None
    data, owner = bytes(account.data), account.owner
    if account.executable or name.endswith("_token"):
        return  # a program; another token account of the same owner is as good
    copy = Pubkey.new_unique()
    there = AccountMeta(copy, False, meta.is_writable)
    if not _proved_by_its_owner(name, meta):
        house.chain.put(copy, data, owner)
        yield name, "a copy elsewhere", refused(changed(scene, index, there))
    if name in OURS:
        house.chain.put(copy, data, Pubkey.new_unique())
        yield name, "a copy of another program", refused(changed(scene, index, there))
        other_kind = bytes([data[0] ^ 1]) + data[1:]
        house.chain.vm.set_account(meta.pubkey, _like(account, other_kind))
        yield name, "another discriminator", refused(scene)
        house.chain.vm.set_account(meta.pubkey, _like(account, data[:8] + b"\x09" + data[9:]))
        yield name, "another version", refused(scene)
        house.chain.vm.set_account(meta.pubkey, _like(account, data[:-1]))
        yield name, "another length", refused(scene)
        house.chain.vm.set_account(meta.pubkey, account)


EXPECTED = {
    "not signed": Error.NOT_SIGNER,
    "read-only": Error.CONSTRAINT_MUT,
    "a copy of another program": Error.OWNED_BY_WRONG_PROGRAM,
    "another discriminator": Error.DISCRIMINATOR_MISMATCH,
    "another version": Error.UNSUPPORTED_VERSION,
    "another length": Error.ACCOUNT_DID_NOT_DESERIALIZE,
}


@every
def test_each_account_is_checked(chain: Chain, name: str, kind: Kind) -> None:
    house = House.build(chain)
    found = scene(house, name, kind)
    count = 0
    for account, wrong, error in wrong_calls(found, name):
        expected = EXPECTED.get(wrong)
        # tokens are checked by the token program, in its own words
        if expected is not None and not account.endswith("_token"):
            assert error == expected, f"{account}: {wrong}"
        count += 1
    assert count > 2 * len(found.instruction.accounts)
    house.must(found.instruction, *found.signers)


def test_no_instruction_is_left_out() -> None:
    # initialize_program has a file of its own: it runs before there is a house
    assert {name.split(",")[0] for name in SCENES} == set(ACCOUNTS) - {"initialize_program"}


def _proved_by_its_owner(name: str, meta: AccountMeta) -> bool:
    """The program makes such accounts at their one address, and nobody else can make one: a copy
    that it owns exists only here. The configuration's address is proved again before it is changed.
    """
    return name in ("market", "position") or (name == "config" and not meta.is_writable)


def _keys(scene: Scene) -> set[Pubkey]:
    return {one.pubkey() for one in scene.signers}


def _like(account: Account, data: bytes) -> Account:
    return Account(account.lamports, data, account.owner)
