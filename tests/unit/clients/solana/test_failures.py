from __future__ import annotations

from typing import Any

import pytest

from cbctl.clients.solana.failures import TransactionFailed, custom_code, explain

NAMES = {6004: "Unauthorized"}


@pytest.mark.parametrize(
    ("err", "words"),
    [
        ({"InstructionError": [0, {"Custom": 6004}]}, "the program answers Unauthorized (6004)"),
        ({"InstructionError": [1, {"Custom": 7}]}, "instruction 2 failed: custom program error 7"),
        ({"InstructionError": [2, "InvalidSeeds"]}, "instruction 3 failed: InvalidSeeds"),
        ({"InsufficientFundsForRent": {"index": 0}}, "InsufficientFundsForRent: index 0"),
        ("BlockhashNotFound", "BlockhashNotFound"),
        (None, "None"),
    ],
)
def test_errors_in_words(err: Any, words: str) -> None:
    assert explain(err, NAMES) == words


def test_what_a_node_says_may_be_of_any_form() -> None:
    deep: Any = "the end"
    for _ in range(10_000):
        deep = {"a": deep}
    for err in (deep, [deep], {"InstructionError": [0, deep]}, {"InstructionError": deep}):
        assert "…" in explain(err)
    assert len(explain("x" * 100_000)) == 300
    odds: tuple[Any, ...] = ("ab", ["a", "b"], [[], {}], 5)
    for odd in odds:
        assert custom_code({"InstructionError": odd}) is None
        assert explain({"InstructionError": odd}).startswith("InstructionError: ")


def test_custom_code_of_other_shapes() -> None:
    assert custom_code({"InstructionError": [0, {"Custom": 5}]}) == 5
    others: tuple[Any, ...] = (
        None,
        "x",
        {},
        {"InstructionError": []},
        {"InstructionError": [0, "Custom"]},
    )
    for other in others:
        assert custom_code(other) is None


def test_last_words_of_the_program_are_kept() -> None:
    logs = ["Program X invoke [1]", "Program log: too late", "Program X failed: custom"]
    failed = TransactionFailed("could not write", {"InstructionError": [0, "X"]}, logs, where="h")
    assert str(failed) == "h: could not write: instruction 1 failed: X (too late)"
