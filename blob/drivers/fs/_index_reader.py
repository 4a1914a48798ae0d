"""The one thread that reads the index: all that is queued shares one transaction.

It is begun after they were queued, so everybody reads what was committed before asking.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from concurrent.futures import Future as ThreadFuture
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from ._errors import translate
from ._outbox import Outbox, dispose

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._generation import Generation
    from ._outbox import Waiter

_T = TypeVar("_T")

_GROUP = 256


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The index as of change `seq`, for the time of one call.

    Data files that it refers to stay as long; `hold` the generation for longer.
    """

    db: sqlite3.Connection
    seq: int
    generation: Generation


@dataclass(frozen=True, slots=True)
class _Query:
    call: Callable[[Snapshot], Any]
    waiter: Waiter


class IndexReader:
    """Runs queries in groups; used by the driver and the housekeeper."""

    def __init__(
        self,
        db: sqlite3.Connection,
        *,
        generation: Generation,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._db = db
        self._generation = generation
        self._outbox = Outbox(loop)
        self._queue: queue.SimpleQueue[_Query | None] = queue.SimpleQueue()
        self._seq = 0
        self._thread = threading.Thread(
            target=self._run, name="blob-fs-reader", daemon=True
        )

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Answer what is queued, then end; blocks. Nothing may be queued after."""
        self._queue.put(None)
        self._thread.join()

    async def read(self, call: Callable[[Snapshot], _T]) -> _T:
        """Run a query; a result nobody waits for any more is disposed of."""
        waiter: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._queue.put(_Query(call, waiter))
        try:
            return await waiter
        except asyncio.CancelledError:
            # The answer may have come just before the cancellation.
            if not waiter.cancelled() and waiter.exception() is None:
                dispose(waiter.result())
            raise

    def read_in_thread(self, call: Callable[[Snapshot], _T]) -> _T:
        """Run a query for another thread; blocks."""
        waiter: ThreadFuture[_T] = ThreadFuture()
        self._queue.put(_Query(call, waiter))
        return waiter.result()

    def _run(self) -> None:
        while True:
            group, last = self._take()
            if group:
                self._answer(group)
                self._outbox.flush()
                del group
            if last:
                return

    def _take(self) -> tuple[list[_Query], bool]:
        group: list[_Query] = []
        query = self._queue.get()
        while query is not None:
            group.append(query)
            if len(group) == _GROUP:
                return group, False
            try:
                query = self._queue.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _answer(self, group: list[_Query]) -> None:
        # Published before the index is looked at, and not later than what will be
        # seen: whoever unlinks files after this sees the number, whoever looked
        # before unlinks only what this transaction cannot see any more.
        token = self._generation.hold(self._seq)
        try:
            self._db.execute("BEGIN")
            self._seq = self._db.execute("SELECT seq FROM state").fetchone()[0]
            snapshot = Snapshot(self._db, self._seq, self._generation)
            for query in group:
                self._answer_one(query, snapshot)
            self._db.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - told to whoever waits
            for query in group:
                self._outbox.put(query.waiter, None, translate(error))
            # Should it fail: the next BEGIN does too, and tells those who wait then.
            with contextlib.suppress(sqlite3.Error):
                self._db.rollback()
        finally:
            self._generation.release(token)

    def _answer_one(self, query: _Query, snapshot: Snapshot) -> None:
        if isinstance(query.waiter, asyncio.Future) and query.waiter.cancelled():
            return
        try:
            result = query.call(snapshot)
        except Exception as error:  # noqa: BLE001 - told to whoever waits
            self._outbox.put(query.waiter, None, translate(error))
        else:
            self._outbox.put(query.waiter, result, None)
