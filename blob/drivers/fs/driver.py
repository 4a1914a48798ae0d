"""The fs driver itself: `create`, containers and files; see the package's docstring."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ...rules import (
    check_container,
    check_create,
    check_key,
    check_read,
    check_target,
    check_version,
    page_size,
    range_applies,
)
from ...types import CopyOptions, Metadata
from . import _containers, _objects
from ._account import Arrival
from ._footer import Label
from ._intake import Intake
from ._listing import list_files
from ._multipart import MultipartCalls
from ._options import parse_options
from ._reader import Request, open_file
from ._records import dump_metadata

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping, Sequence

    from ...types import (
        Body,
        ByteRange,
        Conditions,
        ContainerInfo,
        ContainerOptions,
        CreateOptions,
        DeleteGuard,
        DeleteRequest,
        DeleteResult,
        FileInfo,
        FileListing,
        Principal,
    )
    from ._reader import FsReader

__all__ = ("FsDriver", "create")


def create(options: Mapping[str, object], logger: logging.Logger) -> FsDriver:
    """Return a driver that is not open yet; raises `DriverConfigError`.

    `root` is the directory of the store, created where it is missing. `durability` is
    `full` (an acknowledged write survives a power cut), `data` (as full, but a data
    file's name may be lost, and reading it then raises `CorruptDataError`) or `none`
    (it survives the death of the process only). `quota` (bytes) and `obj_limit`
    (files) bound the whole store. Bodies of up to `inline_limit` bytes live in the
    index. Several processes may open one root at a time. What grows the store raises
    `StorageFullError` while less than 32 MiB (an eighth of a smaller file system) is
    free, so that there is always room to delete.
    """
    return FsDriver(parse_options(options), logger)


class FsDriver(MultipartCalls):
    """Stores files under one directory, durably; see `create` and `blob.driver`.

    A cancelled write is applied wholly or not at all. It may still be applied shortly
    after the `CancelledError`, yet before every write that is begun after that.
    """

    @property
    def kind(self) -> str:
        """The name it is registered under."""
        return "fs"

    async def container_list(
        self, *, principal: Principal | None = None
    ) -> Sequence[ContainerInfo]:
        """List the containers the principal owns (all, for None), by name."""
        with self._calls:
            store = await self._opened()
            return await store.reader.read(
                lambda snapshot: _containers.list_containers(snapshot.db, principal)
            )

    async def container_create(
        self,
        container: str,
        *,
        options: Mapping[str, str] | None = None,
        principal: Principal | None = None,
    ) -> ContainerInfo:
        """Create a container; the owner of one may do so again."""
        with self._calls:
            check_container(container)
            documents = dict(options or {})
            store = await self._opened()
            return await store.writer.submit(
                lambda txn: _containers.create_container(
                    txn, container, documents, principal
                )
            )

    async def container_delete(
        self,
        container: str,
        *,
        principal: Principal | None = None,  # noqa: ARG002 - the gateway's to judge
    ) -> None:
        """Delete an empty container, its options and its unfinished uploads."""
        with self._calls:
            store = await self._opened()
            await store.writer.submit(
                lambda txn: _containers.delete_container(txn, container)
            )

    async def container_options(
        self,
        container: str,
        *,
        principal: Principal | None = None,  # noqa: ARG002 - the gateway's to judge
    ) -> ContainerOptions:
        """Read the documents kept with a container."""
        with self._calls:
            store = await self._opened()
            return await store.reader.read(
                lambda snapshot: _containers.read_options(snapshot.db, container)
            )

    async def container_set_options(
        self,
        container: str,
        documents: Mapping[str, str | None],
        *,
        if_version: int | None = None,
        principal: Principal | None = None,  # noqa: ARG002 - the gateway's to judge
    ) -> ContainerOptions:
        """Set the documents named, remove those that are None, keep the others."""
        with self._calls:
            changes = dict(documents)
            store = await self._opened()
            return await store.writer.submit(
                lambda txn: _containers.set_options(txn, container, changes, if_version)
            )

    async def container_info(
        self,
        container: str,
        *,
        principal: Principal | None = None,  # noqa: ARG002 - the gateway's to judge
    ) -> ContainerInfo:
        """Describe a container cheaply."""
        with self._calls:
            store = await self._opened()
            return await store.reader.read(
                lambda snapshot: _containers.describe_container(snapshot.db, container)
            )

    async def file_list(
        self,
        container: str,
        *,
        prefix: str = "",
        marker: str = "",
        delimiter: str = "",
        max_keys: int = 1000,
        principal: Principal | None = None,  # noqa: ARG002 - the gateway's to judge
    ) -> FileListing:
        """List one page of keys, as of one moment; at most 10,000 entries."""
        with self._calls:
            size = page_size(max_keys)
            store = await self._opened()
            return await store.reader.read(
                lambda snapshot: list_files(
                    snapshot.db,
                    container,
                    prefix=prefix,
                    marker=marker,
                    delimiter=delimiter,
                    max_keys=size,
                )
            )

    async def file_read(
        self,
        container: str,
        key: str,
        *,
        range: ByteRange | None = None,  # noqa: A002 - the seed's name for it
        head: bool = False,
        conditions: Conditions | None = None,
        version_id: str | None = None,
        principal: Principal | None = None,  # noqa: ARG002 - the gateway's to judge
    ) -> FsReader:
        """Open a file, or a range of it, or only its head."""

        def check(info: FileInfo) -> bool:
            check_version(version_id)
            check_read(conditions, info)
            return range_applies(conditions, info)

        with self._calls:
            wanted = Request(container, check_key(key), range, head=head, check=check)
            store = await self._opened()
            opened = await store.reader.read(
                lambda snapshot: open_file(snapshot, store.files, wanted)
            )
            return self._reader(opened)

    async def file_create(
        self,
        container: str,
        key: str,
        body: Body,
        *,
        metadata: Metadata | None = None,
        options: CreateOptions | None = None,
        principal: Principal | None = None,
    ) -> FileInfo:
        """Create or replace a file from a stream, all or nothing."""
        with self._calls:
            raw = check_key(key)
            checked = check_create(options)
            text = dump_metadata(metadata)
            store = await self._opened()
            container_id, replaced = await store.reader.read(
                lambda snapshot: _objects.check_room(
                    snapshot, container, raw, checked.content_length, store.account
                )
            )
            arrival = Arrival(store.account, store.reader, replaced)
            intake = Intake(
                checked,
                Label(container, key),
                files=store.files,
                threads=self._threads,
                inline_limit=self._options.inline_limit,
                arrival=arrival,
            )
            received = await intake.receive(body)
            new = _objects.NewFile(
                container=container,
                container_id=container_id,
                key=raw,
                size=received.size,
                etag=received.etag,
                metadata=text,
                principal=principal,
                checksums=received.checksums,
            )
            return await store.commit_body(
                lambda txn: _objects.create_file(
                    txn, new, received, checked.conditions
                ),
                received,
                arrival,
            )

    async def file_copy(
        self,
        container: str,
        key: str,
        source_container: str,
        source_key: str,
        *,
        metadata: Metadata | None = None,
        options: CopyOptions | None = None,
        principal: Principal | None = None,
    ) -> FileInfo:
        """Copy a file by counting one more that shows its bytes."""
        with self._calls:
            source = (source_container, check_key(source_key))
            target = (container, check_key(key))
            options = options or CopyOptions()
            check_version(options.source_version_id)
            check_target((source_container, source_key), (container, key), options)
            store = await self._opened()
            return await store.writer.submit(
                partial(
                    _objects.copy_file,
                    source=source,
                    target=target,
                    options=options,
                    metadata=metadata or Metadata(),
                    principal=principal,
                )
            )

    async def file_delete(
        self,
        container: str,
        key: str,
        *,
        version_id: str | None = None,
        guard: DeleteGuard | None = None,
        principal: Principal | None = None,  # noqa: ARG002 - the gateway's to judge
    ) -> None:
        """Delete a file; without a guard a missing one is no error."""
        with self._calls:
            raw = check_key(key)
            check_version(version_id)
            store = await self._opened()
            await store.writer.submit(
                lambda txn: _objects.delete_file(txn, container, raw, guard)
            )

    async def file_delete_many(
        self,
        container: str,
        requests: Sequence[DeleteRequest],
        *,
        principal: Principal | None = None,  # noqa: ARG002 - the gateway's to judge
    ) -> Sequence[DeleteResult]:
        """Delete each file or tell why not, all in one commit, in the order asked."""
        with self._calls:
            wanted = tuple(requests)
            store = await self._opened()
            return await store.writer.submit(
                lambda txn: _objects.delete_files(txn, container, wanted)
            )
