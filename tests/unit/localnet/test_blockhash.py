"""Which blockhashes a transaction may name."""

from __future__ import annotations

from cbctl.localnet.blockhash import MAX_AGE, BlockhashQueue

SEED = bytes(range(32))


def test_a_blockhash_lives_for_150_further_slots() -> None:
    queue = BlockhashQueue(SEED, first_slot=1_000)
    queue.advance(1_000)
    blockhash = str(queue.at(1_000))
    for slot in range(1_000, 1_000 + MAX_AGE + 1):
        queue.advance(slot)
        assert queue.is_valid(blockhash)
    queue.advance(1_000 + MAX_AGE + 1)
    assert not queue.is_valid(blockhash)


def test_a_long_pause_leaves_the_newest_and_no_more() -> None:
    queue = BlockhashQueue(SEED, first_slot=0)
    queue.advance(10)
    queue.advance(1_000_000)
    assert len(queue) < 2 * MAX_AGE
    assert queue.is_valid(str(queue.at(1_000_000)))
    assert queue.is_valid(str(queue.at(1_000_000 - MAX_AGE)))
    assert not queue.is_valid(str(queue.at(10)))


def test_an_older_slot_knows_older_hashes_and_no_newer_ones() -> None:
    queue = BlockhashQueue(SEED, first_slot=0)
    for slot in range(400):
        queue.advance(slot)
    finalized = 399 - 32
    assert queue.is_valid(str(queue.at(finalized)), finalized)
    assert not queue.is_valid(str(queue.at(finalized + 1)), finalized)
    oldest = finalized - MAX_AGE
    assert queue.is_valid(str(queue.at(oldest)), finalized)
    assert not queue.is_valid(str(queue.at(oldest - 1)), finalized)
    assert not queue.is_valid(str(queue.at(oldest)))


def test_blockhashes_of_the_future_and_of_before_the_chain_are_not_valid() -> None:
    queue = BlockhashQueue(SEED, first_slot=500)
    queue.advance(520)
    assert not queue.is_valid(str(queue.at(521)))
    assert not queue.is_valid(str(queue.at(499)))


def test_a_restart_knows_the_same_hashes_and_another_chain_others() -> None:
    one, again, other = (BlockhashQueue(seed, 0) for seed in (SEED, SEED, bytes(32)))
    assert one.at(77) == again.at(77)
    assert one.at(77) != other.at(77)
    assert len({str(one.at(slot)) for slot in range(1_000)}) == 1_000
