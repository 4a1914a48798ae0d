"""Values that go into and come out of a driver: frozen, slotted, without behaviour.

Sizes are bytes. Times are aware UTC datetimes. An ETag is kept without its quotes: the
hex MD5 of the body, or `md5(md5s)-N` for a file completed from N parts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Mapping, Sequence
    from datetime import datetime

__all__ = (
    "NULL_VERSION",
    "Body",
    "ByteRange",
    "Checksums",
    "Conditions",
    "ContainerInfo",
    "ContainerOptions",
    "CopyOptions",
    "CreateOptions",
    "DeleteGuard",
    "DeleteRequest",
    "DeleteResult",
    "FileInfo",
    "FileListing",
    "Metadata",
    "Part",
    "PartListing",
    "PartRef",
    "Principal",
    "Upload",
    "UploadListing",
)

NULL_VERSION = "null"
"""The version id of a file in a container without versioning."""

Body: TypeAlias = "AsyncIterable[bytes | bytearray | memoryview]"
"""A body on its way in. A driver asks for the next piece when it has room for it.

A piece belongs to the driver until it asks for the next one: the producer must not
change it before. If the iterator raises, the driver stores nothing and lets the
exception through, so a body may verify itself at its own end.
"""

Checksums: TypeAlias = "Mapping[str, str]"
"""Additional checksums: `{"crc32": base64, "crc64nvme": base64, ...}`."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `id` is compared, `display_name` is shown."""

    id: str
    display_name: str = ""


@dataclass(frozen=True, slots=True)
class ContainerInfo:
    """One container. `owner` is None where the embedding application created it."""

    name: str
    created: datetime
    owner: Principal | None = None


@dataclass(frozen=True, slots=True)
class ContainerOptions:
    """Opaque documents kept with a container (location, logging, CORS, ...).

    `version` grows with each change, for a compare-and-set through `if_version`.
    """

    documents: Mapping[str, str]
    version: int


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is stored beside the bytes and given back with them.

    `user` holds the user-defined names, lower case, without a dialect's prefix.
    """

    content_type: str | None = None
    cache_control: str | None = None
    content_disposition: str | None = None
    content_encoding: str | None = None
    content_language: str | None = None
    expires: str | None = None
    storage_class: str | None = None
    user: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FileInfo:
    """One version of one file.

    `parts` are the sizes of the parts of a file completed from a multipart upload, and
    empty else. `checksum_type` says how `checksums` of such a file were made.
    """

    container: str
    key: str
    size: int
    etag: str
    last_modified: datetime
    metadata: Metadata
    version_id: str = NULL_VERSION
    owner: Principal | None = None
    checksums: Checksums = field(default_factory=dict)
    checksum_type: Literal["FULL_OBJECT", "COMPOSITE"] = "FULL_OBJECT"
    parts: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class FileListing:
    """One page: `files` and `prefixes`, each in the byte order of UTF-8.

    `next_marker` is what to give as `marker` for the page after this one; it is the
    last key or prefix of this page, and None exactly when `is_truncated` is False.
    """

    files: Sequence[FileInfo]
    prefixes: Sequence[str]
    is_truncated: bool
    next_marker: str | None


@dataclass(frozen=True, slots=True)
class ByteRange:
    """One range as asked for: `first` to `last` inclusive, both zero based.

    `first` None means the last `last` bytes; `last` None means to the end.
    """

    first: int | None
    last: int | None


@dataclass(frozen=True, slots=True)
class Conditions:
    """Conditions of RFC 9110 section 13, evaluated against one version of the file.

    `if_match` and `if_none_match` are lists of ETags without quotes, or `("*",)`; weak
    tags carry their `W/`. None is a condition that was not asked. `if_range` is a
    validator (an ETag or a date): where it fails, the range is ignored.
    """

    if_match: Sequence[str] | None = None
    if_none_match: Sequence[str] | None = None
    if_modified_since: datetime | None = None
    if_unmodified_since: datetime | None = None
    if_range: str | datetime | None = None


@dataclass(frozen=True, slots=True)
class CreateOptions:
    """How to create a file or a part.

    `content_length`: the driver refuses a body of another length, and may refuse early
    what no quota has room for. `content_md5`: 16 raw bytes. `conditions`: only
    `if_match` and `if_none_match` count, checked at the commit. `checksums` is called
    once, after the body's end and before the commit: a trailer is known only then.
    """

    content_length: int | None = None
    content_md5: bytes | None = None
    conditions: Conditions | None = None
    checksums: Callable[[], Checksums] | None = None


@dataclass(frozen=True, slots=True)
class CopyOptions:
    """How to copy a file.

    `directive` COPY takes the metadata of the source, REPLACE the one given; a copy
    onto itself must REPLACE. `source_conditions` that fail raise
    `PreconditionFailedError`, also the two that would mean "not modified" on a read.
    """

    directive: Literal["COPY", "REPLACE"] = "COPY"
    source_version_id: str | None = None
    source_conditions: Conditions | None = None
    conditions: Conditions | None = None


@dataclass(frozen=True, slots=True)
class DeleteGuard:
    """What must hold, inside the deleting transaction, for a file to be deleted.

    Without the file every guard but the empty one fails as "no such file".
    """

    if_match: Sequence[str] | None = None
    if_size: int | None = None
    if_last_modified: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeleteRequest:
    """One of many files to delete."""

    key: str
    version_id: str | None = None
    guard: DeleteGuard | None = None


@dataclass(frozen=True, slots=True)
class DeleteResult:
    """What became of one `DeleteRequest`: deleted (or absent before) or `error`."""

    key: str
    version_id: str | None = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class PartRef:
    """A part as the client names it at completion; `checksums` it wants compared."""

    number: int
    etag: str
    checksums: Checksums = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """A part as the store has it."""

    number: int
    size: int
    etag: str
    last_modified: datetime
    checksums: Checksums = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart upload that was begun and neither completed nor aborted.

    `checksum_algorithm` and `checksum_type` are what the client announced, kept for
    the gateway, which gives them meaning.
    """

    container: str
    key: str
    upload_id: str
    initiated: datetime
    metadata: Metadata
    owner: Principal | None = None
    checksum_algorithm: str | None = None
    checksum_type: Literal["FULL_OBJECT", "COMPOSITE"] | None = None


@dataclass(frozen=True, slots=True)
class PartListing:
    """One page of the parts of an upload, by ascending number."""

    upload: Upload
    parts: Sequence[Part]
    is_truncated: bool
    next_marker: int | None


@dataclass(frozen=True, slots=True)
class UploadListing:
    """One page of the uploads in a container, by key, then by time of initiation."""

    uploads: Sequence[Upload]
    prefixes: Sequence[str]
    is_truncated: bool
    next_key_marker: str | None
    next_upload_id_marker: str | None
