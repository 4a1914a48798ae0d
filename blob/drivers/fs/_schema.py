"""The tables of the index, and how a connection to it is set up.

- `objects` holds current versions only and nothing long, so that listing stays flat;
  its order (container, key as UTF-8 bytes, compared by memcmp) is the listing's. `seq`
  is the change that wrote the row: nothing reads it before there are versions.
- `contents` are bodies: `refs` counts the objects and parts that show them. A small
  body is inline in `body`, any other is made of `pieces`, in order: data files, or
  small bodies of parts. `parts` tells the part sizes of a completed upload.
- `doomed` are data files nobody refers to since commit `seq`; see `_housekeeper`.
- `state` is one row: the sequence number of the last change, and the usage.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING

from ...errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from ._options import Durability

BUSY_SECONDS = 10.0
_LOG_LIMIT = 64 * 1024 * 1024

_TABLES = """
CREATE TABLE IF NOT EXISTS state(
    id INTEGER PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL, bytes INTEGER NOT NULL, objects INTEGER NOT NULL);
INSERT OR IGNORE INTO state VALUES (1, 0, 0, 0);

CREATE TABLE IF NOT EXISTS generations(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE, state TEXT NOT NULL);

CREATE TABLE IF NOT EXISTS containers(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE, owner TEXT, owner_name TEXT,
    created_ns INTEGER NOT NULL, options_version INTEGER NOT NULL);

CREATE TABLE IF NOT EXISTS options(
    container INTEGER NOT NULL, name TEXT NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (container, name)) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS objects(
    container INTEGER NOT NULL, key BLOB NOT NULL, content INTEGER NOT NULL,
    size INTEGER NOT NULL, etag TEXT NOT NULL, mtime_ns INTEGER NOT NULL,
    metadata TEXT, owner TEXT, owner_name TEXT,
    checksums TEXT, checksum_type TEXT, multipart INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (container, key)) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS contents(
    id INTEGER PRIMARY KEY, refs INTEGER NOT NULL, parts TEXT, body BLOB);

CREATE TABLE IF NOT EXISTS pieces(
    content INTEGER NOT NULL, ordinal INTEGER NOT NULL, size INTEGER NOT NULL,
    generation INTEGER, number INTEGER, body BLOB,
    PRIMARY KEY (content, ordinal)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS pieces_by_file ON pieces(generation, number)
    WHERE generation IS NOT NULL;

CREATE TABLE IF NOT EXISTS uploads(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    container INTEGER NOT NULL, key BLOB NOT NULL, upload_id TEXT NOT NULL UNIQUE,
    initiated_ns INTEGER NOT NULL, metadata TEXT, owner TEXT, owner_name TEXT,
    checksum_algorithm TEXT, checksum_type TEXT);
CREATE UNIQUE INDEX IF NOT EXISTS uploads_in_order
    ON uploads(container, key, upload_id);

CREATE TABLE IF NOT EXISTS parts(
    upload INTEGER NOT NULL, number INTEGER NOT NULL, content INTEGER NOT NULL,
    size INTEGER NOT NULL, etag TEXT NOT NULL, mtime_ns INTEGER NOT NULL,
    checksums TEXT, PRIMARY KEY (upload, number)) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS doomed(
    generation INTEGER NOT NULL, number INTEGER NOT NULL, seq INTEGER NOT NULL,
    PRIMARY KEY (generation, number)) WITHOUT ROWID;
"""


def connect(path: Path, durability: Durability) -> sqlite3.Connection:
    """Open a connection for writing; call it under the commit lock."""
    _create_private(path)
    db = _connect(path)
    try:
        _use_log(db)
        # NORMAL: commits are not synced, checkpoints are. With OFF a checkpoint of this
        # process could lose what another one, on the same root, had promised to keep.
        level = "NORMAL" if durability == "none" else "FULL"
        db.execute(f"PRAGMA synchronous = {level}")
        # The writer checkpoints when it has nothing better to do.
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute(f"PRAGMA journal_size_limit = {_LOG_LIMIT}")
        # Overwriting deleted rows with zeros doubles what a commit has to sync.
        db.execute("PRAGMA secure_delete = OFF")
        db.execute("PRAGMA cache_size = -16384")
    except BaseException:
        db.close()
        raise
    return db


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open a connection that never writes; call it under the commit lock."""
    db = _connect(path)
    try:
        db.execute("PRAGMA query_only = ON")
        db.execute("PRAGMA cache_size = -32768")
    except BaseException:
        db.close()
        raise
    return db


def _create_private(path: Path) -> None:
    """Create the index where it is missing, readable for its owner alone.

    It holds bodies; its log and shared memory get the same mode. One that exists is not
    opened here: closing it would drop the locks of this process's other connections.
    """
    with contextlib.suppress(FileExistsError):
        os.close(
            os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        )


def create_tables(db: sqlite3.Connection) -> None:
    """Create what is missing, in one transaction; call it under the commit lock."""
    known = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'state'").fetchone()
    if known is None:
        db.executescript("BEGIN IMMEDIATE;" + _TABLES + "COMMIT;")


def _use_log(db: sqlite3.Connection) -> None:
    (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StorageError("The file system of the store cannot share memory.")


def _connect(path: Path) -> sqlite3.Connection:
    # Each connection is used by one thread at a time: opened here, worked by its own
    # thread, closed after that ended. Transactions are begun and ended by hand.
    return sqlite3.connect(
        path,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
