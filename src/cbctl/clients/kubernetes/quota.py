"""Whether the quotas of a namespace have room for pods that are to be started.

Quantities and what a pod counts with are as Kubernetes has them: "Quantity" of the API reference,
and "Resource Quotas" (a container that limits something and requests nothing requests its limit; of
containers that run one after the other the largest counts).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Final

from cbctl.clients.kubernetes.api import Object

_FACTORS: Final = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    **{letter: Decimal(10) ** (3 * power) for power, letter in enumerate("kMGTPE", 1)},
    **{f"{letter}i": Decimal(2) ** (10 * power) for power, letter in enumerate("KMGTPE", 1)},
}
_QUANTITY: Final = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([a-zA-Z]{0,2})")
_COUNTED: Final = ("pods", "count/pods")
Amounts = Mapping[str, Decimal]
"""By the names that quotas have for resources."""


def quantity(text: str | int) -> Decimal:
    """Raises ValueError."""
    found = _QUANTITY.fullmatch(str(text))
    if found is None or found[2] not in _FACTORS:
        raise ValueError(f"{text!r} is no quantity")
    return Decimal(found[1]) * _FACTORS[found[2]]


def of_pod(spec: Object) -> dict[str, Decimal]:
    """What one such pod counts with."""
    amounts = _sum(_of_container(one) for one in spec["containers"])
    for one in spec.get("initContainers", ()):
        alone = _of_container(one)
        if one.get("restartPolicy") == "Always":  # it stays beside them
            amounts = _sum((amounts, alone))
        else:
            amounts = {
                n: max(amounts.get(n, _ZERO), alone.get(n, _ZERO)) for n in {*amounts, *alone}
            }
    return amounts | dict.fromkeys(_COUNTED, Decimal(1))


def lacking(quotas: Iterable[Object], more: Amounts) -> Iterator[str]:
    """What each quota lacks for so much more; one that counts only some pods is passed over."""
    for quota in quotas:
        if quota["spec"].get("scopes") or quota["spec"].get("scopeSelector"):
            continue
        hard, used = (quota.get("status", {}).get(name) or {} for name in ("hard", "used"))
        for name, most in hard.items():
            needed = more.get(_LONG.get(name, name), _ZERO)
            if needed > 0 and quantity(used.get(name, 0)) + needed > quantity(most):
                has = f"{used.get(name, 0)} of {most} used"
                own, more_needed = quota["metadata"]["name"], f"{needed.normalize():f} more needed"
                yield f"quota {own}: {name}: {has}, {more_needed}"


_ZERO: Final = Decimal(0)
_LONG: Final = {"cpu": "requests.cpu", "memory": "requests.memory"}


def times(amounts: Amounts, count: int) -> dict[str, Decimal]:
    return {name: amount * count for name, amount in amounts.items()}


def without(amounts: Amounts, less: Amounts) -> dict[str, Decimal]:
    return {name: amount - less.get(name, _ZERO) for name, amount in amounts.items()}


def most(one: Amounts, other: Amounts) -> dict[str, Decimal]:
    return {name: max(one.get(name, _ZERO), other.get(name, _ZERO)) for name in {*one, *other}}


def _of_container(one: Object) -> dict[str, Decimal]:
    resources = one.get("resources") or {}
    limits = resources.get("limits") or {}
    requests = limits | (resources.get("requests") or {})
    return {
        **{f"requests.{name}": quantity(value) for name, value in requests.items()},
        **{f"limits.{name}": quantity(value) for name, value in limits.items()},
    }


def _sum(parts: Iterable[Amounts]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for part in parts:
        for name, amount in part.items():
            found[name] = found.get(name, _ZERO) + amount
    return found
