"""Carries what a thread found out to the futures that wait for it, a batch at a time.

Used by the index writer and the index reader: waking the loop once per batch instead of
once per call is worth half of their throughput.
"""

from __future__ import annotations

from concurrent.futures import Future as ThreadFuture
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    import asyncio

Waiter: TypeAlias = "asyncio.Future[Any] | ThreadFuture[Any]"
"""A call that waits, on the loop or in another thread."""


@runtime_checkable
class Disposable(Protocol):
    """A result that holds something; disposed of where nobody waits any more."""

    def dispose(self) -> None:
        """Release it; idempotent."""


class Outbox:
    """Outcomes of one thread on their way to one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ready: list[tuple[Waiter, object, Exception | None]] = []

    def put(self, waiter: Waiter, result: object, error: Exception | None) -> None:
        """Add an outcome to the batch."""
        self._ready.append((waiter, result, error))

    def flush(self) -> None:
        """Deliver the batch."""
        ready, self._ready = self._ready, []
        on_loop = []
        for entry in ready:
            if isinstance(entry[0], ThreadFuture):
                _resolve(*entry)
            else:
                on_loop.append(entry)
        if on_loop:
            try:
                self._loop.call_soon_threadsafe(_resolve_all, on_loop)
            except RuntimeError:  # the loop is closed: nobody waits any more
                for _, result, _ in on_loop:
                    dispose(result)


def dispose(result: object) -> None:
    """Release what a result holds, if it holds anything."""
    if isinstance(result, Disposable):
        result.dispose()


def _resolve_all(ready: list[tuple[Waiter, object, Exception | None]]) -> None:
    for entry in ready:
        _resolve(*entry)


def _resolve(waiter: Waiter, result: object, error: Exception | None) -> None:
    if waiter.done():
        dispose(result)
    elif error is not None:
        waiter.set_exception(error)
    else:
        waiter.set_result(result)
