"""Panics of native code as exceptions of ours."""

from __future__ import annotations

from cbctl.localnet.errors import VmPanic


class PanicsNamed:
    """Turns pyo3's PanicException, which is no Exception, into VmPanic.

    A class, because it wraps every transaction and contextlib's generator costs three times more.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        if kind is not None and kind.__name__ == "PanicException":
            raise VmPanic(str(error)) from None


panics_named = PanicsNamed()
