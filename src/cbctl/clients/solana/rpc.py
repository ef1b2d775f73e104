"""JSON-RPC to a Solana cluster, synchronous, from any number of threads.

Source of methods and shapes: Solana's RPC documentation (HTTP methods), November 2026. Reads are
made at commitment `confirmed`. Amounts are lamports, sizes bytes.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from solders.hash import Hash, ParseHashError
from solders.pubkey import Pubkey

from cbctl.clients.solana.endpoints import Endpoints
from cbctl.clients.solana.types import (
    Account,
    Blockhash,
    Position,
    Simulation,
    Status,
    lines,
    whole,
)

ACCOUNTS_PER_CALL = 100  # the most that getMultipleAccounts takes
STATUSES_PER_CALL = 256  # the most that getSignatureStatuses takes
CONFIRMED = {"commitment": "confirmed"}


class Rpc(Endpoints):
    """The methods of the RPC that are used. Errors: those of `failures`, host only.

    Lives as long as a step's call: what it has learnt of rent holds that long.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._rents: dict[int, int] = {}

    # ---- reads

    def genesis_hash(self) -> str:
        answer = self._text("getGenesisHash", self.call("getGenesisHash"))
        try:
            return str(Hash.from_string(answer))
        except ParseHashError:
            raise self.unusable("getGenesisHash") from None

    def accounts(
        self, keys: Sequence[Pubkey], *, since: int = 0
    ) -> tuple[int, list[Account | None]]:
        """(slot of the last answer, one account or None for each key).

        since  slot that the node must have reached: what happened in it must be seen
        """
        slot, found = 0, list[Account | None]()
        options: dict[str, Any] = {"encoding": "base64", **CONFIRMED}
        if since:
            options["minContextSlot"] = since
        for start in range(0, len(keys), ACCOUNTS_PER_CALL):
            part = [str(key) for key in keys[start : start + ACCOUNTS_PER_CALL]]
            answer = self.call("getMultipleAccounts", [part, options], since=since)
            slot, values = self._context("getMultipleAccounts", answer)
            if not isinstance(values, list) or len(values) != len(part):
                raise self.unusable("getMultipleAccounts")
            found.extend(self._account(value) for value in values)
        return slot, found

    def account(self, key: Pubkey, *, since: int = 0) -> Account | None:
        return self.accounts([key], since=since)[1][0]

    def balance(self, key: Pubkey) -> int:
        _, value = self._context("getBalance", self.call("getBalance", [str(key), CONFIRMED]))
        return self._number("getBalance", value)

    def rent(self, size: int) -> int:
        """Lamports that keep an account of `size` bytes free of rent."""
        method = "getMinimumBalanceForRentExemption"
        if size not in self._rents:
            self._rents[size] = self._number(method, self.call(method, [size]))
        return self._rents[size]

    def fee(self, message: bytes) -> int | None:
        """What the message, as it goes over the wire, would cost; None when its blockhash is too
        old."""
        wire = base64.b64encode(message).decode()
        answer = self.call("getFeeForMessage", [wire, CONFIRMED])
        _, value = self._context("getFeeForMessage", answer)
        return None if value is None else self._number("getFeeForMessage", value)

    def recent_prices(self, written: Sequence[Pubkey]) -> list[int]:
        """For recent slots the least price of a compute unit, in millionths of a lamport, among
        the transactions that wrote to these accounts."""
        method = "getRecentPrioritizationFees"
        answer = self.call(method, [[str(key) for key in written]])
        try:
            return [whole(one["prioritizationFee"]) for one in answer]
        except (KeyError, TypeError, ValueError):
            raise self.unusable(method) from None

    def blockhash(self) -> Blockhash:
        answer = self.call("getLatestBlockhash", [CONFIRMED])
        _, value = self._context("getLatestBlockhash", answer)
        try:
            hash = str(Hash.from_string(value["blockhash"]))
            return Blockhash(hash, whole(value["lastValidBlockHeight"]))
        except (KeyError, TypeError, ValueError, ParseHashError):
            raise self.unusable("getLatestBlockhash") from None

    def is_valid(self, blockhash: str) -> bool:
        """Whether a transaction may still name it."""
        method = "isBlockhashValid"
        _, value = self._context(method, self.call(method, [blockhash, CONFIRMED]))
        if not isinstance(value, bool):
            raise self.unusable(method)
        return value

    def position(self) -> Position:
        """How far the node is: one answer, so that slot and height belong together."""
        answer = self.call("getEpochInfo", [CONFIRMED])
        try:
            return Position(whole(answer["absoluteSlot"]), whole(answer["blockHeight"]))
        except (KeyError, TypeError, ValueError):
            raise self.unusable("getEpochInfo") from None

    def slot(self) -> int:
        return self._number("getSlot", self.call("getSlot", [CONFIRMED]))

    # ---- transactions

    def send(self, wire: bytes, *, preflight: bool, once: bool = False) -> None:
        """Hands a signed transaction over. Sending the same one again does no harm.

        once  one try only, whatever the patience: for threads that must not wait
        """
        options: dict[str, Any] = {
            "encoding": "base64",
            "skipPreflight": not preflight,
            "preflightCommitment": "confirmed",
            "maxRetries": 0,  # resent by us: a node's own queue forgets silently
        }
        params = [base64.b64encode(wire).decode(), options]
        self.call("sendTransaction", params, patience=0.0 if once else None)

    def statuses(
        self, signatures: Sequence[str], *, history: bool = False, since: int = 0
    ) -> list[Status | None]:
        """
        history  look beyond the recent ones too, which is slower
        since    slot that the node must have reached
        """
        found: list[Status | None] = []
        for start in range(0, len(signatures), STATUSES_PER_CALL):
            part = list(signatures[start : start + STATUSES_PER_CALL])
            options = {"searchTransactionHistory": history}
            answer = self.call("getSignatureStatuses", [part, options], since=since)
            _, values = self._context("getSignatureStatuses", answer)
            if not isinstance(values, list) or len(values) != len(part):
                raise self.unusable("getSignatureStatuses")
            found.extend(self._status(value) for value in values)
        return found

    def simulate(self, wire: bytes, *, signed: bool = True) -> Simulation:
        """signed False: signatures are not checked and the blockhash is replaced."""
        options = {
            "encoding": "base64",
            "sigVerify": signed,
            "replaceRecentBlockhash": not signed,
            **CONFIRMED,
        }
        answer = self.call("simulateTransaction", [base64.b64encode(wire).decode(), options])
        _, value = self._context("simulateTransaction", answer)
        if not isinstance(value, dict):
            raise self.unusable("simulateTransaction")
        units = self._number("simulateTransaction", value.get("unitsConsumed") or 0)
        return Simulation(value.get("err"), lines(value.get("logs")), units)

    def transaction(self, signature: str) -> dict[str, Any] | None:
        """The transaction as the node stores it: its `meta` holds fee, err and logMessages."""
        options = {"encoding": "json", "maxSupportedTransactionVersion": 1, **CONFIRMED}
        answer = self.call("getTransaction", [signature, options])
        if answer is not None and not isinstance(answer, dict):
            raise self.unusable("getTransaction")
        return answer

    def airdrop(self, key: Pubkey, lamports: int) -> str:
        """Asks the faucet; the signature. Never repeated here: each request that arrives pays."""
        answer = self.call("requestAirdrop", [str(key), lamports], patience=0.0, fresh=True)
        return self._text("requestAirdrop", answer)

    # ---- answers

    def _account(self, value: Any) -> Account | None:
        if value is None:
            return None
        try:
            return Account(
                lamports=whole(value["lamports"]),
                owner=Pubkey.from_string(value["owner"]),
                data=base64.b64decode(value["data"][0], validate=True),
                executable=bool(value["executable"]),
            )
        except (KeyError, IndexError, TypeError, ValueError):
            raise self.unusable("getMultipleAccounts") from None

    def _status(self, value: Any) -> Status | None:
        if value is None:
            return None
        try:
            level = value.get("confirmationStatus")
            return Status(whole(value["slot"]), value["err"], level in ("confirmed", "finalized"))
        except (AttributeError, KeyError, TypeError, ValueError):
            raise self.unusable("getSignatureStatuses") from None

    def _context(self, method: str, answer: Any) -> tuple[int, Any]:
        try:
            return whole(answer["context"]["slot"]), answer["value"]
        except (KeyError, TypeError, ValueError):
            raise self.unusable(method) from None

    def _number(self, method: str, value: Any) -> int:
        try:
            return whole(value)
        except ValueError:
            raise self.unusable(method) from None

    def _text(self, method: str, value: Any) -> str:
        if not isinstance(value, str):
            raise self.unusable(method)
        return value
