"""Who listens to what. Ids are shared: a topic has one, as on a validator."""

from __future__ import annotations

from collections import Counter
from typing import Protocol, TypeVar, cast

from cbctl.localnet.errors import INTERNAL_ERROR, RpcError
from cbctl.localnet.pubsub.topics import Topic

T = TypeVar("T", bound=Topic)

# Each costs about 1 KB, and a look at every transaction or slot.
MAX_OF_LISTENER = 1_000
MAX_OF_ALL = 10_000


class Listener(Protocol):
    """One connection."""

    def send(self, message: bytes) -> None:
        """Never waits."""

    def close(self, reason: str) -> None:
        """With a sentence for whoever reads the client's log."""


class Subscription:
    """A topic that somebody listens to."""

    __slots__ = ("id", "listeners", "topic")

    def __init__(self, number: int, topic: Topic) -> None:
        self.id = number
        self.topic = topic
        self.listeners: set[Listener] = set()


class Subscriptions:
    """Every topic, found by its kind and key."""

    def __init__(self) -> None:
        self._next_id = 0
        self._by_topic: dict[Topic, Subscription] = {}
        self._by_key: dict[tuple[type, object], set[Subscription]] = {}
        self._kinds: Counter[type] = Counter()
        self._of_listener: dict[Listener, dict[int, Subscription]] = {}
        self._count = 0

    def add(self, listener: Listener, topic: Topic) -> Subscription:
        """RpcError when there are too many. Asking twice gives the same one twice."""
        own = self._of_listener.setdefault(listener, {})
        subscription = self._by_topic.get(topic)
        if subscription is not None and subscription.id in own:
            return subscription
        if len(own) >= MAX_OF_LISTENER:
            raise _refused(f"This connection has {MAX_OF_LISTENER} subscriptions, no more fit")
        if self._count >= MAX_OF_ALL:
            raise _refused("Node subscription limit reached")
        if subscription is None:
            subscription = Subscription(self._next_id, topic)
            self._next_id += 1
            self._by_topic[topic] = subscription
            self._by_key.setdefault(_place(topic), set()).add(subscription)
            self._kinds[type(topic)] += 1
        subscription.listeners.add(listener)
        own[subscription.id] = subscription
        self._count += 1
        return subscription

    def remove(self, listener: Listener, number: int) -> bool:
        """Whether the listener had this one."""
        subscription = self._of_listener.get(listener, {}).pop(number, None)
        if subscription is None:
            return False
        self._leave(listener, subscription)
        return True

    def drop(self, listener: Listener) -> None:
        """The connection is gone."""
        for subscription in self._of_listener.pop(listener, {}).values():
            self._leave(listener, subscription)

    def end(self, subscription: Subscription) -> None:
        """It has told everything there is to tell."""
        for listener in tuple(subscription.listeners):
            self.remove(listener, subscription.id)

    def _leave(self, listener: Listener, subscription: Subscription) -> None:
        subscription.listeners.discard(listener)
        self._count -= 1
        if subscription.listeners:
            return
        place = _place(subscription.topic)
        del self._by_topic[subscription.topic]
        self._by_key[place].discard(subscription)
        if not self._by_key[place]:
            del self._by_key[place]
        self._kinds[type(subscription.topic)] -= 1

    def find(self, kind: type[T], *keys: object) -> list[tuple[Subscription, T]]:
        """The subscriptions of a kind to any of some keys, with their topics."""
        if not self._kinds[kind]:
            return []
        by_key = self._by_key
        return [
            (one, cast(T, one.topic)) for key in set(keys) for one in by_key.get((kind, key), ())
        ]

    def has(self, *kinds: type) -> bool:
        """Whether anybody listens to topics of these kinds."""
        return any(self._kinds[kind] for kind in kinds)

    def all(self) -> list[Subscription]:
        """Every one."""
        return list(self._by_topic.values())

    def __len__(self) -> int:
        return self._count


def _place(topic: Topic) -> tuple[type, object]:
    return type(topic), topic.key


def _refused(reason: str) -> RpcError:
    return RpcError(INTERNAL_ERROR, f"Internal Error: Subscription refused. {reason}")
