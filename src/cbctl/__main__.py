"""Entry point: runs the command table and turns every ending into an exit code."""

from __future__ import annotations

import atexit
import errno
import gc
import io
import os
import sys
from collections.abc import Callable

from cbctl.errors import CbctlError, Exit, refusal

_TYPER_USAGE = 2
_TYPER_INTERRUPTED = 130
_WRITING = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
"""What a standard stream fails with: typer writes its help and the version itself."""
_COMPLETES = "_CBCTL_COMPLETE"


def main() -> None:
    import typer
    from typer.exceptions import TyperException

    from cbctl.app import app
    from cbctl.cli.conversion import only_where_needed
    from cbctl.imports import one_at_a_time

    one_at_a_time()
    only_where_needed()
    # The system takes all memory back; to look for cycles in it first takes up to 100 ms.
    atexit.register(gc.freeze)
    _open_closed_streams()
    if _COMPLETES in os.environ:
        from typer._completion_classes import completion_init

        completion_init()
    try:
        code = app(standalone_mode=False)
    except TyperException as error:
        # typer's own 2 means "changes pending" here, so its usage errors get another number
        show = getattr(error, "show", None)
        if show is None:
            raise SystemExit(Exit.CANCELLED) from None
        _show_usage(show)
        usage = getattr(error, "exit_code", 1) == _TYPER_USAGE
        raise SystemExit(Exit.USAGE if usage else Exit.FAILED) from None
    except CbctlError as error:
        from cbctl.cli.inside import ended

        raise SystemExit(ended(error)) from None
    except typer.Abort:
        raise SystemExit(Exit.CANCELLED) from None
    except Exception as error:
        raise SystemExit(_failed(error)) from None
    if code == _TYPER_INTERRUPTED:
        raise SystemExit(Exit.CANCELLED)
    raise SystemExit(code if isinstance(code, int) else Exit.DONE)


def _open_closed_streams() -> None:
    """`>&-`: also so that the next file that is opened does not become standard output."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115 (for good)


def _show_usage(show: Callable[[io.StringIO], None]) -> None:
    from cbctl.render.failure import usage
    from cbctl.render.output import Output

    said = io.StringIO()
    show(said)
    Output(sys.stderr).write(usage(said.getvalue().removesuffix("\n")))


def _failed(error: Exception) -> Exit:
    """Says what nothing else expected, and returns the exit code."""
    from cbctl.render.failure import show as show_error

    if isinstance(error, OSError) and error.errno in _WRITING and not error.filename:
        from cbctl.cli.results import cannot_write
        from cbctl.render.output import abandon

        abandon(sys.stdout)
        # whoever read our output and has gone (`| head`) needs no word
        if not isinstance(error, BrokenPipeError):
            show_error(cannot_write(error), sys.stderr)
    elif _COMPLETES in os.environ:
        wrong = CbctlError(
            f"{_COMPLETES} is set, but this is no request of a shell ({type(error).__name__})",
            exit=Exit.USAGE,
            fix=f"unset {_COMPLETES}; only the script of `cbctl completion` sets it",
        )
        show_error(wrong, sys.stderr)
        return wrong.exit
    elif os.environ.get("CBCTL_DEBUG"):
        raise error
    else:
        told = refusal(error) or _defect(error)
        show_error(told, sys.stderr)
        return told.exit
    return Exit.FAILED


def _defect(error: Exception) -> CbctlError:
    """A defect of cbctl, without a traceback: its place, not its message, which may quote what
    must not be seen."""
    from cbctl.engine.world import place

    return CbctlError(
        f"unexpected {type(error).__name__}: this is a defect of cbctl",
        where=place(error),
        fix="CBCTL_DEBUG=1 shows the traceback; what a run had done is kept: cbctl runs list",
    )


if __name__ == "__main__":
    main()
