"""Results on standard output."""

from __future__ import annotations

import errno
import sys
from collections.abc import Mapping, Sequence

from cbctl.cli.options import Output
from cbctl.errors import CbctlError

_GONE = (errno.EPIPE, errno.EIO)
"""Of a pipe without a reader, and of a terminal that hung up."""


_SHOWN = 8
"""Of a list, in text; JSON has all."""


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
    known = {name: value for name, value in data.items() if value not in (None, "")}
    width = max((len(name) for name in known), default=0)
    for name, value in known.items():
        print_text(f"{name:<{max(width, 12)}} {_words(value)}")


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        value = [f"{name}: {_words(one)}" for name, one in value.items()]
    if not isinstance(value, list | tuple):
        return str(value)
    more = [f"and {len(value) - _SHOWN} more"] if len(value) > _SHOWN else []
    return ", ".join([*map(_words, value[:_SHOWN]), *more]) or "none"


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
