"""Multipart uploads of the memory driver; `_driver` inherits them."""

from __future__ import annotations

import hashlib
import secrets
from itertools import chain, count
from typing import TYPE_CHECKING

from ..._intake import frozen, md5_of, now, take_in
from ..._pages import encode, group_of
from ...rules import (
    check_copy,
    check_copy_range,
    check_key,
    check_part_number,
    check_part_page,
    check_parts,
    page_size,
    resolve_range,
)
from ...types import (
    CopyOptions,
    FileInfo,
    Part,
    PartListing,
    Upload,
    UploadListing,
)
from ._store import Data, File, PendingUpload

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Literal

    from ..._calls import Calls
    from ...types import (
        Body,
        ByteRange,
        Checksums,
        Conditions,
        CreateOptions,
        Metadata,
        PartRef,
        Principal,
    )
    from ._store import Store

_sequence = count()


class MultipartUploads:
    """The capability `MultipartDriver`, over the driver's store."""

    _store: Store
    _calls: Calls

    async def multipart_create(
        self,
        container: str,
        key: str,
        *,
        metadata: Metadata | None = None,
        checksum_algorithm: str | None = None,
        checksum_type: Literal["FULL_OBJECT", "COMPOSITE"] | None = None,
        principal: Principal | None = None,
    ) -> Upload:
        """Begin an upload; nothing is visible under the key until it completes."""
        with self._calls:
            check_key(key)
            upload = Upload(
                container=container,
                key=key,
                # Ids sort by initiation, so an id is a place in a listing.
                upload_id=f"{next(_sequence):012x}{secrets.token_hex(10)}",
                initiated=now(),
                metadata=frozen(metadata),
                owner=principal,
                checksum_algorithm=checksum_algorithm,
                checksum_type=checksum_type,
            )
            there = self._store.container(container)
            there.uploads[upload.upload_id] = PendingUpload(upload)
            return upload

    async def multipart_put_part(
        self,
        container: str,
        key: str,
        upload_id: str,
        number: int,
        body: Body,
        *,
        options: CreateOptions | None = None,
        principal: Principal | None = None,  # noqa: ARG002 - the gateway's to judge
    ) -> Part:
        """Store or replace a part; a cancelled call has left the old one in place."""
        with self._calls:
            pending = self._begin_part(container, key, upload_id, number)
            there = pending.parts.get(number)
            replaced = there[0].size if there else 0
            intake = await take_in(
                body,
                options,
                lambda size: self._store.check_room(
                    size, replaced=replaced, new_file=False
                ),
            )
            part = Part(number, intake.size, intake.md5.hex(), now(), intake.checksums)
            self._store.put_part(pending, part, Data.of(intake.chunks))
            return part

    async def multipart_copy_part(
        self,
        container: str,
        key: str,
        upload_id: str,
        number: int,
        source_container: str,
        source_key: str,
        *,
        range: ByteRange | None = None,  # noqa: A002 - as in file_read
        options: CopyOptions | None = None,
        principal: Principal | None = None,  # noqa: ARG002 - the gateway's to judge
    ) -> Part:
        """Store or replace a part with bytes of a file; see `MultipartDriver`."""
        with self._calls:
            pending = self._begin_part(container, key, upload_id, number)
            options = options or CopyOptions()
            source = self._store.file(
                source_container, source_key, options.source_version_id
            )
            check_copy(options.source_conditions, source.info)
            size = source.info.size
            check_copy_range(range, size)
            start, stop = resolve_range(range, size)
            data = source.data
            if stop - start < size:
                data = Data.of(tuple(data.cut(start, stop)))
            digest = await md5_of(data.chunks)
            part = Part(number, data.size, digest.hex(), now())
            self._store.put_part(pending, part, data)
            return part

    def _begin_part(
        self, container: str, key: str, upload_id: str, number: int
    ) -> PendingUpload:
        check_part_number(number)
        return self._store.upload(container, key, upload_id)

    async def multipart_list_parts(
        self,
        container: str,
        key: str,
        upload_id: str,
        *,
        marker: int = 0,
        max_parts: int = 1000,
        principal: Principal | None = None,  # noqa: ARG002 - the gateway's to judge
    ) -> PartListing:
        """List one page of the parts after number `marker`."""
        with self._calls:
            pending = self._store.upload(container, key, upload_id)
            marker, size = check_part_page(marker, max_parts)
            numbers = sorted(n for n in pending.parts if n > marker)
            page = numbers[:size]
            truncated = bool(page) and len(page) < len(numbers)
            return PartListing(
                upload=pending.upload,
                parts=[pending.parts[n][0] for n in page],
                is_truncated=truncated,
                next_marker=page[-1] if truncated else None,
            )

    async def multipart_complete(
        self,
        container: str,
        key: str,
        upload_id: str,
        parts: Sequence[PartRef],
        *,
        conditions: Conditions | None = None,
        checksums: Checksums | None = None,
        checksum_type: Literal["FULL_OBJECT", "COMPOSITE"] = "FULL_OBJECT",
        principal: Principal | None = None,  # noqa: ARG002 - the gateway's to judge
    ) -> FileInfo:
        """Make the file of the parts named, in one step and without moving bytes."""
        with self._calls:
            pending = self._store.upload(container, key, upload_id)
            check_parts(parts, {n: part for n, (part, _) in pending.parts.items()})
            chosen = [pending.parts[ref.number] for ref in parts]
            digests = b"".join(bytes.fromhex(part.etag) for part, _ in chosen)
            etag = hashlib.md5(digests, usedforsecurity=False).hexdigest()
            data = Data.of(tuple(chain.from_iterable(d.chunks for _, d in chosen)))
            info = FileInfo(
                container=container,
                key=key,
                size=data.size,
                etag=f"{etag}-{len(chosen)}",
                last_modified=now(),
                metadata=pending.upload.metadata,
                owner=pending.upload.owner,
                checksums=dict(checksums or {}),
                checksum_type=checksum_type,
                parts=tuple(part.size for part, _ in chosen),
            )
            self._store.complete(pending, File(info, data), conditions)
            return info

    async def multipart_abort(
        self,
        container: str,
        key: str,
        upload_id: str,
        *,
        principal: Principal | None = None,  # noqa: ARG002 - the gateway's to judge
    ) -> None:
        """Drop the upload and its parts. Raises `NoSuchUploadError`."""
        with self._calls:
            self._store.abort(self._store.upload(container, key, upload_id))

    async def multipart_list(
        self,
        container: str,
        *,
        prefix: str = "",
        delimiter: str = "",
        key_marker: str = "",
        upload_id_marker: str = "",
        max_uploads: int = 1000,
        principal: Principal | None = None,  # noqa: ARG002 - the gateway's to judge
    ) -> UploadListing:
        """List one page of unfinished uploads, by key, then by initiation."""
        with self._calls:
            entries = _roll_up(
                [p.upload for p in self._store.container(container).uploads.values()],
                encode("prefix", prefix),
                encode("delimiter", delimiter),
                (encode("marker", key_marker), upload_id_marker),
            )
            page = entries[: page_size(max_uploads)]
            truncated = bool(page) and len(page) < len(entries)
            last = page[-1] if truncated else None
            return UploadListing(
                uploads=[entry for entry in page if isinstance(entry, Upload)],
                prefixes=[entry for entry in page if isinstance(entry, str)],
                is_truncated=truncated,
                next_key_marker=last.key if isinstance(last, Upload) else last,
                next_upload_id_marker=(
                    last.upload_id if isinstance(last, Upload) else None
                ),
            )


def _roll_up(
    uploads: Iterable[Upload], prefix: bytes, delimiter: bytes, after: tuple[bytes, str]
) -> list[Upload | str]:
    """Return what comes after the marker, in order: uploads, and groups as text."""
    marker, id_marker = after
    entries: list[Upload | str] = []
    ordered = sorted((u.key.encode(), u.upload_id, u) for u in uploads)
    for key, upload_id, upload in ordered:
        if not key.startswith(prefix):
            continue
        group = group_of(key, prefix, delimiter)
        if group is not None:
            text = group.decode()
            if group > marker and (not entries or entries[-1] != text):
                entries.append(text)
        elif key > marker or (key == marker and id_marker and upload_id > id_marker):
            entries.append(upload)
    return entries
