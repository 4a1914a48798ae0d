"""The multipart calls of the fs driver."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from ...rules import (
    check_copy,
    check_copy_range,
    check_create,
    check_key,
    check_part_number,
    check_part_page,
    check_version,
    page_size,
)
from ...types import CopyOptions
from . import _uploads
from ._account import Arrival
from ._complete import Completion, complete_upload
from ._footer import Label
from ._intake import Intake
from ._lifecycle import StoreOwner
from ._listing import list_uploads
from ._reader import Request, Source, open_file
from ._records import dump_metadata, load_upload

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...types import (
        Body,
        ByteRange,
        Checksums,
        Conditions,
        CreateOptions,
        FileInfo,
        Metadata,
        Part,
        PartListing,
        PartRef,
        Principal,
        Upload,
        UploadListing,
    )


class MultipartCalls(StoreOwner):
    """Implements `MultipartDriver`."""

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
        """Begin an upload; a cancelled call may leave one, which a list tells."""
        with self._calls:
            raw = check_key(key)
            text = dump_metadata(metadata)
            checksum = (checksum_algorithm, checksum_type)
            store = await self._opened()
            row = await store.writer.submit(
                lambda txn: _uploads.begin_upload(
                    txn, container, raw, text, checksum, principal
                )
            )
            return load_upload(container, row)

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
        """Store or replace a part; a cancelled call has done so or it has not."""
        with self._calls:
            return await self._put_part(
                container, key, upload_id, number, body, check_create(options)
            )

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
        """Store or replace a part with bytes of a file, read and written again."""
        options = options or CopyOptions()
        conditions = options.source_conditions

        def check(info: FileInfo) -> bool:
            check_copy(conditions, info)
            check_copy_range(range, info.size)
            return True

        with self._calls:
            check_version(options.source_version_id)
            wanted = Request(
                source_container, check_key(source_key), range, head=False, check=check
            )
            store = await self._opened()
            opened = await store.reader.read(
                lambda snapshot: open_file(snapshot, store.files, wanted)
            )
            # Not a reader that closing the driver may close: it waits for this call.
            source = Source(opened.body, self._threads)
            try:
                return await self._put_part(
                    container, key, upload_id, number, source, check_create(None)
                )
            finally:
                await source.aclose()

    async def _put_part(
        self,
        container: str,
        key: str,
        upload_id: str,
        number: int,
        body: Body,
        options: CreateOptions,
    ) -> Part:
        raw = check_key(key)
        check_part_number(number)
        store = await self._opened()
        upload, container_id, replaced = await store.reader.read(
            lambda snapshot: _uploads.check_part_room(
                snapshot,
                *(container, raw, upload_id, number),
                options.content_length,
                store.account,
            )
        )
        arrival = Arrival(store.account, store.reader, replaced)
        intake = Intake(
            options,
            Label(container, key, upload_id, number),
            files=store.files,
            threads=self._threads,
            inline_limit=self._options.inline_limit,
            arrival=arrival,
        )
        received = await intake.receive(body)
        return await store.commit_body(
            lambda txn: _uploads.put_part(txn, upload, container_id, number, received),
            received,
            arrival,
        )

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
            raw = check_key(key)
            after, size = check_part_page(marker, max_parts)
            store = await self._opened()
            return await store.reader.read(
                lambda snapshot: _uploads.list_parts(
                    snapshot.db, container, raw, upload_id, after, size
                )
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
        principal: Principal | None = None,  # noqa: ARG002 - the upload has an owner
    ) -> FileInfo:
        """Make the file of the parts named, as a manifest: no byte is moved.

        A cancelled call has done so wholly or not at all.
        """
        with self._calls:
            wanted = Completion(
                container=container,
                key=check_key(key),
                upload_id=upload_id,
                parts=tuple(parts),
                conditions=conditions,
                checksums=dict(checksums or {}),
                checksum_type=checksum_type,
            )
            store = await self._opened()
            return await store.writer.submit(partial(complete_upload, wanted=wanted))

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
            raw = check_key(key)
            store = await self._opened()
            await store.writer.submit(
                lambda txn: _uploads.abort_upload(txn, container, raw, upload_id)
            )

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
            size = page_size(max_uploads)
            store = await self._opened()
            return await store.reader.read(
                lambda snapshot: list_uploads(
                    snapshot.db,
                    container,
                    prefix=prefix,
                    delimiter=delimiter,
                    key_marker=key_marker,
                    upload_id_marker=upload_id_marker,
                    max_uploads=size,
                )
            )
