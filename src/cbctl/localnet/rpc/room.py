"""How long answers may get: everything is made in the one event loop, and in memory."""

from __future__ import annotations

from cbctl.localnet.errors import ANSWER_TOO_LONG, RpcError

# The largest account there can be has 10 MiB, 14 MB in base64. Making this much takes 0.3 s.
MAX_ANSWER_BYTES = 32 * 1024 * 1024

MAX_BATCH_CALLS = 100

# What is around the data of an account: its keys, the owner, the numbers.
_AROUND_DATA = 200


class Room:
    """What is left of MAX_ANSWER_BYTES, for one answer or for all answers of a batch."""

    def __init__(self) -> None:
        self.left = MAX_ANSWER_BYTES

    def take(self, length: int) -> None:
        """RpcError when there is too little; then there is none left for anybody after either."""
        self.left -= length
        if self.left < 0:
            self.left = -1
            raise RpcError(
                ANSWER_TOO_LONG,
                f"The answer would be over {MAX_ANSWER_BYTES} bytes: ask for less at a time, "
                "for example with filters or a dataSlice",
            )

    def take_account(self, length: int) -> None:
        """The same for an account with so many bytes of data, as it will be in base64."""
        self.take(length * 4 // 3 + _AROUND_DATA)
