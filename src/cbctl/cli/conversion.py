"""Converts what the command line gives only where there is something to convert.

typer converts through pydantic, whose import takes as long as all that a short command does. An
option that was not given, a plain text and a default are already what they should be.
"""

from __future__ import annotations

from typing import Any

from typer import core

_MAKES = "build_runtime_param"
_typer: Any = vars(core).get(_MAKES)


class Conversion:
    """Stands for typer's own, which is made when a value needs it."""

    def __init__(self, descriptor: Any) -> None:
        self._descriptor = descriptor
        self._made: Any = None

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        if self._is_right(value, param):
            return value
        if self._made is None:
            self._made = _typer(self._descriptor)
        return self._made.coerce(value, param=param, ctx=ctx)

    def _is_right(self, value: Any, param: Any) -> bool:
        if value is None:
            return param.nargs == 1 and not param.multiple
        if self._descriptor.parameter_info.parser is not None:
            return False
        # a text that is no UTF-8 is for pydantic to refuse
        known = type(value) is self._descriptor.annotation
        return known and (not isinstance(value, str) or str.isascii(value))


def only_where_needed() -> None:
    if _typer is not None:  # a typer that is made differently converts as it does
        vars(core)[_MAKES] = Conversion
