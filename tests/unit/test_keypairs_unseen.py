"""The text of a solders keypair is its secret in base58, and its repr has not always hidden it: no
record that holds one may show either."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from cbctl.clients.solana.deployer import Deployer
from cbctl.clients.solana.rpc import Rpc
from cbctl.clients.solana.sender import Order, Sender
from cbctl.steps.program._material import Keys, MadeKeys

SOURCE = Path(__file__).parents[2] / "src" / "cbctl"
KEY = Keypair()
ADDRESS = KEY.pubkey()


def _fields(tree: ast.AST) -> list[tuple[str, ast.AnnAssign]]:
    """The fields of all dataclasses and structs whose type names a Keypair, or a Signer that may
    be one."""
    return [
        (node.name, field)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and (node.decorator_list or node.bases)
        for field in node.body
        if isinstance(field, ast.AnnAssign)
        and any(name in ast.unparse(field.annotation) for name in ("Keypair", "Signer"))
    ]


def test_every_field_that_holds_a_keypair_is_left_out_of_the_repr() -> None:
    shown, found = [], 0
    for path in SOURCE.rglob("*.py"):
        for name, field in _fields(ast.parse(path.read_text())):
            found += 1
            if field.value is None or "repr=False" not in ast.unparse(field.value):
                shown.append(f"{path.relative_to(SOURCE)}: {name}.{ast.unparse(field.target)}")
    assert not shown
    assert found >= 8  # it looks at the right thing


@pytest.mark.parametrize(
    "holder",
    [
        Keys(KEY, KEY, KEY, ADDRESS),
        MadeKeys(KEY, KEY, KEY, ADDRESS),
        Order("order", (), (KEY,)),
        Sender(Rpc("http://127.0.0.1:1"), KEY, None),  # type: ignore[arg-type]
        Deployer(Rpc("http://127.0.0.1:1"), KEY, KEY, Pubkey.default(), None),  # type: ignore[arg-type]
    ],
    ids=lambda holder: type(holder).__name__,
)
def test_nothing_that_holds_a_keypair_shows_it(holder: Any) -> None:
    assert Keypair.from_base58_string(str(KEY)) == KEY  # what is to be feared
    for text in (repr(holder), str(holder), f"{holder}", repr(ValueError(holder))):
        assert str(KEY) not in text
        assert repr(KEY) not in text
