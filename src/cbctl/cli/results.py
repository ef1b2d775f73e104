"""Results on standard output."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from cbctl.cli.options import Output


def print_data(data: object, output: Output) -> None:
    from cbctl.render.values import show

    show(data, output.value, sys.stdout)


def print_table(rows: Sequence[Mapping[str, object]], columns: Sequence[str] = ()) -> None:
    from cbctl.render.values import table

    for line in table(rows, columns):
        print(line)


def print_text(text: str) -> None:
    """Lines for a person; what came from outside cannot steer the terminal."""
    from cbctl.render.clean import clean

    # in one write: several threads may tell at the same time
    sys.stdout.write("".join(clean(line) + "\n" for line in text.split("\n")))
    sys.stdout.flush()
