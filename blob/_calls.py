"""Counting calls in flight, so that closing refuses new ones and waits for the others.

Used by our drivers and by `blob.simple`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .errors import ClosedError

if TYPE_CHECKING:
    from types import TracebackType


class Calls:
    """Enter it around each call of a driver; `close()` ends it all."""

    def __init__(self) -> None:
        self._active = 0
        self._closed = False
        self._idle = asyncio.Event()

    def check(self) -> None:
        """Raise `ClosedError` once closing has begun."""
        if self._closed:
            raise ClosedError

    def __enter__(self) -> None:
        self.check()
        self._active += 1

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._active -= 1
        if self._closed and not self._active:
            self._idle.set()

    def refuse(self) -> None:
        """Refuse new calls from here on."""
        self._closed = True

    async def close(self) -> None:
        """Refuse new calls, then wait for those in flight."""
        self.refuse()
        if self._active:
            await self._idle.wait()
