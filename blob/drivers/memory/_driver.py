"""The memory driver itself: containers and files. `_multipart` has its other half."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from typing import TYPE_CHECKING

from ..._calls import Calls
from ..._intake import frozen, now, take_in
from ..._pages import Pager, encode
from ..._reader import PiecesReader
from ...errors import BlobError, DriverConfigError
from ...rules import (
    check_container,
    check_copy,
    check_key,
    check_read,
    check_target,
    check_version,
    range_applies,
    resolve_range,
)
from ...types import (
    NULL_VERSION,
    ContainerInfo,
    ContainerOptions,
    CopyOptions,
    DeleteResult,
    FileInfo,
    FileListing,
)
from ._multipart import MultipartUploads
from ._store import Container, Data, File, Store

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from ...types import (
        Body,
        ByteRange,
        Conditions,
        CreateOptions,
        DeleteGuard,
        DeleteRequest,
        Metadata,
        Principal,
    )


def create(options: Mapping[str, object], logger: logging.Logger) -> MemoryDriver:
    """Return a memory driver with the options `quota` and `obj_limit`.

    `quota` limits the bytes of files and of parts together, `obj_limit` the number of
    files; None, the default, is no limit. Raises `DriverConfigError`.
    """
    unknown = sorted(options.keys() - {"quota", "obj_limit"})
    if unknown:
        raise DriverConfigError(
            f"the memory driver has no option {unknown[0]!r}; it knows obj_limit,"
            " quota."
        )
    return MemoryDriver(
        quota=_limit(options, "quota"),
        obj_limit=_limit(options, "obj_limit"),
        logger=logger,
    )


def _limit(options: Mapping[str, object], name: str) -> int | None:
    value = options.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise DriverConfigError(f"{name} must be 0 or more, or None for no limit.")
    return value


class MemoryDriver(MultipartUploads):
    """Keeps everything in the memory of this process, and forgets it when closed.

    There is nothing to wait for before its first call. A write is acknowledged when it
    is visible; bodies are kept as they came, in chunks, and shared by copies.
    """

    kind = "memory"

    def __init__(
        self, *, quota: int | None, obj_limit: int | None, logger: logging.Logger
    ) -> None:
        self._store = Store(quota, obj_limit)
        self._calls = Calls()
        self._logger = logger

    async def ready(self) -> None:
        """Raise `ClosedError` if it is closed; else it is always ready."""
        self._calls.check()

    async def aclose(self) -> None:
        """Refuse new calls, wait for those in flight, forget everything; idempotent."""
        await self._calls.close()
        if self._store.containers:
            self._logger.debug("forgot %d containers", len(self._store.containers))
        self._store.clear()

    async def __aenter__(self) -> Self:
        await self.ready()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def container_list(
        self, *, principal: Principal | None = None
    ) -> Sequence[ContainerInfo]:
        """List the containers the principal owns (all, for None), by name."""
        with self._calls:
            return [
                _describe(container)
                for _, container in sorted(self._store.containers.items())
                if principal is None
                or (container.owner and container.owner.id == principal.id)
            ]

    async def container_create(
        self,
        container: str,
        *,
        options: Mapping[str, str] | None = None,
        principal: Principal | None = None,
    ) -> ContainerInfo:
        """Create a container; see `Driver`."""
        with self._calls:
            check_container(container)
            return _describe(self._store.create(container, options or {}, principal))

    async def container_delete(
        self,
        container: str,
        *,
        principal: Principal | None = None,  # noqa: ARG002 - the gateway's to judge
    ) -> None:
        """Delete an empty container and its unfinished uploads; see `Driver`."""
        with self._calls:
            self._store.drop(container)

    async def container_options(
        self,
        container: str,
        *,
        principal: Principal | None = None,  # noqa: ARG002 - the gateway's to judge
    ) -> ContainerOptions:
        """Read the documents kept with a container; see `Driver`."""
        with self._calls:
            return _options(self._store.container(container))

    async def container_set_options(
        self,
        container: str,
        documents: Mapping[str, str | None],
        *,
        if_version: int | None = None,
        principal: Principal | None = None,  # noqa: ARG002 - the gateway's to judge
    ) -> ContainerOptions:
        """Set and remove documents of a container; see `Driver`."""
        with self._calls:
            return _options(self._store.set_documents(container, documents, if_version))

    async def container_info(
        self,
        container: str,
        *,
        principal: Principal | None = None,  # noqa: ARG002 - the gateway's to judge
    ) -> ContainerInfo:
        """Describe a container; see `Driver`."""
        with self._calls:
            return _describe(self._store.container(container))

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
        """List one page, at the cost of its entries alone; see `Driver`."""
        with self._calls:
            pager = Pager(
                encode("prefix", prefix),
                encode("marker", marker),
                encode("delimiter", delimiter),
                max_keys,
            )
            there = self._store.container(container)
            _fill(pager, there.keys)
            return FileListing(
                files=[
                    there.files[entry.decode()].info
                    for entry, is_group in pager.entries
                    if not is_group
                ],
                prefixes=[entry.decode() for entry, group in pager.entries if group],
                is_truncated=pager.truncated,
                next_marker=pager.next_marker,
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
    ) -> PiecesReader:
        """Open a file, or a range of it, or only its head; see `Driver`."""
        with self._calls:
            check_key(key)
            file = self._store.file(container, key, version_id)
            check_read(conditions, file.info)
            wanted = range if range_applies(conditions, file.info) else None
            start, stop = resolve_range(wanted, file.info.size)
            stop = start if head else stop
            pieces = file.data.cut(start, stop)
            return PiecesReader(
                file.info, pieces, start, stop, is_partial=wanted is not None
            )

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
        """Create or replace a file, all or nothing.

        A cancelled call has left the old version in place.
        """
        with self._calls:
            check_key(key)
            metadata = frozen(metadata)
            there = self._store.container(container)
            intake = await take_in(
                body,
                options,
                lambda size: self._store.check_room_for_file(there, key, size),
            )
            info = FileInfo(
                container=container,
                key=key,
                size=intake.size,
                etag=intake.md5.hex(),
                last_modified=now(),
                metadata=metadata,
                owner=principal,
                checksums=intake.checksums,
            )
            file = File(info, Data.of(intake.chunks))
            self._store.put(there, file, options.conditions if options else None)
            return info

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
        """Copy a file by sharing its bytes; see `Driver`."""
        with self._calls:
            check_key(key)
            options = options or CopyOptions()
            replacing = options.directive == "REPLACE"
            check_target((source_container, source_key), (container, key), options)
            there = self._store.container(container)
            source = self._store.file(
                source_container, source_key, options.source_version_id
            )
            check_copy(options.source_conditions, source.info)
            info = replace(
                source.info,
                container=container,
                key=key,
                last_modified=now(),
                metadata=frozen(metadata) if replacing else source.info.metadata,
                version_id=NULL_VERSION,
                owner=principal,
            )
            self._store.put(there, File(info, source.data), options.conditions)
            return info

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
            check_key(key)
            check_version(version_id)
            self._store.delete(self._store.container(container), key, guard)

    async def file_delete_many(
        self,
        container: str,
        requests: Sequence[DeleteRequest],
        *,
        principal: Principal | None = None,  # noqa: ARG002 - the gateway's to judge
    ) -> Sequence[DeleteResult]:
        """Delete each file or tell why not, in the order asked, in one step."""
        with self._calls:
            there = self._store.container(container)
            return [self._delete_one(there, request) for request in requests]

    def _delete_one(self, container: Container, request: DeleteRequest) -> DeleteResult:
        try:
            check_key(request.key)
            check_version(request.version_id)
            self._store.delete(container, request.key, request.guard)
        except BlobError as error:
            return DeleteResult(request.key, request.version_id, error)
        return DeleteResult(request.key, request.version_id)


def _describe(container: Container) -> ContainerInfo:
    return ContainerInfo(container.name, container.created, container.owner)


def _options(container: Container) -> ContainerOptions:
    return ContainerOptions(dict(container.documents), container.version)


def _fill(pager: Pager, keys: list[bytes]) -> None:
    index = bisect_left(keys, pager.start)
    while not pager.done:
        pager.offer(keys[index] if index < len(keys) else None)
        index += 1
        if index < len(keys) and keys[index] < pager.start:
            index = bisect_left(keys, pager.start, lo=index)
