"""The one thread that writes to the index: changes are committed in groups.

Each group is one transaction under the commit lock, each change a savepoint in it. The
commit is the point where a write happens: what must hold is checked inside.
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

from ...errors import BlobError, ClosedError, OutcomeUnknownError
from ._errors import translate, translate_commit
from ._outbox import Outbox
from ._schema import BUSY_SECONDS
from ._transaction import Transaction

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Sequence

    from ._layout import CommitLock
    from ._outbox import Waiter
    from ._transaction import Doomed, Limits

_T = TypeVar("_T")

_GROUP = 256
# Look at the log after about 8 MiB of changes; at 16 MiB it has to begin anew.
_CHECKPOINT_PAGES = 2000
_RESTART_PAGES = 2 * _CHECKPOINT_PAGES
# Readers are short; one that is not (its process was stopped) may not stall writers.
_RESTART_SECONDS = 1.0
_PAGE = 4096
# A change touches about so many pages (its tables' leaves and indexes) beside bodies.
_PAGES_PER_CHANGE = 4


@dataclass(slots=True)
class _Change:
    apply: Callable[[Transaction], Any]
    settle: Callable[[bool | None], None] | None
    waiter: Waiter | None
    size: int
    result: object = None
    error: Exception | None = None


class IndexWriter:
    """Commits changes in groups; used by the driver and the housekeeper."""

    def __init__(
        self,
        db: sqlite3.Connection,
        lock: CommitLock,
        *,
        limits: Limits,
        generation: int,
        loop: asyncio.AbstractEventLoop,
        logger: logging.Logger,
    ) -> None:
        self._db = db
        self._lock = lock
        self._limits = limits
        self._generation = generation
        self._outbox = Outbox(loop)
        self._logger = logger
        self._queue: queue.SimpleQueue[_Change | None] = queue.SimpleQueue()
        self._pages = 0
        self._thread = threading.Thread(
            target=self._run, name="blob-fs-writer", daemon=True
        )
        self.groups = 0
        self.outcome_unknown = False

    def start(self, on_doomed: Callable[[Sequence[Doomed]], None]) -> None:
        """Begin to work; `on_doomed` is told, in this thread, what a commit doomed."""
        self._on_doomed = on_doomed
        self._thread.start()

    def flush(self) -> None:
        """Wait until what is queued now is committed; blocks."""
        done: ThreadFuture[None] = ThreadFuture()
        self._queue.put(_Change(lambda _: None, None, done, 0))
        with contextlib.suppress(BlobError):
            done.result()

    def stop(self) -> None:
        """Commit what is queued, then end; blocks. Nothing may be queued after."""
        self._queue.put(None)
        self._thread.join()

    def submit(
        self,
        apply: Callable[[Transaction], _T],
        *,
        settle: Callable[[bool | None], None] | None = None,
        size: int = 0,
    ) -> asyncio.Future[_T]:
        """Queue a change; the future has its result once it is committed.

        `settle` is called in the writer's thread when the fate of the change is known,
        whoever still waits: True for committed, False for not, None for unknown. A
        waiter cancelled before the change was taken up takes it back; later, the change
        happens. `size` is what it adds to the index beyond a few rows.
        """
        waiter: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._queue.put(_Change(apply, settle, waiter, size))
        return waiter

    def post(self, apply: Callable[[Transaction], object]) -> None:
        """Queue a change that nobody waits for; from any thread."""
        self._queue.put(_Change(apply, None, None, 0))

    def _run(self) -> None:
        while True:
            group, last = self._take()
            if group:
                self._commit(group)
                self._outbox.flush()
                del group
            self._checkpoint()
            if last:
                return

    def _take(self) -> tuple[list[_Change], bool]:
        group: list[_Change] = []
        change = self._queue.get()
        while change is not None:
            group.append(change)
            if len(group) == _GROUP:
                return group, False
            try:
                change = self._queue.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _commit(self, group: list[_Change]) -> None:
        committed: bool | None = False
        failure: Exception | None = None
        doomed: Sequence[Doomed] = ()
        try:
            with self._lock.held():
                committed, failure, doomed = self._transact(group)
        except OSError as error:  # the lock itself
            failure = translate(error)
        self.outcome_unknown = self.outcome_unknown or committed is None
        for change in group:
            kept = committed if change.error is None else False
            if change.settle is not None:
                change.settle(kept)
            if change.waiter is not None:
                error_or_none = change.error or failure
                self._outbox.put(change.waiter, change.result, error_or_none)
            elif change.error or failure:
                self._logger.error("fs: housekeeping: %s", change.error or failure)
        if committed and doomed:
            self._on_doomed(doomed)

    def _transact(
        self, group: list[_Change]
    ) -> tuple[bool | None, Exception | None, Sequence[Doomed]]:
        """Return whether it was committed, what failed, and what it doomed."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            txn = Transaction(
                self._db, limits=self._limits, generation=self._generation
            )
            for change in group:
                self._apply(txn, change)
            txn.finish()
        except Exception as error:  # noqa: BLE001 - told to whoever waits
            self._rollback()
            return False, translate(error), ()
        try:
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._rollback()
            failure = translate_commit(error)
            unknown = isinstance(failure, OutcomeUnknownError)
            return None if unknown else False, failure, ()
        self.groups += 1
        return True, None, txn.doomed

    def _apply(self, txn: Transaction, change: _Change) -> None:
        if change.waiter is not None and change.waiter.cancelled():
            change.error = ClosedError("The caller left before the change was made.")
            return
        txn.begin_change()
        try:
            change.result = change.apply(txn)
        except Exception as error:
            if not self._db.in_transaction:
                raise  # SQLite gave up the whole transaction: no space, say
            txn.undo_change()
            change.error = translate(error)
        else:
            txn.keep_change()
            self._pages += _PAGES_PER_CHANGE + change.size // _PAGE

    def _rollback(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def _checkpoint(self) -> None:
        """Move the log into the index where it has grown enough.

        PASSIVE waits for nobody, and the log begins anew where nobody reads it at the
        next commit. Under constant reading that moment may never come, so a log that
        stays long is made to begin anew by RESTART, which waits for the readers that
        still use it (new ones do not need it any more).
        """
        if self._pages < _CHECKPOINT_PAGES:
            return
        self._pages = 0
        try:
            with self._lock.held():
                _, pages, _ = self._move_log("PASSIVE")
                if pages > _RESTART_PAGES:
                    self._move_log("RESTART")
        except (sqlite3.Error, OSError) as error:
            self._logger.warning("fs: checkpoint failed, will retry: %s", error)

    def _move_log(self, mode: str) -> tuple[int, int, int]:
        """Checkpoint under the lock; return busy or not, pages of log, pages moved."""
        self._db.execute(f"PRAGMA busy_timeout = {int(_RESTART_SECONDS * 1000)}")
        try:
            busy, pages, moved = self._db.execute(
                f"PRAGMA wal_checkpoint({mode})"
            ).fetchone()
        finally:
            self._db.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
        return busy, pages, moved
