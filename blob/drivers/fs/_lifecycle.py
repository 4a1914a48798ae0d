"""Opening and closing a driver, and counting the calls in flight."""

from __future__ import annotations

import asyncio
import warnings
from typing import TYPE_CHECKING

from ...errors import ClosedError, DriverConfigError
from ._reader import FsReader
from ._store import Store
from ._threads import Threads

if TYPE_CHECKING:
    import logging
    from types import TracebackType
    from typing import Self

    from ._options import FsOptions
    from ._reader import Opened


class Calls:
    """Calls in flight: `with calls:` around each; none begins once it is closed."""

    def __init__(self) -> None:
        self._count = 0
        self._closed = False
        self._idle = asyncio.Event()

    def __enter__(self) -> None:
        if self._closed:
            raise ClosedError
        self._count += 1

    def __exit__(self, *_: object) -> None:
        self._count -= 1
        if self._closed and not self._count:
            self._idle.set()

    @property
    def closed(self) -> bool:
        """Whether new calls are refused."""
        return self._closed

    def close(self) -> None:
        """Refuse new calls."""
        self._closed = True
        if not self._count:
            self._idle.set()

    async def drained(self) -> None:
        """Wait until no call is in flight; after `close`."""
        await self._idle.wait()


class StoreOwner:
    """The part of a driver that opens and closes its store.

    It belongs to the loop that opened it. Calls made before `ready()` wait for it.
    """

    def __init__(self, options: FsOptions, logger: logging.Logger) -> None:
        self._options = options
        self._logger = logger
        self._threads = Threads()
        self._calls = Calls()
        self._store: Store | None = None
        self._opening: asyncio.Future[Store] | None = None
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

        When a caller is cancelled the closing goes on.
        """
        self._calls.close()
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close())
        await asyncio.wait((self._closing,))
        self._closing.result()

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
        if self._store is not None:
            warnings.warn(
                f"{type(self).__name__} was not closed",
                ResourceWarning,
                stacklevel=1,
                source=self,
            )

    async def _opened(self) -> Store:
        """Return the store, open."""
        loop = asyncio.get_running_loop()
        if self._store is not None:
            if loop is not self._loop:
                raise DriverConfigError(
                    "fs: a driver belongs to the loop it opened on."
                )
            return self._store
        if self._opening is None:
            self._opening = self._threads.start(
                Store, self._options, loop=loop, logger=self._logger
            )
        opening = self._opening
        await asyncio.wait((opening,))
        return self._adopt(opening)

    def _adopt(self, opening: asyncio.Future[Store]) -> Store:
        if self._opening is opening:
            self._opening = None
            self._loop = opening.get_loop()
            self._store = opening.result()
        elif self._store is not None:
            return self._store
        return opening.result()

    async def _close(self) -> None:
        await self._calls.drained()
        if self._opening is not None:  # whoever began it was cancelled
            await asyncio.wait((self._opening,))
            if self._opening.exception() is None:
                self._adopt(self._opening)
        while self._readers:
            await self._readers.pop().aclose()
        store, self._store = self._store, None
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
