"""The end of a multipart upload: a manifest of its parts, no byte is moved."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ...rules import check_parts, check_write
from ._objects import NewFile, current_etag, show_file
from ._records import dump_sizes, load_map, load_principal
from ._uploads import drop_upload, find_upload

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...types import Checksums, Conditions, FileInfo, PartRef
    from ._transaction import Transaction


@dataclass(frozen=True, slots=True)
class Completion:
    """What was asked."""

    container: str
    key: bytes
    upload_id: str
    parts: Sequence[PartRef]
    conditions: Conditions | None
    checksums: Checksums
    checksum_type: str


class _Stored(NamedTuple):
    content: int
    size: int
    etag: str
    checksums: Checksums


def complete_upload(txn: Transaction, wanted: Completion) -> FileInfo:
    """Make the file; the upload and the parts not named are gone after."""
    found = find_upload(txn.db, wanted.container, wanted.key, wanted.upload_id)
    upload, container = found[-2:]
    there = _stored_parts(txn, upload)
    check_parts(wanted.parts, there)
    stored = [there[part.number] for part in wanted.parts]
    check_write(wanted.conditions, current_etag(txn, container, wanted.key))
    digests = b"".join(bytes.fromhex(part.etag) for part in stored)
    digest = hashlib.md5(digests, usedforsecurity=False).hexdigest()
    sizes = dump_sizes(part.size for part in stored)
    content = _join(txn, stored, sizes)
    # What the parts took is free before the file is charged: it is the same bytes.
    _forget_parts(txn, upload, wanted.parts, sum(part.size for part in stored))
    drop_upload(txn, upload)
    new = NewFile(
        container=wanted.container,
        container_id=container,
        key=wanted.key,
        size=sum(part.size for part in stored),
        etag=f"{digest}-{len(stored)}",
        metadata=found[3],
        principal=load_principal(found[4], found[5]),
        checksums=wanted.checksums,
        checksum_type=wanted.checksum_type,
        parts=sizes,
    )
    return show_file(txn, new, content)


def _stored_parts(txn: Transaction, upload: int) -> dict[int, _Stored]:
    rows = txn.db.execute(
        "SELECT number, content, size, etag, checksums FROM parts WHERE upload = ?",
        (upload,),
    )
    return {
        number: _Stored(content, size, etag, load_map(sums))
        for number, content, size, etag, sums in rows
    }


def _join(txn: Transaction, stored: Sequence[_Stored], sizes: str) -> int:
    """Return the content that is made of the contents of the parts, in order."""
    if len(stored) == 1:
        content = stored[0].content
        txn.db.execute("UPDATE contents SET parts = ? WHERE id = ?", (sizes, content))
        return content
    content = (
        txn.db.execute(
            "INSERT INTO contents(refs, parts) VALUES (1, ?)", (sizes,)
        ).lastrowid
        or 0
    )
    for ordinal, part in enumerate(stored):
        moved = txn.db.execute(
            "UPDATE pieces SET content = ?, ordinal = ? WHERE content = ?",
            (content, ordinal, part.content),
        ).rowcount
        if not moved:
            txn.db.execute(
                "INSERT INTO pieces SELECT ?, ?, ?, NULL, NULL, body"
                " FROM contents WHERE id = ?",
                (content, ordinal, part.size, part.content),
            )
        txn.db.execute("DELETE FROM contents WHERE id = ?", (part.content,))
    return content


def _forget_parts(
    txn: Transaction, upload: int, parts: Sequence[PartRef], size: int
) -> None:
    """Take the parts named out of the upload: their contents live on in the file."""
    txn.db.executemany(
        "DELETE FROM parts WHERE upload = ? AND number = ?",
        [(upload, part.number) for part in parts],
    )
    txn.charge(-size)
