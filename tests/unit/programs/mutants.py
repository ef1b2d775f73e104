"""Programs with one mistake each, built by `programs/crypto_bet/build`: tests must notice them."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parents[2] / "fixtures" / "mutants"
MUTANTS = [FOLDER / "mutant-rounding.so", FOLDER / "mutant-signer.so"]
