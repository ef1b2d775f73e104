"""Token amounts for people. Expected figures: those of the token program and of agave."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbctl.localnet.parsed.amounts import Interest, MintTerms, Scale, ui_amount

YEAR = 31_556_736
ONE = 10**18
MAX_U64 = 2**64 - 1
U64 = st.integers(0, MAX_U64)


@pytest.mark.parametrize(
    ("amount", "decimals", "number", "text"),
    [
        (1, 0, 1.0, "1"),
        (10, 0, 10.0, "10"),
        (1, 9, 1e-9, "0.000000001"),
        (1_000_000_000, 9, 1.0, "1"),
        (1_234_567_890, 3, 1_234_567.89, "1234567.89"),
        (0, 0, 0.0, "0"),
        (0, 9, 0.0, "0"),
        # More decimals than a u64 has: agave leaves the number out.
        (1_234_567_890, 25, None, "0.000000000000000123456789"),
        (MAX_U64, 19, 1.8446744073709552, "1.8446744073709551615"),
        (MAX_U64, 20, None, "0.18446744073709551615"),
    ],
)
def test_decimals(amount: int, decimals: int, number: float | None, text: str) -> None:
    assert ui_amount(amount, MintTerms(decimals), 0) == {
        "amount": str(amount),
        "decimals": decimals,
        "uiAmount": number,
        "uiAmountString": text,
    }


@given(U64, st.integers(0, 255))
def test_the_text_is_exact(amount: int, decimals: int) -> None:
    text = str(ui_amount(amount, MintTerms(decimals), 0)["uiAmountString"])
    whole, _, fraction = text.partition(".")
    assert int(whole) * 10**decimals + int(fraction.ljust(decimals, "0") or 0) == amount
    assert not text.endswith((".", ".0")) and not fraction.endswith("0")


@pytest.mark.parametrize(
    ("amount", "decimals", "rates", "now", "text"),
    [
        (ONE, 18, (500, 500), YEAR, "1.051271096376024117"),
        (ONE, 19, (500, 500), YEAR, "0.1051271096376024117"),
        (ONE, 28, (500, 500), YEAR, "0.0000000001051271096376024175"),
        (10 * ONE, 18, (500, 500), YEAR, "10.512710963760241611"),
        (10_000_000_000, 10, (500, 500), YEAR, "1.0512710964"),
        (ONE, 18, (-500, -500), YEAR, "0.951229424500713905"),
        (1, 0, (-500, 500), 2 * YEAR, "1"),
        (MAX_U64, 0, (500, 500), 2 * YEAR, "20386805083448098816"),
    ],
)
def test_interest(amount: int, decimals: int, rates: tuple[int, int], now: int, text: str) -> None:
    terms = MintTerms(decimals, Interest(0, rates[0], YEAR, rates[1]))
    shown = ui_amount(amount, terms, now)
    assert (shown["amount"], shown["uiAmountString"]) == (str(amount), text)
    assert shown["uiAmount"] == float(text)


def test_interest_beyond_all_numbers() -> None:
    terms = MintTerms(0, Interest(0, 32_767, 0, 32_767))
    shown = ui_amount(MAX_U64, terms, 1_000 * YEAR)
    assert (shown["uiAmount"], shown["uiAmountString"]) == (math.inf, "inf")


@pytest.mark.parametrize(
    ("amount", "decimals", "multiplier", "text"),
    [
        (1, 0, 5.0, "5"),
        (1, 1, 5.0, "0.5"),
        (1, 10, 5.0, "0.0000000005"),
        (10_000_000_000, 10, 5.0, "5"),
        (101, 2, 0.99, "0.99"),  # 0.9999 is cut, not rounded
        (MAX_U64, 0, 1.7976931348623157e308, "inf"),
    ],
)
def test_a_multiplier(amount: int, decimals: int, multiplier: float, text: str) -> None:
    terms = MintTerms(decimals, scale=Scale(multiplier, 1, 0.0))
    assert ui_amount(amount, terms, 0)["uiAmountString"] == text


@pytest.mark.parametrize(("now", "text"), [(-(2**63), "5"), (0, "5"), (1, "10"), (2**63 - 1, "10")])
def test_the_next_multiplier_holds_from_its_moment_on(now: int, text: str) -> None:
    terms = MintTerms(0, scale=Scale(5.0, 1, 10.0))
    assert ui_amount(1, terms, now)["uiAmountString"] == text


@given(
    U64,
    st.integers(0, 255),
    st.floats(),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**15), 2**15 - 1),
)
def test_no_terms_of_a_mint_are_too_odd(
    amount: int, decimals: int, factor: float, moment: int, rate: int
) -> None:
    for terms in (
        MintTerms(decimals, Interest(-moment, rate, moment, rate)),
        MintTerms(decimals, scale=Scale(factor, moment, factor)),
    ):
        assert ui_amount(amount, terms, moment)["amount"] == str(amount)
