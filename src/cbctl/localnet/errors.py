"""The two kinds of failure: one that a client of the RPC reads, one that ends the process."""

from __future__ import annotations

# JSON-RPC 2.0, section 5.1.
PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603

# Solana's own codes (agave, rpc-client-api/src/custom_error.rs).
BLOCK_CLEANED_UP = -32001
PREFLIGHT_FAILURE = -32002
BLOCK_NOT_AVAILABLE = -32004
NO_SNAPSHOT = -32008
ANSWER_TOO_LONG = -32012  # a scan whose results are over the limit
UNSUPPORTED_TRANSACTION_VERSION = -32015
MIN_CONTEXT_SLOT_NOT_REACHED = -32016
FILTER_TRANSACTION_NOT_FOUND = -32020

# Exit codes of the process; the numbers are those of every cbctl command.
EXIT_FAILED = 1
EXIT_LOCKED = 6
EXIT_REFUSED = 7
EXIT_USAGE = 64


class RpcError(Exception):
    """An error object of JSON-RPC: code, message, optional data."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def body(self) -> dict[str, object]:
        """The `error` member of a response."""
        error: dict[str, object] = {"code": self.code, "message": self.message}
        if self.data is not None:
            error["data"] = self.data
        return error


def invalid_params(message: str) -> RpcError:
    """An error -32602."""
    return RpcError(INVALID_PARAMS, message)


class Stop(Exception):
    """Ends the process with one sentence on stderr and an exit code."""

    def __init__(self, sentence: str, exit_code: int) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code


class VmPanic(Exception):
    """Native code inside the VM panicked; the VM must not be used again."""


class SnapshotError(Exception):
    """What is wrong with a snapshot, in one sentence."""
