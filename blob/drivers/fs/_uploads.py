"""Multipart uploads in the index, up to their end; `_complete` makes the file."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from ...errors import NoSuchContainerError, NoSuchUploadError
from ...types import PartListing
from ._records import (
    UPLOAD_COLUMNS,
    dump_map,
    load_part,
    load_upload,
    lookup_text,
    now_ns,
    owner_columns,
)
from ._transaction import container_id

if TYPE_CHECKING:
    import sqlite3

    from ...types import Part, Principal
    from ._account import Account
    from ._index_reader import Snapshot
    from ._records import Body, Row
    from ._transaction import Transaction


def begin_upload(
    txn: Transaction,
    container: str,
    key: bytes,
    metadata: str | None,
    checksum: tuple[str | None, str | None],
    principal: Principal | None,
) -> Row:
    """Begin an upload; return the columns of UPLOAD_COLUMNS."""
    txn.grow()
    found = container_id(txn.db, container)
    # Ids made later are greater, which is the listing's order.
    upload_id = f"{txn.seq:016x}{secrets.token_hex(8)}"
    started = now_ns()
    owner = owner_columns(principal)
    txn.db.execute(
        "INSERT INTO uploads(container, key, upload_id, initiated_ns, metadata, owner,"
        " owner_name, checksum_algorithm, checksum_type)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (found, key, upload_id, started, metadata, *owner, *checksum),
    )
    return (key, upload_id, started, metadata, *owner, *checksum)


def find_upload(
    db: sqlite3.Connection, container: str, key: bytes, upload_id: str
) -> Row:
    """Return UPLOAD_COLUMNS, the upload's and the container's number in the index."""
    found = container_id(db, container)
    row: Row | None = db.execute(
        f"SELECT {UPLOAD_COLUMNS}, u.id, u.container"  # noqa: S608 - constant columns
        " FROM uploads AS u WHERE container = ? AND key = ? AND upload_id = ?",
        (found, key, lookup_text(upload_id)),
    ).fetchone()
    if row is None:
        raise NoSuchUploadError
    return row


def check_part_room(
    snapshot: Snapshot,
    container: str,
    key: bytes,
    upload_id: str,
    number: int,
    size: int | None,
    account: Account,
) -> tuple[int, int, int]:
    """Return the numbers of upload and container, and the size of the part there.

    Refuses early what no quota has room for; without one, that size is told as 0.
    """
    *_, upload, found = find_upload(snapshot.db, container, key, upload_id)
    if account.limits.quota is None:
        return upload, found, 0
    row = snapshot.db.execute(
        "SELECT size FROM parts WHERE upload = ? AND number = ?", (upload, number)
    ).fetchone()
    replaced = 0 if row is None else int(row[0])
    account.limits.check(account.look(snapshot), (size or 0) - replaced, 0)
    return upload, found, replaced


def put_part(
    txn: Transaction, upload: int, container: int, number: int, body: Body
) -> Part:
    """Store or replace a part that was received."""
    txn.grow()
    if txn.row("SELECT 1 FROM containers WHERE id = ?", (container,)) is None:
        raise NoSuchContainerError
    if txn.row("SELECT 1 FROM uploads WHERE id = ?", (upload,)) is None:
        raise NoSuchUploadError
    old = txn.row(
        "SELECT size, content FROM parts WHERE upload = ? AND number = ?",
        (upload, number),
    )
    txn.charge(body.size - (0 if old is None else old[0]))
    row = (number, body.size, body.etag, now_ns(), dump_map(body.checksums))
    txn.db.execute(
        "INSERT OR REPLACE INTO parts(upload, content, number, size, etag, mtime_ns,"
        " checksums) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (upload, txn.add_content(body), *row),
    )
    if old is not None:
        txn.release_content(old[1])
    return load_part(row)


def list_parts(
    db: sqlite3.Connection,
    container: str,
    key: bytes,
    upload_id: str,
    marker: int,
    max_parts: int,
) -> PartListing:
    """List one page of parts."""
    found = find_upload(db, container, key, upload_id)
    rows = db.execute(
        "SELECT number, size, etag, mtime_ns, checksums FROM parts"
        " WHERE upload = ? AND number > ? ORDER BY number LIMIT ?",
        (found[-2], marker, max_parts + 1),
    ).fetchall()
    parts = [load_part(row) for row in rows[:max_parts]]
    more = len(rows) > len(parts) > 0
    return PartListing(
        load_upload(container, found), parts, more, parts[-1].number if more else None
    )


def abort_upload(txn: Transaction, container: str, key: bytes, upload_id: str) -> None:
    """Drop an upload and its parts."""
    drop_upload(txn, find_upload(txn.db, container, key, upload_id)[-2])


def drop_uploads(txn: Transaction, container: int) -> None:
    """Drop all uploads of a container that is going away."""
    uploads = txn.db.execute(
        "SELECT id FROM uploads WHERE container = ?", (container,)
    ).fetchall()
    for (upload,) in uploads:
        drop_upload(txn, upload)


def drop_upload(txn: Transaction, upload: int) -> None:
    """Drop an upload and the parts it still has."""
    parts = txn.db.execute(
        "SELECT content, size FROM parts WHERE upload = ?", (upload,)
    ).fetchall()
    for content, _ in parts:
        txn.release_content(content)
    txn.charge(-sum(size for _, size in parts))
    txn.db.execute("DELETE FROM parts WHERE upload = ?", (upload,))
    txn.db.execute("DELETE FROM uploads WHERE id = ?", (upload,))
