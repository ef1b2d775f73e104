"""How many may listen."""

from __future__ import annotations

import pytest
from solders.pubkey import Pubkey
from tests.unit.localnet.pubsub.listening import Ear

from cbctl.localnet.errors import RpcError
from cbctl.localnet.pubsub.subscriptions import MAX_OF_ALL, MAX_OF_LISTENER, Subscriptions
from cbctl.localnet.pubsub.topics import AccountTopic, RootTopic, SlotTopic


def _topic() -> AccountTopic:
    return AccountTopic(Pubkey.new_unique(), "base64", "confirmed")


def test_a_connection_has_only_so_many() -> None:
    subscriptions, one, other = Subscriptions(), Ear(), Ear()
    topics = [_topic() for _ in range(MAX_OF_LISTENER)]
    first = subscriptions.add(one, topics[0]).id
    for topic in topics[1:]:
        subscriptions.add(one, topic)
    with pytest.raises(RpcError, match="This connection has 1000 subscriptions") as refused:
        subscriptions.add(one, _topic())
    assert refused.value.code == -32603
    subscriptions.add(one, topics[5])  # has it already
    subscriptions.add(other, _topic())
    assert subscriptions.remove(one, first)
    subscriptions.add(one, _topic())


def test_all_together_have_only_so_many() -> None:
    subscriptions = Subscriptions()
    ears = [Ear() for _ in range(MAX_OF_ALL // MAX_OF_LISTENER)]
    for ear in ears:
        for _ in range(MAX_OF_LISTENER):
            subscriptions.add(ear, _topic())
    with pytest.raises(RpcError, match="Node subscription limit reached"):
        subscriptions.add(Ear(), _topic())
    subscriptions.drop(ears[0])
    assert len(subscriptions) == MAX_OF_ALL - MAX_OF_LISTENER
    subscriptions.add(Ear(), _topic())


def test_what_is_over_leaves_nothing_behind() -> None:
    subscriptions, one, other = Subscriptions(), Ear(), Ear()
    slot = subscriptions.add(one, SlotTopic())
    assert subscriptions.add(other, SlotTopic()) is slot
    root = subscriptions.add(other, RootTopic())
    assert slot.id != root.id
    subscriptions.end(slot)
    assert not subscriptions.remove(one, slot.id)
    assert not subscriptions.has(SlotTopic)
    assert subscriptions.find(SlotTopic, None) == []
    assert [found for found, _ in subscriptions.find(RootTopic, None)] == [root]
    subscriptions.drop(other)
    assert len(subscriptions) == 0
    assert subscriptions.all() == []
    again = subscriptions.add(one, SlotTopic())
    assert again.id > root.id  # an id is never used twice
