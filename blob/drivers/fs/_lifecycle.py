"""Opening and closing a driver."""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from typing import TYPE_CHECKING

from ..._calls import Calls
from ...errors import DriverConfigError
from ._reader import FsReader
from ._store import Store
from ._threads import Threads

if TYPE_CHECKING:
    import logging
    from concurrent.futures import Future as ThreadFuture
    from types import TracebackType
    from typing import Self

    from ._options import FsOptions
    from ._reader import Opened


class StoreOwner:
    """The part of a driver that opens and closes its store.

    It belongs to the loop that opened it. Calls made before `ready()` wait for it.
    """

    def __init__(self, options: FsOptions, logger: logging.Logger) -> None:
        self._options = options
        self._logger = logger
        self._threads = Threads()
        self._calls = Calls()
        self._opening: ThreadFuture[Store] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._readers: set[FsReader] = set()

    async def ready(self) -> None:
        """Open the store if nobody has; raises what made that fail.

        Callers share one opening, which a cancelled caller does not end. After a
        failure the next call tries again.
        """
        with self._calls:
            await self._opened()

    async def aclose(self) -> None:
        """Refuse new calls, wait for those in flight, close open readers; idempotent.

        When a caller is cancelled the closing goes on; when that was cancelled (its
        loop ended, say) the next caller begins it again, on whatever loop.
        """
        self._calls.refuse()
        loop = asyncio.get_running_loop()
        while True:
            closing = self._closing
            if (
                closing is None
                or closing.cancelled()
                or (not closing.done() and closing.get_loop() is not loop)
            ):
                closing = self._closing = loop.create_task(self._close())
            if not closing.done():
                await asyncio.wait((closing,))
            if not closing.cancelled():
                closing.result()
                return

    async def __aenter__(self) -> Self:
        await self.ready()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        if self._opening is not None:
            warnings.warn(
                f"{type(self).__name__} was not closed",
                ResourceWarning,
                stacklevel=1,
                source=self,
            )

    @property
    def _store(self) -> Store | None:
        """The store, if it is open."""
        opening = self._opening
        if opening is None or not opening.done() or opening.exception():
            return None
        return opening.result()

    async def _opened(self) -> Store:
        """Return the store, open."""
        loop = asyncio.get_running_loop()
        opening = self._opening
        if opening is None or (opening.done() and opening.exception()):
            self._loop = loop
            opening = self._opening = self._threads.submit(
                Store, self._options, loop=loop, logger=self._logger
            )
        if loop is not self._loop:
            raise DriverConfigError("fs: a driver belongs to the loop it opened on.")
        if not opening.done():
            return await asyncio.wrap_future(opening)
        return opening.result()

    async def _close(self) -> None:
        """Close all; may be cancelled anywhere, and begun again on another loop."""
        await self._calls.close()
        opening = self._opening
        if opening is not None and not opening.done():  # its callers were cancelled
            with contextlib.suppress(Exception):  # told to them
                await asyncio.wrap_future(opening)
        while self._readers:
            await self._readers.pop().aclose()
        store, self._opening = self._store, None
        if store is not None:
            await self._threads.run(store.close)
        self._threads.shutdown()

    def _reader(self, opened: Opened) -> FsReader:
        reader = FsReader(
            opened,
            threads=self._threads,
            calls=self._calls,
            on_close=self._readers.discard,
        )
        if opened.body is not None and opened.body.holds:
            self._readers.add(reader)
        return reader
