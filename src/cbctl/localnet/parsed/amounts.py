"""Token amounts for people: shifted by the mint's decimals, with its interest or its scale.

Arithmetic: spl-token-2022, `interest_bearing_mint` and `scaled_ui_amount`; account-decoder,
`parse_token`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

# 365.24 days, as the token program counts a year.
_SECONDS_PER_YEAR = 60 * 60 * 24 * 365.24
_BASIS_POINTS = 10_000
_LARGEST_POWER = 19  # of ten that is a u64


class Interest(NamedTuple):
    """Of an interest-bearing mint; rates in basis points, moments in Unix time."""

    since: int
    average_rate: int
    updated: int
    rate: int

    def scale(self, now: int) -> float:
        """What an amount has grown by."""
        return _growth(self.average_rate, self.updated - self.since) * _growth(
            self.rate, now - self.updated
        )


class Scale(NamedTuple):
    """Of a mint with a multiplier, and the one that follows it."""

    multiplier: float
    next_from: int
    next_multiplier: float

    def at(self, now: int) -> float:
        """The multiplier of a moment."""
        return self.next_multiplier if now >= self.next_from else self.multiplier


class MintTerms(NamedTuple):
    """All of a mint that amounts depend on."""

    decimals: int
    interest: Interest | None = None
    scale: Scale | None = None


def _growth(rate: int, seconds: int) -> float:
    try:
        return math.exp(rate * seconds / _SECONDS_PER_YEAR / _BASIS_POINTS)
    except OverflowError:
        return math.inf


def ui_amount(amount: int, terms: MintTerms, now: int) -> dict[str, object]:
    """The RPC's `UiTokenAmount` at a moment in Unix time."""
    decimals = terms.decimals
    number: float | None
    if terms.interest is not None:
        text = _trim(f"{amount * terms.interest.scale(now) / 10.0**decimals:.{decimals}f}")
        number = float(text)
    elif terms.scale is not None:
        scaled = amount * terms.scale.at(now)
        whole = math.trunc(scaled) if math.isfinite(scaled) else scaled
        text = _trim(f"{whole / 10.0**decimals:.{decimals}f}")
        number = float(text)
    else:
        text = _shifted(amount, decimals)
        # Both as floats first, which rounds twice, as validators do.
        number = float(amount) / float(10**decimals) if decimals <= _LARGEST_POWER else None
    return {
        "amount": str(amount),
        "decimals": decimals,
        "uiAmount": number,
        "uiAmountString": text,
    }


def _shifted(amount: int, decimals: int) -> str:
    digits = str(amount).rjust(decimals + 1, "0")
    if not decimals:
        return digits
    return _trim(f"{digits[:-decimals]}.{digits[-decimals:]}")


def _trim(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
