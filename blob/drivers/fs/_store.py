"""Everything that one open store consists of: opened and closed in one place."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, TypeVar

from . import _schema
from ._account import Account
from ._files import DataFiles
from ._generation import Generation, is_alive
from ._housekeeper import DOOMED, Housekeeper, forget_empty_generation
from ._index_reader import IndexReader
from ._index_writer import IndexWriter
from ._layout import CommitLock, Layout
from ._room import Room
from ._transaction import Doomed, Limits

if TYPE_CHECKING:
    import asyncio
    import logging
    from collections.abc import Callable, Sequence

    from ._account import Arrival
    from ._options import FsOptions
    from ._records import Body
    from ._transaction import Transaction

_T = TypeVar("_T")

# Those that died, and those of which nothing is left but perhaps empty directories.
_TO_SWEEP = """
SELECT id, name FROM generations AS g WHERE state = 'dead' OR state <> 'live'
    AND NOT EXISTS (SELECT 1 FROM pieces WHERE generation = g.id)
    AND NOT EXISTS (SELECT 1 FROM doomed WHERE generation = g.id)
"""


class Store:
    """An open store: its registration, connections, data files and threads."""

    def __init__(
        self,
        options: FsOptions,
        *,
        loop: asyncio.AbstractEventLoop,
        logger: logging.Logger,
    ) -> None:
        """Open the store; blocks. Raises OSError, sqlite3.Error and ours."""
        self._logger = logger
        self.account = Account(Limits(options.quota, options.obj_limit))
        self._layout = Layout(options.root)
        with contextlib.ExitStack() as undo:
            self._layout.make_root()
            self._lock = CommitLock(self._layout)
            undo.callback(self._lock.close)
            with self._lock.held():
                writing, reading, dead, doomed = self._connect(options)
            self.room = Room(options.root)
            undo.pop_all()
        self._connections = (writing, reading)
        self.files = DataFiles(
            self._layout.data, self.generation.name, options.durability, self.room
        )
        self.reader = IndexReader(reading, generation=self.generation, loop=loop)
        self.writer = IndexWriter(
            writing,
            self._lock,
            account=self.account,
            room=self.room,
            log=self._layout.log,
            generation=self.generation.number,
            loop=loop,
            logger=logger,
        )
        self.housekeeper = Housekeeper(
            self._layout,
            files=self.files,
            generation=self.generation,
            reader=self.reader,
            writer=self.writer,
            logger=logger,
        )
        self.generation.on_release = self.housekeeper.reader_released
        self.reader.start()
        self.writer.start(self.housekeeper.doom)
        self.housekeeper.start(dead, doomed)

    async def commit_body(
        self, apply: Callable[[Transaction], _T], body: Body, arrival: Arrival
    ) -> _T:
        """Commit a change that shows a body; its file goes where that fails.

        From the call on, without a pause, the writer answers for the file, whatever
        becomes of the caller.
        """

        def settle(committed: bool | None) -> None:  # noqa: FBT001 - see `submit`
            arrival.end()
            if committed is False and body.number is not None:
                self.housekeeper.discard(body.number)

        return await self.writer.submit(
            apply, settle=settle, size=len(body.inline or b"")
        )

    def close(self) -> None:
        """Finish what is queued and close all; blocks. No call may be in flight."""
        self.writer.flush()
        self.housekeeper.stop()
        self.writer.stop()
        self.reader.stop()
        with self._lock.held():
            try:
                self._sign_off()
            except (sqlite3.Error, OSError) as error:
                # The next opening then takes this generation for dead and sweeps it.
                self._logger.warning("fs: could not record the closing: %s", error)
            for connection in self._connections:
                connection.close()
            self.generation.close()
        self._lock.close()

    def _connect(
        self, options: FsOptions
    ) -> tuple[
        sqlite3.Connection,
        sqlite3.Connection,
        Sequence[tuple[int, str]],
        Sequence[Doomed],
    ]:
        """Open the index and register; call it under the commit lock."""
        with contextlib.ExitStack() as undo:
            self._layout.check_version()
            self.generation = Generation(self._layout.processes)
            undo.callback(self.generation.close)
            writing = _schema.connect(self._layout.index, options.durability)
            undo.callback(writing.close)
            _schema.create_tables(writing)
            reading = _schema.connect_reader(self._layout.index)
            undo.callback(reading.close)
            dead = self._register(writing)
            doomed = [Doomed(*row) for row in writing.execute(DOOMED)]
            undo.pop_all()
        return writing, reading, dead, doomed

    def _register(self, db: sqlite3.Connection) -> Sequence[tuple[int, str]]:
        """Enter this generation, and return those to sweep."""
        processes = self._layout.processes
        db.execute("BEGIN IMMEDIATE")
        living = set()
        for number, name in db.execute(
            "SELECT id, name FROM generations WHERE state = 'live'"
        ).fetchall():
            if is_alive(processes, name):
                living.add(name)
            else:
                db.execute(
                    "UPDATE generations SET state = 'dead' WHERE id = ?", (number,)
                )
        self.generation.number = (
            db.execute(
                "INSERT INTO generations(name, state) VALUES (?, 'live')",
                (self.generation.name,),
            ).lastrowid
            or 0
        )
        dead: list[tuple[int, str]] = db.execute(_TO_SWEEP).fetchall()
        db.execute("COMMIT")
        for path in processes.iterdir():
            if path.name not in living and path.name != self.generation.name:
                path.unlink()
        return dead

    def _sign_off(self) -> None:
        """Record whether a sweep of this generation could find anything."""
        db = self._connections[0]
        db.execute("BEGIN IMMEDIATE")
        number = self.generation.number
        clean = not self.writer.outcome_unknown and not self.housekeeper.failed
        if not clean or not forget_empty_generation(db, number):
            db.execute(
                "UPDATE generations SET state = ? WHERE id = ?",
                ("closed" if clean else "dead", number),
            )
        db.execute("COMMIT")
        self.files.remove_empty_directories()
