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
_I64 = range(-(2**63), 2**63)


class Interest(NamedTuple):
    """Of an interest-bearing mint; rates in basis points, moments in Unix time."""

    since: int
    average_rate: int
    updated: int
    rate: int

    def growth(self, now: int) -> float | None:
        """What an amount has grown by; None when a span of time is no number of the program's."""
        before, after = self.updated - self.since, now - self.updated
        if not (_I64.start <= before < _I64.stop and _I64.start <= after < _I64.stop):
            return None
        return _grown(self.average_rate, before) * _grown(self.rate, after)


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


def _grown(rate: int, seconds: int) -> float:
    try:
        return math.exp(rate * seconds / _SECONDS_PER_YEAR / _BASIS_POINTS)
    except OverflowError:
        return math.inf


def ui_amount(amount: int, terms: MintTerms, now: int) -> dict[str, object]:
    """The RPC's `UiTokenAmount` at a moment in Unix time."""
    decimals = terms.decimals
    number: float | None
    if terms.interest is not None:
        growth = terms.interest.growth(now)
        text, number = "", None
        if growth is not None:
            text = _written(amount * (growth / _power_of_ten(decimals)), decimals)
            number = float(text)
    elif terms.scale is not None:
        scaled = amount * terms.scale.at(now)
        whole = float(math.trunc(scaled)) if math.isfinite(scaled) else scaled
        text = _written(whole / _power_of_ten(decimals), decimals)
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


def _power_of_ten(exponent: int) -> float:
    """By squaring, as the program does it: the last digits of large powers differ otherwise."""
    power, square = 1.0, 10.0
    while exponent:
        if exponent & 1:
            power *= square
        exponent >>= 1
        square *= square
    return power


def _written(number: float, decimals: int) -> str:
    return "NaN" if math.isnan(number) else _trim(f"{number:.{decimals}f}")


def _shifted(amount: int, decimals: int) -> str:
    digits = str(amount).rjust(decimals + 1, "0")
    if not decimals:
        return digits
    return _trim(f"{digits[:-decimals]}.{digits[-decimals:]}")


def _trim(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
