"""One write transaction: the usage, the sequence number, bodies and who shows them.

The writer makes one for a group of changes and hands it to each of them; `_objects`,
`_uploads` and `_containers` say what a change does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...errors import NoSuchContainerError, StorageFullError, UsageExceededError
from ._records import lookup_text

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from ._records import Body, Row


class Doomed(NamedTuple):
    """A data file nobody refers to since commit `seq`."""

    seq: int
    generation: int
    number: int


class Usage(NamedTuple):
    """What the store holds: bytes (also of parts of unfinished uploads), and files."""

    size: int
    objects: int


class Limits(NamedTuple):
    """What the store may hold; None is no limit."""

    quota: int | None
    obj_limit: int | None

    def check(self, usage: Usage, size: int, objects: int) -> None:
        """Raise `UsageExceededError` where so much growth is too much."""
        if size > 0 and self.quota is not None and usage.size + size > self.quota:
            raise UsageExceededError
        if (
            objects > 0
            and self.obj_limit is not None
            and usage.objects + objects > self.obj_limit
        ):
            raise UsageExceededError


def read_usage(db: sqlite3.Connection) -> Usage:
    """Read the usage as of the connection's transaction."""
    return Usage(*db.execute("SELECT bytes, objects FROM state").fetchone())


def container_id(db: sqlite3.Connection, name: str) -> int:
    """Return the id of a container; a name used again has another id."""
    row = db.execute(
        "SELECT id FROM containers WHERE name = ?", (lookup_text(name),)
    ).fetchone()
    if row is None:
        raise NoSuchContainerError
    return int(row[0])


class Transaction:
    """A transaction that has begun; a change that raises is taken back alone."""

    def __init__(
        self,
        db: sqlite3.Connection,
        *,
        limits: Limits,
        generation: int,
        has_room: bool,
    ) -> None:
        self.db = db
        self.seq: int
        self.seq, size, objects = db.execute(
            "SELECT seq, bytes, objects FROM state"
        ).fetchone()
        self.usage = Usage(size, objects)
        self.doomed: list[Doomed] = []
        self._limits = limits
        self._generation = generation
        self._has_room = has_room
        self._saved = (self.seq, self.usage, 0)

    def begin_change(self) -> None:
        """Begin one change of the group."""
        self._saved = (self.seq, self.usage, len(self.doomed))
        self.db.execute("SAVEPOINT change")
        self.seq += 1

    def keep_change(self) -> None:
        """Make the change part of the group."""
        self.db.execute("RELEASE change")

    def undo_change(self) -> None:
        """Take back what the change did; the rest of the group stays."""
        self.seq, self.usage, doomed = self._saved
        del self.doomed[doomed:]
        self.db.execute("ROLLBACK TO change")
        self.db.execute("RELEASE change")

    def finish(self) -> None:
        """Write what the group adds up to; COMMIT follows."""
        self.db.execute(
            "UPDATE state SET seq = ?, bytes = ?, objects = ?", (self.seq, *self.usage)
        )

    def row(self, sql: str, values: Sequence[object]) -> Row | None:
        """Return the first row of a query, or None."""
        found: Row | None = self.db.execute(sql, values).fetchone()
        return found

    def grow(self) -> None:
        """Announce that the change takes disk space for good.

        Raises `StorageFullError` before the disk is so full that nothing could be
        deleted any more; so what frees space, or ends something, must not call it.
        """
        if not self._has_room:
            raise StorageFullError

    def charge(self, size: int, objects: int = 0) -> None:
        """Count growth (or what was freed); raises `UsageExceededError`."""
        self._limits.check(self.usage, size, objects)
        self.usage = Usage(self.usage.size + size, self.usage.objects + objects)

    def add_content(self, body: Body) -> int:
        """Store a body, shown once; return its id."""
        content = self.db.execute(
            "INSERT INTO contents(refs, body) VALUES (1, ?)", (body.inline,)
        ).lastrowid
        assert content is not None  # noqa: S101 - an INSERT has one
        if body.number is not None:
            self.db.execute(
                "INSERT INTO pieces VALUES (?, 0, ?, ?, ?, NULL)",
                (content, body.size, self._generation, body.number),
            )
        return content

    def share_content(self, content: int) -> None:
        """Count one more that shows the body."""
        self.db.execute("UPDATE contents SET refs = refs + 1 WHERE id = ?", (content,))

    def release_content(self, content: int) -> None:
        """Count one less; the last one dooms the body's data files."""
        left = self.row(
            "UPDATE contents SET refs = refs - 1 WHERE id = ? RETURNING refs",
            (content,),
        )
        if left is None or left[0] > 0:
            return
        files = self.db.execute(
            "SELECT generation, number FROM pieces"
            " WHERE content = ? AND generation IS NOT NULL",
            (content,),
        ).fetchall()
        for generation, number in files:
            self.db.execute(
                "INSERT INTO doomed VALUES (?, ?, ?)", (generation, number, self.seq)
            )
            self.doomed.append(Doomed(self.seq, generation, number))
        self.db.execute("DELETE FROM pieces WHERE content = ?", (content,))
        self.db.execute("DELETE FROM contents WHERE id = ?", (content,))
