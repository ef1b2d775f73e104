"""What a chain starts from: files, features, and that a later start may not say otherwise."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from solders.pubkey import Pubkey
from tests.integration.localnet.loader import LOADER, programdata_of
from tests.unit.localnet.support import GENESIS
from tests.unit.localnet.workload import ELF

from cbctl.localnet import chain as chains
from cbctl.localnet import startup
from cbctl.localnet.chain import Chain, Options
from cbctl.localnet.errors import Stop
from cbctl.localnet.genesis import Loaded, Wanted, check
from cbctl.localnet.startup import ACCOUNT, BPF_PROGRAM, UPGRADEABLE_PROGRAM, StartFile
from cbctl.localnet.vm import features

ADDRESS, OTHER, AUTHORITY = (Pubkey.new_unique() for _ in range(3))
U64 = 2**64 - 1


def _shown(**changes: Any) -> dict[str, Any]:
    """As the Solana CLI shows an account."""
    account = {
        "lamports": 5_000_000,
        "data": [base64.b64encode(b"hello").decode(), "base64"],
        "owner": str(OTHER),
        "executable": False,
        "rentEpoch": U64,
        "space": 5,
    }
    return {"pubkey": str(ADDRESS), "account": {**account, **changes}}


def _file(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "account.json"
    path.write_text(json.dumps(content, indent=2))
    return path


def _read(file: StartFile) -> startup.Initial:
    return startup.read(file, lambda length: 1_000 + length)


@pytest.mark.parametrize("address", ["-", str(ADDRESS), str(OTHER)])
def test_an_account_of_the_solana_cli_is_taken_as_it_is(tmp_path: Path, address: str) -> None:
    found = _read(StartFile(ACCOUNT, address, _file(tmp_path, _shown())))
    ((key, account),) = found.accounts
    assert key == (OTHER if address == str(OTHER) else ADDRESS)
    assert (account.lamports, account.data, account.owner) == (5_000_000, b"hello", OTHER)
    assert (account.executable, account.rent_epoch) == (False, U64)


def test_base58_and_absent_fields_are_read(tmp_path: Path) -> None:
    for data in ("Cn8eVZg", ["Cn8eVZg", "base58"]):
        shown = _shown(data=data)
        del shown["account"]["rentEpoch"], shown["account"]["space"]
        ((_, account),) = _read(StartFile(ACCOUNT, "-", _file(tmp_path, shown))).accounts
        assert account.data == b"hello"
        assert account.rent_epoch == U64


@pytest.mark.parametrize(
    ("shown", "what"),
    [
        ({}, "missing required field `pubkey`"),
        ({"pubkey": str(ADDRESS)}, "missing required field `account`"),
        (_shown(lamports=-1), "64 bits"),
        (_shown(lamports=U64 + 1), "64 bits"),
        (_shown(lamports="5"), "lamports"),
        (_shown(data=["aGVsbG8", "base64"]), "invalid base64"),
        (_shown(data=["KLUv", "base64+zstd"]), r"base64\+zstd is not read here"),
        (_shown(data=[base64.b64encode(bytes(10_485_761)).decode(), "base64"]), "10485760 bytes"),
        (_shown(owner="x"), "'x' is no address"),
        (_shown(owner="Sysvar1111111111111111111111111111111111111"), "is a sysvar"),
        ([], "solana account ADDRESS --output json"),
    ],
)
def test_what_is_wrong_with_an_account_file_is_said(
    tmp_path: Path, shown: object, what: str
) -> None:
    with pytest.raises(Stop, match=what) as stop:
        _read(StartFile(ACCOUNT, "-", _file(tmp_path, shown)))
    assert stop.value.exit_code == 64


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"[" * 100_000, b"\0" * 15_728_641, ELF], ids=range(5)
)
def test_any_other_content_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(Stop) as stop:
        _read(StartFile(ACCOUNT, "-", path))
    assert stop.value.exit_code == 64


def test_programs_get_the_two_accounts_of_the_loader(tmp_path: Path) -> None:
    path = tmp_path / "program.so"
    path.write_bytes(ELF)
    for kind, authority, signer in (
        (BPF_PROGRAM, "", b"\0" * 33),
        (UPGRADEABLE_PROGRAM, str(AUTHORITY), b"\1" + bytes(AUTHORITY)),
    ):
        found = _read(StartFile(kind, str(ADDRESS), path, authority))
        (code_address, code), (address, program) = found.accounts
        assert (address, code_address) == (ADDRESS, programdata_of(ADDRESS))
        assert program.data == b"\2\0\0\0" + bytes(code_address)
        assert program.executable
        assert code.data == b"\3\0\0\0" + bytes(8) + signer + ELF
        assert code.owner == program.owner == LOADER
        assert code.lamports == 1_000 + len(code.data)
        digest = hashlib.sha256(ELF).hexdigest()
        assert found.loaded == Loaded(kind, str(ADDRESS), digest, authority)


@pytest.mark.parametrize("content", [b"no ELF", ELF[:5_000], b""])
def test_a_program_that_cannot_run_is_refused_and_no_chain_begun(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "program.so"
    path.write_bytes(content)
    folder = tmp_path / "state"
    folder.mkdir()
    with pytest.raises(Stop, match="VM does not take") as stop:
        chains.create(folder, Options(files=[StartFile(BPF_PROGRAM, str(ADDRESS), path)]))
    assert stop.value.exit_code == 64
    assert list(folder.iterdir()) == []


def test_an_address_given_twice_is_refused(tmp_path: Path) -> None:
    path = _file(tmp_path, _shown())
    with pytest.raises(Stop, match="given twice"):
        chains.create(tmp_path, Options(files=[StartFile(ACCOUNT, "-", path)] * 2))


def test_a_chain_knows_what_it_started_from(tmp_path: Path) -> None:
    path = _file(tmp_path, _shown())
    off = next(str(f) for f in features().active)
    on = next(str(f) for f in features().inactive)
    options = Options(300, [on], [off], [StartFile(ACCOUNT, "-", path)])
    chains.create(tmp_path, options)
    chain = Chain(tmp_path)
    genesis = chain.store.head.genesis
    assert dict(chain.store.accounts())[ADDRESS].data == b"hello"
    chain.close()
    assert (genesis.slot_ms, genesis.activated, genesis.deactivated) == (300, (on,), (off,))
    check(genesis, Wanted())
    check(genesis, options.wanted())
    path.write_text(path.read_text() + "\n")
    with pytest.raises(Stop, match=f"--account {ADDRESS} names another file") as stop:
        check(genesis, options.wanted())
    assert stop.value.exit_code == 7


ONE, TWO = (Loaded(BPF_PROGRAM, str(key), "aa", "") for key in (ADDRESS, OTHER))


@pytest.mark.parametrize(
    ("wanted", "what"),
    [
        (Wanted(slot_ms=400), "its slots take 250 ms, and --slot-ms says 400"),
        (Wanted(activated=("a",)), "--feature was not given then"),
        (Wanted(deactivated=("a",)), "--deactivate-feature was not given then"),
        (Wanted(loaded=(ONE, TWO)), f"--bpf-program {TWO.address} was not given then"),
        (Wanted(loaded=(TWO,)), f"--bpf-program {TWO.address} was not given then"),
        (
            Wanted(loaded=(Loaded(BPF_PROGRAM, ONE.address, "bb"),)),
            f"--bpf-program {ONE.address} names another file",
        ),
        (
            Wanted(loaded=(Loaded(UPGRADEABLE_PROGRAM, ONE.address, "aa", "x"),)),
            f"--upgradeable-program {ONE.address} was not given then",
        ),
    ],
)
def test_a_later_start_may_not_say_otherwise(wanted: Wanted, what: str) -> None:
    import msgspec

    genesis = msgspec.structs.replace(GENESIS, loaded=(ONE,))
    with pytest.raises(Stop, match=what) as stop:
        check(genesis, wanted)
    assert stop.value.exit_code == 7


def test_one_left_out_of_several_is_said() -> None:
    import msgspec

    genesis = msgspec.structs.replace(GENESIS, loaded=(ONE, TWO))
    with pytest.raises(Stop, match=f"{TWO.address} was given then, and is missing now"):
        check(genesis, Wanted(loaded=(ONE,)))


def test_features_are_checked() -> None:
    on = next(str(f) for f in features().active)
    off = next(str(f) for f in features().inactive)
    changed = features([off], [on])
    assert changed.is_active(Pubkey.from_string(off))
    assert not changed.is_active(Pubkey.from_string(on))
    for activated, deactivated, what in (
        ([on], [], "active already"),
        ([], [off], "not active anyway"),
        ([str(ADDRESS)], [], "none that this VM knows"),
        ([], ["x"], "none that this VM knows"),
    ):
        with pytest.raises(ValueError, match=what):
            features(activated, deactivated)
