"""Rows of the index as values of `blob.types`, and back. Pure."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ...types import ContainerInfo, FileInfo, Metadata, Part, Principal, Upload

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ...types import Checksums

Row: TypeAlias = "tuple[Any, ...]"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TEXTS = (
    "content_type",
    "cache_control",
    "content_disposition",
    "content_encoding",
    "content_language",
    "expires",
    "storage_class",
)


@dataclass(frozen=True, slots=True)
class Body:
    """A body that was received and is not yet in the index.

    It is inline, or the payload of data file `number` of this process's generation.
    """

    size: int
    etag: str
    checksums: Checksums
    inline: bytes | None
    number: int | None


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of bytes of a body: inline, or the payload of a data file."""

    size: int
    generation: str | None
    number: int | None
    inline: bytes | None


def now_ns() -> int:
    """Return the time of day, cut to the microsecond that a datetime can hold."""
    return time.time_ns() // 1000 * 1000


def moment(ns: int) -> datetime:
    """Return the UTC time of a number of nanoseconds; exact to the microsecond."""
    return _EPOCH + timedelta(microseconds=ns // 1000)


def dump_metadata(metadata: Metadata | None) -> str | None:
    """Encode metadata; None where there is none."""
    if metadata is None:
        return None
    fields: dict[str, object] = {
        name: value for name in _TEXTS if (value := getattr(metadata, name)) is not None
    }
    if metadata.user:
        fields["user"] = dict(metadata.user)
    return _dump(fields) if fields else None


def load_metadata(text: str | None) -> Metadata:
    """Decode what `dump_metadata` made."""
    return Metadata(**json.loads(text)) if text else Metadata()


def dump_map(values: Mapping[str, str]) -> str | None:
    """Encode checksums; None where there are none."""
    return _dump(dict(values)) if values else None


def load_map(text: str | None) -> dict[str, str]:
    """Decode what `dump_map` made."""
    return dict(json.loads(text)) if text else {}


def dump_sizes(sizes: Iterable[int]) -> str:
    """Encode part sizes as runs: nearly all parts of an upload have one size."""
    return _dump([[size, len(list(run))] for size, run in groupby(sizes)])


def load_sizes(text: str | None) -> tuple[int, ...]:
    """Decode what `dump_sizes` made."""
    if not text:
        return ()
    return tuple(size for size, count in json.loads(text) for _ in range(count))


def lookup_text(name: str) -> str:
    """Return what to look a container name or upload id up by.

    All of them are ASCII, so anything else is looked up as the name nobody has:
    SQLite would not take text that is no Unicode.
    """
    return name if name.isascii() else ""


def load_principal(owner: str | None, name: str | None) -> Principal | None:
    """Return the owner of a row."""
    return None if owner is None else Principal(owner, name or "")


def owner_columns(principal: Principal | None) -> tuple[str | None, str | None]:
    """Return the two columns that hold an owner."""
    if principal is None:
        return None, None
    return principal.id, principal.display_name


def load_container(row: Row) -> ContainerInfo:
    """Decode `name, owner, owner_name, created_ns`."""
    name, owner, owner_name, created_ns = row
    return ContainerInfo(name, moment(created_ns), load_principal(owner, owner_name))


FILE_COLUMNS = (
    "o.key, o.size, o.etag, o.mtime_ns, o.metadata, o.owner, o.owner_name,"
    " o.checksums, o.checksum_type, o.content, o.multipart"
)
"""What `load_file` decodes, of `objects AS o`."""


def load_file(container: str, row: Row, parts: str | None = None) -> FileInfo:
    """Decode the columns of FILE_COLUMNS; more may follow them."""
    key, size, etag, mtime_ns, metadata, owner, owner_name, sums, kind, *_ = row
    return FileInfo(
        container=container,
        key=key.decode(),
        size=size,
        etag=etag,
        last_modified=moment(mtime_ns),
        metadata=load_metadata(metadata),
        owner=load_principal(owner, owner_name),
        checksums=load_map(sums),
        checksum_type=_checksum_type(kind) or "FULL_OBJECT",
        parts=load_sizes(parts),
    )


UPLOAD_COLUMNS = (
    "u.key, u.upload_id, u.initiated_ns, u.metadata, u.owner, u.owner_name,"
    " u.checksum_algorithm, u.checksum_type"
)
"""What `load_upload` decodes, of `uploads AS u`."""


def load_upload(container: str, row: Row) -> Upload:
    """Decode the columns of UPLOAD_COLUMNS; more may follow them."""
    key, upload_id, initiated_ns, metadata, owner, owner_name, algorithm, kind, *_ = row
    return Upload(
        container=container,
        key=key.decode(),
        upload_id=upload_id,
        initiated=moment(initiated_ns),
        metadata=load_metadata(metadata),
        owner=load_principal(owner, owner_name),
        checksum_algorithm=algorithm,
        checksum_type=_checksum_type(kind),
    )


def load_part(row: Row) -> Part:
    """Decode `number, size, etag, mtime_ns, checksums`."""
    number, size, etag, mtime_ns, sums = row
    return Part(number, size, etag, moment(mtime_ns), load_map(sums))


def _checksum_type(
    text: str | None,
) -> Literal["FULL_OBJECT", "COMPOSITE"] | None:
    if text is None:
        return None
    return "COMPOSITE" if text == "COMPOSITE" else "FULL_OBJECT"


def _dump(value: object) -> str:
    # ASCII with escapes: also lone surrogates come back as they were.
    return json.dumps(value, separators=(",", ":"))
