"""Entry point: runs the command table and turns every ending into an exit code."""

from __future__ import annotations

import os
import sys

from cbctl.errors import CbctlError, Exit, refusal

_TYPER_USAGE = 2
_TYPER_INTERRUPTED = 130


def main() -> None:
    import typer
    from typer.exceptions import TyperException

    from cbctl.app import app

    _open_closed_streams()
    if "_CBCTL_COMPLETE" in os.environ:
        from typer._completion_classes import completion_init

        completion_init()
    try:
        code = app(standalone_mode=False)
    except TyperException as error:
        # typer's own 2 means "changes pending" here, so its usage errors get another number
        show = getattr(error, "show", None)
        if show is None:
            raise SystemExit(Exit.CANCELLED) from None
        show()
        usage = getattr(error, "exit_code", 1) == _TYPER_USAGE
        raise SystemExit(Exit.USAGE if usage else Exit.FAILED) from None
    except CbctlError as error:
        from cbctl.render.failure import show as show_error

        show_error(error, sys.stderr)
        raise SystemExit(int(error.exit)) from None
    except typer.Abort:
        raise SystemExit(Exit.CANCELLED) from None
    except BrokenPipeError:
        from cbctl.render.output import abandon

        # whoever read our output has gone; the work is done or was never begun
        abandon(sys.stdout)
        raise SystemExit(Exit.FAILED) from None
    except Exception as error:
        if os.environ.get("CBCTL_DEBUG"):
            raise
        from cbctl.render.failure import show as show_error

        told = refusal(error) or _defect(error)
        show_error(told, sys.stderr)
        raise SystemExit(int(told.exit)) from None
    if code == _TYPER_INTERRUPTED:
        raise SystemExit(Exit.CANCELLED)
    raise SystemExit(code if isinstance(code, int) else Exit.DONE)


def _open_closed_streams() -> None:
    """`>&-`: also so that the next file that is opened does not become standard output."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115 (for good)


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
