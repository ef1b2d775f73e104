"""Results on standard output."""

from __future__ import annotations

import errno
import sys
from collections.abc import Mapping, Sequence

from cbctl.cli.options import Output
from cbctl.errors import CbctlError

_GONE = (errno.EPIPE, errno.EIO)
"""Of a pipe without a reader, and of a terminal that hung up."""


def print_data(data: object, output: Output) -> bool:
    from cbctl.render.values import text

    return write(text(data, output.value))


def print_table(rows: Sequence[Mapping[str, object]], columns: Sequence[str] = ()) -> bool:
    from cbctl.render.values import table

    return write("".join(line + "\n" for line in table(rows, columns)))


def print_text(text: str) -> bool:
    """Lines for a person; what came from outside cannot steer the terminal."""
    from cbctl.render.clean import clean

    # in one write: several threads may tell at the same time
    return write("".join(clean(line) + "\n" for line in text.split("\n")))


def print_fields(data: Mapping[str, object]) -> None:
    """One a line; what is not known is left out."""
    for name, value in data.items():
        if value is not None:
            print_text(f"{name:<12} {value}")


def write(text: str) -> bool:
    """Whether somebody still reads. A reader that has gone (`| head`) is no error; a disk that
    takes no more is one: what was redirected into a file would be believed to be all of it."""
    from cbctl.render.output import Output as Stream

    out = Stream(sys.stdout)
    out.write(text)
    if isinstance(out.error, OSError) and out.error.errno not in _GONE:
        raise cannot_write(out.error)
    return not out.dead


def cannot_write(error: OSError) -> CbctlError:
    return CbctlError(
        f"standard output cannot be written: {error.strerror or type(error).__name__}",
        fix="what was printed is not complete; write it to another place",
    )
