"""The upgrade authority offered at one place and accepted at another, on a real localnet."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from solders.hash import Hash
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import (
    AdvanceNonceAccountParams,
    advance_nonce_account,
    create_nonce_account,
)
from tests.integration.program.commands import Done, House
from tests.integration.program.support import SMALL_ELF, Localnet
from tests.testbed.context import FakeContext
from tests.testbed.forked import Forked

from cbctl.clients.solana import offer as offers
from cbctl.clients.solana.deliver import deliver
from cbctl.clients.solana.keypair import write
from cbctl.clients.solana.loader import programdata_address
from cbctl.errors import CbctlError, Exit

NEW = Keypair()
NEW_KEY = NEW.pubkey()


@pytest.fixture
def house(net: Localnet, forked: Forked, tmp_path: Path) -> House:
    made = House.make(tmp_path, net, forked)
    write(tmp_path / "keys" / "new.json", NEW)
    (tmp_path / "program.so").write_bytes(SMALL_ELF.read_bytes())
    made.run("deploy").ended()
    return made


def offer(house: House, *more: str, to: Pubkey = NEW_KEY) -> Done:
    return house.run(
        "authority", "offer", "offer.json", "--to", str(to), "--confirm", house.id, *more
    )


def accept(house: House, *more: str, file: str = "offer.json") -> Done:
    words = ("authority", "accept", file, "--wallet", "keys/new.json", "--output", "json")
    return house.run(*words, "--confirm", house.id, *more)


def authority(house: House) -> str:
    shown = house.run("authority", "show", "--output", "json").ended().json
    return str(shown["authority"])


def nonce_account(house: House) -> Pubkey:
    account = Keypair()
    key, rent = house.wallet.pubkey(), house.net.rpc.rent(80)
    make = create_nonce_account(key, account.pubkey(), key, rent)
    house.net.confirm(house.net.run(list(make), house.wallet, account))
    return account.pubkey()


def test_offered_and_accepted(house: House, tmp_path: Path) -> None:
    asked = ("authority", "offer", "offer.json", "--to", str(NEW.pubkey()))
    house.run(*asked).refused(64, "asks for its id", f"--confirm {house.id}")
    house.run(*asked, "--plan").ended(2)
    assert not (tmp_path / "offer.json").exists()
    done = offer(house).ended()
    assert "it expires after block height" in done.err and "in about" in done.err
    assert "nothing changes until accepted" in done.out
    kept = json.loads((tmp_path / "offer.json").read_text())
    assert kept["program"] == house.id and kept["lastValidBlockHeight"] > 0
    assert kept["transaction"] in done.out
    assert (tmp_path / "offer.json").stat().st_mode & 0o777 == 0o600
    assert authority(house) == str(house.wallet.pubkey())  # an offer is no change
    assert offer(house, "--output", "json").ended().json["result"] == "unchanged"

    before = house.balance(NEW.pubkey())
    house.run("authority", "accept", "offer.json").refused(7, "the offer is for", "--wallet")
    assert accept(house).ended().json["result"] == "succeeded"
    assert authority(house) == str(NEW.pubkey())
    assert house.balance(NEW.pubkey()) == before  # who offers pays
    assert accept(house).ended().json["result"] == "unchanged"
    assert offer(house, "--output", "json").ended().json["result"] == "unchanged"


def test_with_a_nonce_it_waits(house: House, tmp_path: Path) -> None:
    nonce = nonce_account(house)
    done = offer(house, "--nonce", str(nonce)).ended()
    assert f"waits until the nonce account {nonce} is advanced" in done.err
    kept = json.loads((tmp_path / "offer.json").read_text())
    assert kept["nonce"] == str(nonce)
    house.net.next_slot()
    # the base64 alone will do too
    (tmp_path / "plain").write_text(f"{kept['transaction']}\n")
    assert accept(house, file="plain").ended().json["result"] == "succeeded"
    assert authority(house) == str(NEW.pubkey())


def test_a_nonce_that_has_gone_on(house: House) -> None:
    nonce = nonce_account(house)
    offer(house, "--nonce", str(nonce)).ended()
    params = AdvanceNonceAccountParams(nonce_pubkey=nonce, authorized_pubkey=house.wallet.pubkey())
    house.net.next_slot()
    house.net.confirm(house.net.run([advance_nonce_account(params)], house.wallet))
    accept(house).refused(7, f"its nonce account {nonce} has gone on")
    # the next offer is another one
    assert offer(house, "--nonce", str(nonce), "--output", "json").ended().json["changes"]
    accept(house).ended()


def test_an_offer_that_has_expired(house: House, tmp_path: Path) -> None:
    data, key = programdata_address(house.program.pubkey()), house.wallet.pubkey()
    old = offers.Offer(data, key, NEW.pubkey(), str(Hash.new_unique()))
    wire = offers.signed_by_present(old, house.wallet)
    (tmp_path / "offer.json").write_bytes(base64.b64encode(wire))
    accept(house).refused(7, "has expired", "cbctl program authority offer")
    # the same when that comes out only while it is sent
    signed = offers.accepted(wire, old, NEW)
    rpc = house.net.rpc
    with pytest.raises(CbctlError, match="could not accept the authority: the offer has") as caught:
        deliver(rpc, FakeContext(), signed, "accept the authority", lambda: offers.void(rpc, old))
    assert caught.value.exit is Exit.REFUSED
    assert authority(house) == str(key)


def test_what_is_no_offer(house: House, tmp_path: Path) -> None:
    offer(house).ended()
    kept = json.loads((tmp_path / "offer.json").read_text())
    wire = bytearray(base64.b64decode(kept["transaction"]))
    wire[-40] ^= 1
    kept["transaction"] = base64.b64encode(bytes(wire)).decode()
    (tmp_path / "tampered.json").write_text(json.dumps(kept))
    accept(house, file="tampered.json").refused(7, "the offer is not taken")
    accept(house, file="keys/new.json").refused(64, "this is no offer")
    accept(house, file="none.json").refused(64, "No such file")
    other = str(Keypair().pubkey())
    words = ("authority", "accept", "offer.json", "--wallet", "keys/new.json")
    house.run(*words, "--program-id", other, "--confirm", other).refused(7, "another program")
    assert authority(house) == str(house.wallet.pubkey())

    (tmp_path / "offer.json").write_text("mine")
    offer(house).refused(7, "was not written by this command", "--force")
    offer(house, "--nonce", house.id, "--force").refused(7, "is no nonce account")
    offer(house, to=programdata_address(house.program.pubkey())).refused(7, "not written by")
    (tmp_path / "offer.json").unlink()
    for nobody in (programdata_address(house.program.pubkey()), house.program.pubkey()):
        offer(house, to=nobody).refused(7, "only a key can accept")
    offer(house, "--wallet", "keys/new.json").refused(7, "the upgrade authority of")
    assert not (tmp_path / "offer.json").exists()
