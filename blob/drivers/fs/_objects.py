"""Files in the index: the queries of readers and the changes of the writer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import (
    BlobError,
    CorruptDataError,
    NoSuchContainerError,
    NoSuchFileError,
)
from ...rules import check_copy, check_delete, check_key, check_version, check_write
from ...types import DeleteResult
from ._records import (
    FILE_COLUMNS,
    Piece,
    dump_map,
    dump_metadata,
    load_file,
    lookup_text,
    now_ns,
    owner_columns,
)
from ._transaction import container_id

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from ...types import (
        Checksums,
        Conditions,
        CopyOptions,
        DeleteGuard,
        DeleteRequest,
        FileInfo,
        Metadata,
        Principal,
    )
    from ._account import Account
    from ._index_reader import Snapshot
    from ._records import Body, Row
    from ._transaction import Transaction


@dataclass(frozen=True, slots=True)
class NewFile:
    """A row of `objects` about to be written, but for its content."""

    container: str
    container_id: int
    key: bytes
    size: int
    etag: str
    metadata: str | None
    principal: Principal | None
    checksums: Checksums
    checksum_type: str = "FULL_OBJECT"
    parts: str | None = None


def check_room(
    snapshot: Snapshot, container: str, key: bytes, size: int | None, account: Account
) -> tuple[int, int]:
    """Return the container's id, and the size of what is there under the key.

    Refuses early what no quota has room for; without one, that size is told as 0.
    """
    db = snapshot.db
    found = container_id(db, container)
    if (account.limits.quota, account.limits.obj_limit) == (None, None):
        return found, 0
    row = db.execute(
        "SELECT size FROM objects WHERE container = ? AND key = ?", (found, key)
    ).fetchone()
    replaced = 0 if row is None else int(row[0])
    growth = (size or 0) - replaced
    account.limits.check(account.look(snapshot), growth, int(row is None))
    return found, replaced


def find_file(
    db: sqlite3.Connection, container: str, key: bytes, *, with_body: bool
) -> tuple[FileInfo, int, bytes | None]:
    """Return a file, the id of its content, and the body where it is inline."""
    row = db.execute(
        f"SELECT {FILE_COLUMNS}, t.parts,"  # noqa: S608 - constant columns
        " CASE WHEN ?3 THEN t.body END FROM containers AS c"
        " LEFT JOIN objects AS o ON o.container = c.id AND o.key = ?2"
        " LEFT JOIN contents AS t ON t.id = o.content WHERE c.name = ?1",
        (lookup_text(container), key, with_body),
    ).fetchone()
    if row is None:
        raise NoSuchContainerError
    if row[0] is None:
        raise NoSuchFileError
    return load_file(container, row, row[11]), row[9], row[12]


def find_pieces(db: sqlite3.Connection, content: int, size: int) -> list[Piece]:
    """Return the pieces of a content that is not inline, in order."""
    rows = db.execute(
        "SELECT p.size, g.name, p.number, p.body FROM pieces AS p"
        " LEFT JOIN generations AS g ON g.id = p.generation"
        " WHERE p.content = ? ORDER BY p.ordinal",
        (content,),
    )
    pieces = [Piece(*row) for row in rows]
    if sum(piece.size for piece in pieces) != size:
        raise CorruptDataError
    return pieces


def current_etag(txn: Transaction, container: int, key: bytes) -> str | None:
    """Return the ETag of the current version, None where there is none."""
    row = txn.row(
        "SELECT etag FROM objects WHERE container = ? AND key = ?", (container, key)
    )
    return None if row is None else str(row[0])


def create_file(
    txn: Transaction, new: NewFile, body: Body, conditions: Conditions | None
) -> FileInfo:
    """Put a body that was received under a key."""
    txn.grow()
    alive = txn.row("SELECT 1 FROM containers WHERE id = ?", (new.container_id,))
    if alive is None:
        raise NoSuchContainerError
    check_write(conditions, current_etag(txn, new.container_id, new.key))
    return show_file(txn, new, txn.add_content(body))


def show_file(txn: Transaction, new: NewFile, content: int) -> FileInfo:
    """Put a content, which counts this already, under a key, for what was there."""
    old = txn.row(
        "SELECT size, content FROM objects WHERE container = ? AND key = ?",
        (new.container_id, new.key),
    )
    if old is None:
        txn.charge(new.size, 1)
    else:
        txn.charge(new.size - old[0])
    now = now_ns()
    owner = owner_columns(new.principal)
    sums = dump_map(new.checksums)
    txn.db.execute(
        "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(new.container_id, new.key, content, new.size, new.etag, now),
            *(new.metadata, *owner, sums, new.checksum_type),
            *(new.parts is not None, txn.seq),
        ),
    )
    if old is not None:
        txn.release_content(old[1])
    row: Row = (new.key, new.size, new.etag, now, new.metadata, *owner, sums)
    return load_file(new.container, (*row, new.checksum_type), new.parts)


def copy_file(
    txn: Transaction,
    source: tuple[str, bytes],
    target: tuple[str, bytes],
    options: CopyOptions,
    metadata: Metadata | None,
    principal: Principal | None,
) -> FileInfo:
    """Show the content of one file under another key as well."""
    txn.grow()
    container = container_id(txn.db, target[0])
    info, content, _ = find_file(txn.db, *source, with_body=False)
    check_copy(options.source_conditions, info)
    check_write(options.conditions, current_etag(txn, container, target[1]))
    kept = info.metadata if options.directive == "COPY" else metadata
    parts = txn.row("SELECT parts FROM contents WHERE id = ?", (content,))
    txn.share_content(content)
    new = NewFile(
        container=target[0],
        container_id=container,
        key=target[1],
        size=info.size,
        etag=info.etag,
        metadata=dump_metadata(kept),
        principal=principal,
        checksums=info.checksums,
        checksum_type=info.checksum_type,
        parts=parts[0] if parts else None,
    )
    return show_file(txn, new, content)


def delete_file(
    txn: Transaction, container: str, key: bytes, guard: DeleteGuard | None
) -> None:
    """Delete a file under its guard; a missing one is no error without a guard."""
    try:
        info, content, _ = find_file(txn.db, container, key, with_body=False)
    except NoSuchFileError:
        check_delete(guard, None)
        return
    check_delete(guard, info)
    txn.db.execute(
        "DELETE FROM objects WHERE key = ?"
        " AND container = (SELECT id FROM containers WHERE name = ?)",
        (key, container),
    )
    txn.charge(-info.size, -1)
    txn.release_content(content)


def delete_files(
    txn: Transaction, container: str, requests: Sequence[DeleteRequest]
) -> list[DeleteResult]:
    """Delete many files; what refuses one of them is told in its result."""
    container_id(txn.db, container)
    results = []
    for request in requests:
        error: BlobError | None = None
        try:
            check_version(request.version_id)
            delete_file(txn, container, check_key(request.key), request.guard)
        except BlobError as refused:
            error = refused
        results.append(DeleteResult(request.key, request.version_id, error))
    return results
