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
import time
from concurrent.futures import Future as ThreadFuture
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from ...errors import (
    BlobError,
    ClosedError,
    OutcomeUnknownError,
    StorageError,
    StorageFullError,
)
from ._errors import translate, translate_commit
from ._outbox import Outbox
from ._schema import BUSY_SECONDS
from ._transaction import Transaction

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ._account import Account
    from ._layout import CommitLock
    from ._outbox import Waiter
    from ._room import Room
    from ._transaction import Doomed, Usage

_T = TypeVar("_T")

_GROUP = 256
# Look at the log after about 8 MiB of changes; at 16 MiB it has to begin anew.
_CHECKPOINT_PAGES = 2000
_RESTART_PAGES = 2 * _CHECKPOINT_PAGES
# Readers are short; one that is not (its process was stopped) may not stall writers
# for longer than the first, nor more often than the second.
_RESTART_SECONDS = 1.0
_PAUSE_SECONDS = 10.0
_PAGE = 4096
# A change touches about so many pages (its tables' leaves and indexes) beside bodies.
_PAGES_PER_CHANGE = 4


@dataclass(slots=True)
class _Change:
    apply: Callable[[Transaction], Any]
    settle: Callable[[bool | None], None] | None
    waiter: Waiter | None
    size: int = 0
    result: object = None
    error: Exception | None = None


class _Outcome(NamedTuple):
    """What failed, whether a group was committed (None: unknown), what came of it."""

    failure: Exception | None
    committed: bool | None = False
    usage: tuple[int, Usage] | None = None
    doomed: Sequence[Doomed] = ()


class IndexWriter:
    """Commits changes in groups; used by the driver and the housekeeper."""

    def __init__(
        self,
        db: sqlite3.Connection,
        lock: CommitLock,
        *,
        account: Account,
        room: Room,
        log: Path,
        generation: int,
        loop: asyncio.AbstractEventLoop,
        logger: logging.Logger,
    ) -> None:
        self._db = db
        self._lock = lock
        self._account = account
        self._room = room
        self._log = log
        self._broken = False
        self._generation = generation
        self._outbox = Outbox(loop)
        self._logger = logger
        self._queue: queue.SimpleQueue[_Change | None] = queue.SimpleQueue()
        self._pages = 0
        self._restart_at = 0.0
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
        self._queue.put(_Change(lambda _: None, None, done))
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
        self._queue.put(_Change(apply, None, None))

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
        try:
            done = self._try_commit(group)
        except Exception:
            # Nobody foresaw it, so nobody knows what it left behind.
            self._logger.exception("fs: the index writer failed")
            self._broken = True
            done = _Outcome(OutcomeUnknownError(), committed=None)
        self.outcome_unknown = self.outcome_unknown or done.committed is None
        for change in group:
            kept = done.committed if change.error is None else False
            if change.settle is not None:
                change.settle(kept)
            if change.waiter is not None:
                error_or_none = change.error or done.failure
                self._outbox.put(change.waiter, change.result, error_or_none)
            elif change.error or done.failure:
                self._logger.error("fs: housekeeping: %s", change.error or done.failure)
        if done.usage is not None:
            # After the bodies that `settle` told of: they must not count twice.
            self._account.learn(*done.usage)
        if done.committed and done.doomed:
            self._on_doomed(done.doomed)

    def _try_commit(self, group: list[_Change]) -> _Outcome:
        if self._broken:
            return _Outcome(StorageError("The index failed: close the store."))
        done: _Outcome | None = None
        try:
            with self._lock.held():
                has_room = self._has_room(group)
                done = self._transact(group, has_room=has_room)
                if isinstance(done.failure, StorageFullError) and self._shorten_log():
                    done = self._transact(group, has_room=has_room)
        except (OSError, sqlite3.Error) as error:  # of the lock, or asking for room
            return done or _Outcome(translate(error))
        return done

    def _has_room(self, group: Sequence[_Change]) -> bool:
        """Whether the store may grow, without taking the space that deleting needs.

        A change is written twice: to the log, and then to the index. What the log
        holds already, the index may still have to grow by.
        """
        size = 2 * sum(change.size for change in group)
        log = self._log_size()
        if self._room.has(size + log):
            return True
        if log > 0:
            self._shorten_log()
        (spare,) = self._db.execute("PRAGMA freelist_count").fetchone()
        return self._room.has(size + self._log_size(), spare * _PAGE)

    def _log_size(self) -> int:
        try:
            return self._log.stat().st_size
        except FileNotFoundError:
            return 0

    def _shorten_log(self) -> bool:
        """Give the space of the log back; return whether that could be done."""
        try:
            busy, _, _ = self._move_log("TRUNCATE")
        except sqlite3.Error as error:
            self._logger.warning("fs: checkpoint failed, will retry: %s", error)
            return False
        return not busy

    def _transact(self, group: list[_Change], *, has_room: bool) -> _Outcome:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            txn = Transaction(
                self._db,
                limits=self._account.limits,
                generation=self._generation,
                has_room=has_room,
            )
            for change in group:
                self._apply(txn, change)
            txn.finish()
        except Exception as error:  # noqa: BLE001 - told to whoever waits
            self._rollback()
            return _Outcome(translate(error))
        try:
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._rollback()
            failure = translate_commit(error)
            unknown = isinstance(failure, OutcomeUnknownError)
            return _Outcome(failure, committed=None if unknown else False)
        self.groups += 1
        return _Outcome(
            None, committed=True, usage=(txn.seq, txn.usage), doomed=txn.doomed
        )

    def _apply(self, txn: Transaction, change: _Change) -> None:
        if change.waiter is not None and change.waiter.cancelled():
            change.error = ClosedError("The caller left before the change was made.")
            return
        change.error = None  # where it is tried again
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
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        except sqlite3.Error:
            self._logger.exception("fs: a rollback of the index failed")
            self._broken = True

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
                if pages > _RESTART_PAGES and time.monotonic() >= self._restart_at:
                    busy, _, _ = self._move_log("RESTART")
                    if busy:
                        self._restart_at = time.monotonic() + _PAUSE_SECONDS
        except Exception as error:  # noqa: BLE001 - the next one tries again
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
