"""How the engine has things done side by side without starting a thread itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class Task(Protocol, Generic[T_co]):
    def result(self) -> T_co:
        """The value, or the exception raised; only after `wait` returned this task."""


class Repeating(Protocol):
    def cancel(self) -> None: ...


class Executor(Protocol):
    def submit(self, work: Callable[[], T]) -> Task[T]: ...

    def wait(self, tasks: Sequence[Task[T]]) -> Sequence[Task[T]]:
        """Blocks until at least one of the tasks is done and returns those that are."""

    def every(self, seconds: float, work: Callable[[], None]) -> Repeating:
        """Calls `work` about every `seconds` until cancelled; it must not raise."""
