"""Listing one page of keys or of uploads: range scans that skip what is rolled up.

Keys are compared as UTF-8 bytes. No byte of UTF-8 is 0xff, so `prefix + ff` is greater
than every key that begins with the prefix and smaller than every other greater key:
that is where a scan ends, and where it goes on after a common prefix.
"""

from __future__ import annotations

from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from ..._pages import encode, group_of
from ...types import FileListing, UploadListing
from ._records import FILE_COLUMNS, UPLOAD_COLUMNS, load_file, load_upload
from ._transaction import container_id

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Generator

    from ...types import FileInfo
    from ._records import Row

    # From (key, upload id) to a cursor of the rows from there to the end, in order;
    # the key is the first column.
    Scan: TypeAlias = Callable[[tuple[bytes, str]], sqlite3.Cursor]

_END = b"\xff"

_FILES = (
    f"SELECT {FILE_COLUMNS} FROM objects AS o"  # noqa: S608 - constant columns
    " WHERE o.container = ? AND o.key >= ? AND o.key < ? ORDER BY o.key"
)
_UPLOADS = (
    f"SELECT {UPLOAD_COLUMNS} FROM uploads AS u"  # noqa: S608 - constant columns
    " WHERE u.container = ? AND (u.key, u.upload_id) > (?, ?) AND u.key < ?"
    " ORDER BY u.key, u.upload_id"
)


def list_files(
    db: sqlite3.Connection,
    container: str,
    *,
    prefix: str,
    marker: str,
    delimiter: str,
    max_keys: int,
) -> FileListing:
    """List one page of keys after the marker."""
    found = container_id(db, container)
    head, cut = encode("prefix", prefix), encode("delimiter", delimiter)
    start = _after(head, encode("marker", marker), cut)

    def scan(start: tuple[bytes, str]) -> sqlite3.Cursor:
        return db.execute(_FILES, (found, start[0], head + _END))

    rows, prefixes, more, last = _page(scan, (start, ""), head, cut, max_keys)
    files = [_file(db, container, row) for row in rows]
    marker_after = None
    if more:
        marker_after = last.decode() if isinstance(last, bytes) else files[-1].key
    return FileListing(files, [name.decode() for name in prefixes], more, marker_after)


def list_uploads(
    db: sqlite3.Connection,
    container: str,
    *,
    prefix: str,
    delimiter: str,
    key_marker: str,
    upload_id_marker: str,
    max_uploads: int,
) -> UploadListing:
    """List one page of uploads after the markers."""
    found = container_id(db, container)
    head, cut = encode("prefix", prefix), encode("delimiter", delimiter)
    marker = encode("marker", key_marker)
    start = (_after(head, marker, cut), "")
    if upload_id_marker and start[0] == marker + b"\0":
        start = (marker, upload_id_marker)

    def scan(start: tuple[bytes, str]) -> sqlite3.Cursor:
        return db.execute(_UPLOADS, (found, *start, head + _END))

    rows, prefixes, more, last = _page(scan, start, head, cut, max_uploads)
    uploads = [load_upload(container, row) for row in rows]
    names = [name.decode() for name in prefixes]
    if not more:
        return UploadListing(
            uploads,
            names,
            is_truncated=False,
            next_key_marker=None,
            next_upload_id_marker=None,
        )
    if isinstance(last, bytes):
        return UploadListing(
            uploads,
            names,
            is_truncated=True,
            next_key_marker=names[-1],
            next_upload_id_marker=None,
        )
    return UploadListing(
        uploads,
        names,
        is_truncated=True,
        next_key_marker=uploads[-1].key,
        next_upload_id_marker=uploads[-1].upload_id,
    )


def _file(db: sqlite3.Connection, container: str, row: Row) -> FileInfo:
    *_, content, multipart = row
    if not multipart:
        return load_file(container, row)
    sizes = db.execute("SELECT parts FROM contents WHERE id = ?", (content,)).fetchone()
    return load_file(container, row, sizes[0])


def _after(prefix: bytes, marker: bytes, delimiter: bytes) -> bytes:
    """Return where a page after the marker begins."""
    if marker < prefix:
        return prefix
    grouped = marker.startswith(prefix)
    group = group_of(marker, prefix, delimiter) if grouped else None
    # Inside a group that was told already (it is not greater than the marker).
    return marker + b"\0" if group is None else group + _END


def _entries(
    scan: Scan, start: tuple[bytes, str], prefix: bytes, delimiter: bytes
) -> Generator[Row | bytes, None, None]:
    """Yield rows and common prefixes in order."""
    group: bytes | None = b""
    while group is not None:
        group = None
        with closing(scan(start)) as rows:
            for row in rows:
                group = group_of(row[0], prefix, delimiter)
                if group is not None:
                    break
                yield row
        if group is not None:
            yield group
            start = (group + _END, "")


def _page(
    scan: Scan, start: tuple[bytes, str], prefix: bytes, delimiter: bytes, limit: int
) -> tuple[list[Row], list[bytes], bool, Row | bytes | None]:
    """Return rows, prefixes, whether there are more, and the last of this page."""
    if limit == 0:
        return [], [], False, None
    with closing(_entries(scan, start, prefix, delimiter)) as entries:
        page = list(islice(entries, limit + 1))
    more = len(page) > limit
    page = page[:limit]
    rows = [entry for entry in page if not isinstance(entry, bytes)]
    prefixes = [entry for entry in page if isinstance(entry, bytes)]
    return rows, prefixes, more, page[-1] if page else None
