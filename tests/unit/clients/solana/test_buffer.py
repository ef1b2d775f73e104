from __future__ import annotations

from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM

from cbctl.clients.solana import buffer, loader
from cbctl.clients.solana.elf import Elf
from cbctl.clients.solana.rpc import Rpc
from cbctl.clients.solana.types import Account

OWNER, PROGRAM = Keypair().pubkey(), Keypair().pubkey()
ELF = Elf(bytes(range(200)), "ab" * 32, "cd" * 32, 3)


class Accounts(Rpc):
    """A node that knows some accounts."""

    def __init__(self, held: dict[Pubkey, Account]) -> None:
        super().__init__("http://localhost")
        self._held = held

    def accounts(self, keys: object, *, since: int = 0) -> tuple[int, list[Account | None]]:
        assert isinstance(keys, list)
        return 1, [self._held.get(key) for key in keys]


def made(authority: Pubkey | None, elf: bytes, owner: Pubkey = loader.LOADER) -> Account:
    header = b"\1\0\0\0" + (b"\1" + bytes(authority) if authority else bytes(33))
    return Account(9, owner, header + elf, False)


PLACES = [address for _, address in buffer.candidates(OWNER, PROGRAM, ELF)]


def located(*held: Account | None) -> buffer.Place:
    known = {place: account for place, account in zip(PLACES, held, strict=False) if account}
    return buffer.locate(Accounts(known), OWNER, PROGRAM, ELF)


def test_first_address_when_nothing_is_there() -> None:
    assert located().address == PLACES[0]
    assert located().elf is None


def test_begun_buffer_is_continued() -> None:
    place = located(made(OWNER, bytes(200)))
    assert (place.address, place.elf, place.lamports) == (PLACES[0], bytes(200), 9)


def test_address_with_lamports_only_is_used() -> None:
    place = located(Account(7, SYSTEM, b"", False))
    assert (place.address, place.elf, place.lamports) == (PLACES[0], None, 7)


def test_addresses_of_something_else_are_passed_over() -> None:
    others = (
        made(PROGRAM, bytes(200)),  # handed over
        made(OWNER, bytes(199)),  # another size
        made(None, bytes(200)),
        made(OWNER, bytes(200), owner=PROGRAM),
        Account(7, loader.LOADER, bytes(237), False),  # not initialized
    )
    assert located(*others).address == PLACES[len(others)]
    # a buffer of ours behind them is found, even past a free address
    assert located(*others, None, made(OWNER, bytes(200))).elf == bytes(200)


def test_differing_chunks() -> None:
    elf = b"a" * 10 + b"b" * 10 + bytes(10) + b"c" * 3
    assert buffer.differing(elf, bytes(33), 10) == [0, 10, 30]
    assert buffer.differing(elf, elf, 10) == []
    assert buffer.differing(elf, elf[:-1] + b"x", 10) == [30]
