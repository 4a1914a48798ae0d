"""The thread that removes data files: doomed ones, discarded ones, and orphans.

- *Doomed* files lost their last reference in a commit. They go once no living process
  reads a state of the index from before it; then their rows go, in a later commit.
- *Discarded* files were linked for a change that was then not committed.
- *Orphans* are what a generation that died left unreferenced: it is swept once. Living
  generations are never swept: their files may be about to be referenced.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from ...errors import BlobError
from ._files import DRAFT_SUFFIX, remove_empty
from ._generation import oldest_reader
from ._transaction import Doomed

if TYPE_CHECKING:
    import logging
    import sqlite3
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from ._files import DataFiles
    from ._generation import Generation
    from ._index_reader import IndexReader, Snapshot
    from ._index_writer import IndexWriter
    from ._layout import Layout
    from ._transaction import Transaction

# How often to look again while readers of other processes are in the way: nobody tells
# when they end.
_POLL_SECONDS = 0.25
# How often to look for what a process doomed that has closed the store since; and how
# long to wait, at most, between two tries on a disk that fails.
_LOOK_SECONDS = 60.0


DOOMED = "SELECT seq, generation, number FROM doomed"
"""The columns of `Doomed`."""


class Housekeeper:
    """Removes data files in the background; woken by commits and by closed readers."""

    def __init__(
        self,
        layout: Layout,
        *,
        files: DataFiles,
        generation: Generation,
        reader: IndexReader,
        writer: IndexWriter,
        logger: logging.Logger,
    ) -> None:
        self._layout = layout
        self._files = files
        self._generation = generation
        self._reader = reader
        self._writer = writer
        self._logger = logger
        self._wake = threading.Condition()
        self._new: list[Doomed] = []
        self._discarded: list[int] = []
        self._released = False
        self._stopping = False
        self._waiting: list[Doomed] = []
        self._own_reader_in_way = False
        self._names: dict[int, str | None] = {}
        self._dead: list[tuple[int, str]] = []
        self.swept = threading.Event()
        self.failed = False
        self._pause = _POLL_SECONDS
        self._thread = threading.Thread(
            target=self._run, name="blob-fs-housekeeper", daemon=True
        )

    def start(self, dead: Iterable[tuple[int, str]], doomed: Iterable[Doomed]) -> None:
        """Begin, with the generations to sweep and what others left doomed."""
        self._dead.extend(dead)
        self._new.extend(doomed)
        self._thread.start()

    def stop(self) -> None:
        """Remove what can be removed now, then end; blocks."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()

    def doom(self, files: Sequence[Doomed]) -> None:
        """Take over what a commit doomed."""
        with self._wake:
            self._new.extend(files)
            self._wake.notify()

    def discard(self, number: int) -> None:
        """Take over a file of this generation that was linked and not committed."""
        with self._wake:
            self._discarded.append(number)
            self._wake.notify()

    def reader_released(self) -> None:
        """A reader of this process ended: look again, if it was in the way."""
        if self._own_reader_in_way:
            with self._wake:
                self._released = True
                self._wake.notify()

    def _run(self) -> None:
        for number, name in self._dead:
            if self._stopping:
                break
            try:
                self._sweep(number, name)
            except Exception:  # the next opening tries again
                self._logger.exception("fs: sweep of a dead generation failed")
        self.swept.set()
        poll = _LOOK_SECONDS
        look_at = time.monotonic() + _LOOK_SECONDS
        while not self._stopping:
            with self._wake:
                self._wake.wait_for(self._has_work, poll)
            if time.monotonic() >= look_at:
                self._look()
                look_at = time.monotonic() + _LOOK_SECONDS
            poll = self._round()
        self._look()
        self._round()

    def _look(self) -> None:
        """Take over what others doomed: they may have closed the store since."""
        try:
            doomed = self._reader.read_in_thread(_read_doomed)
        except BlobError as error:
            self._logger.warning("fs: cannot tell which data files may go: %s", error)
            return
        with self._wake:
            self._new += set(doomed).difference(self._waiting, self._new)

    def _has_work(self) -> bool:
        return bool(self._stopping or self._released or self._new or self._discarded)

    def _round(self) -> float:
        """Remove what can go now; return the seconds after which to try again."""
        with self._wake:
            self._waiting += self._new
            self._new = []
            discarded, self._discarded = self._discarded, []
            self._released = False
        try:
            for number in discarded:
                self._files.unlink_own(number)
            others_read = self._reap() if self._waiting else False
        except Exception:  # a broken disk; not a reason to end the thread
            self._logger.exception("fs: removing data files failed")
            self.failed = True  # so the next opening sweeps this generation
            self._pause = min(2 * self._pause, _LOOK_SECONDS)
            return self._pause
        self._pause = _POLL_SECONDS
        return _POLL_SECONDS if others_read else _LOOK_SECONDS

    def _reap(self) -> bool:
        newest = max(file.seq for file in self._waiting)
        # Before looking: a release that comes after the look wakes us again.
        self._own_reader_in_way = True
        own = self._generation.oldest
        others = oldest_reader(
            self._layout.processes, needed=newest, but=self._generation.name
        )
        self._own_reader_in_way = own < newest
        horizon = min(own, others)
        ready = [file for file in self._waiting if file.seq <= horizon]
        directories: set[Path] = set()
        for file in ready:
            name = self._name(file.generation)
            if name is not None:
                self._files.unlink(name, file.number)
                directories.add(self._files.directory(name, file.number))
        self._files.sync_names(directories)
        self._waiting = [file for file in self._waiting if file.seq > horizon]
        if ready:
            self._writer.post(lambda txn: _forget(txn, ready))
        return others < newest and bool(self._waiting)

    def _name(self, generation: int) -> str | None:
        if generation not in self._names:

            def find(snapshot: Snapshot) -> str | None:
                row = snapshot.db.execute(
                    "SELECT name FROM generations WHERE id = ?", (generation,)
                ).fetchone()
                return None if row is None else str(row[0])

            self._names[generation] = self._reader.read_in_thread(find)
        return self._names[generation]

    def _sweep(self, number: int, name: str) -> None:
        """Remove the orphans of a dead generation, and what is empty after."""
        home = self._layout.data / name
        try:
            directories = sorted(home.iterdir())
        except FileNotFoundError:
            directories = []
        for directory in directories:
            if self._stopping:
                return
            self._sweep_directory(number, directory)
            self._round()
        remove_empty(home)
        self._files.sync_names({home.parent})
        self._writer.post(lambda txn: _mark_swept(txn, number))

    def _sweep_directory(self, generation: int, directory: Path) -> None:
        with os.scandir(directory) as entries:
            names = [entry.name for entry in entries]
        numbers = {int(name) for name in names if name.isdigit()}
        kept: set[int] = set()
        if numbers:
            first, last = min(numbers), max(numbers)
            kept = self._reader.read_in_thread(
                lambda snapshot: _referenced(snapshot, generation, first, last)
            )
        orphans = [str(number) for number in numbers - kept]
        orphans += [name for name in names if name.endswith(DRAFT_SUFFIX)]
        for orphan in orphans:
            (directory / orphan).unlink(missing_ok=True)
        self._files.sync_names({directory})
        remove_empty(directory)


def _read_doomed(snapshot: Snapshot) -> list[Doomed]:
    return [Doomed(*row) for row in snapshot.db.execute(DOOMED)]


def _referenced(snapshot: Snapshot, generation: int, first: int, last: int) -> set[int]:
    rows = snapshot.db.execute(
        "SELECT number FROM pieces WHERE generation = ?1 AND number BETWEEN ?2 AND ?3"
        " UNION ALL"
        " SELECT number FROM doomed WHERE generation = ?1 AND number BETWEEN ?2 AND ?3",
        (generation, first, last),
    )
    return {number for (number,) in rows}


def _forget(txn: Transaction, files: Sequence[Doomed]) -> None:
    txn.db.executemany(
        "DELETE FROM doomed WHERE generation = ? AND number = ?",
        [(file.generation, file.number) for file in files],
    )


def _mark_swept(txn: Transaction, generation: int) -> None:
    txn.db.execute("UPDATE generations SET state = 'swept' WHERE id = ?", (generation,))
    forget_empty_generation(txn.db, generation)


def forget_empty_generation(db: sqlite3.Connection, generation: int) -> bool:
    """Drop a generation of which no data file is left; return whether it was."""
    return bool(
        db.execute(
            "DELETE FROM generations WHERE id = ?1"
            " AND NOT EXISTS (SELECT 1 FROM pieces WHERE generation = ?1)"
            " AND NOT EXISTS (SELECT 1 FROM doomed WHERE generation = ?1)",
            (generation,),
        ).rowcount
    )
