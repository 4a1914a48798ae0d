"""A driver for a store of small values, in six primitives: `SimpleDriver`.

For whoever keeps files in a dictionary, a table, a key-value server: write what reads
and swaps one row, inherit the rest of `blob.driver.Driver` with all its guarantees.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from ._calls import Calls
from ._intake import CHUNK, frozen, now, take_in
from ._pages import Pager, encode
from ._reader import PiecesReader
from .errors import (
    ContainerExistsError,
    EntityTooLargeError,
    NoSuchContainerError,
    NoSuchFileError,
    OptionsChangedError,
)
from .rules import (
    check_container,
    check_copy,
    check_delete,
    check_key,
    check_read,
    check_target,
    check_version,
    check_write,
    page_size,
    range_applies,
    resolve_range,
)
from .types import (
    NULL_VERSION,
    ContainerInfo,
    ContainerOptions,
    CopyOptions,
    FileInfo,
    FileListing,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from .types import (
        Body,
        ByteRange,
        Conditions,
        CreateOptions,
        DeleteGuard,
        Metadata,
        Principal,
    )

__all__ = ("ContainerRow", "FileRow", "SimpleDriver")

_BATCH = 1000  # rows asked of the store at once for a listing


@dataclass(frozen=True, slots=True)
class ContainerRow:
    """A container as the store keeps it.

    `id` is that of every row of one container, and of no other container, also of none
    that had the name before. `version` grows with each change.
    """

    info: ContainerInfo
    documents: Mapping[str, str]
    version: int
    id: str


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file as the store keeps it; `revision` differs from every other row's."""

    info: FileInfo
    data: bytes
    revision: str


class SimpleDriver(ABC):
    """Everything a `Driver` does, on top of six primitives over rows.

    The two swaps are the only writes, and the base of every guarantee: each must be
    atomic in the store, so that conditions, guards and concurrent writers (also those
    of other processes) cannot go wrong. A body is one value, held in memory while it
    comes in and goes out, and refused beyond `max_size` bytes.

    A driver that has something to open extends `ready`, to close `aclose`. Errors of
    the store are the primitives' to turn into those of `blob.errors`.
    """

    kind: str = "simple"
    max_size: ClassVar[int] = 16 * 1024 * 1024

    def __init__(self) -> None:
        self._calls = Calls()

    @abstractmethod
    async def container_rows(self) -> Iterable[ContainerRow]:
        """Return all containers, in any order."""

    @abstractmethod
    async def container_row(self, container: str) -> ContainerRow | None:
        """Return the container, None where there is none."""

    @abstractmethod
    async def swap_container(
        self, container: str, old: ContainerRow | None, new: ContainerRow | None
    ) -> bool:
        """Put `new` in the place of `old`, atomically; False where `old` is not there.

        `old` None: there must be none yet. `new` None: delete it, or raise
        `ContainerNotEmptyError` while it holds a file. Compare `id` and `version`.
        """

    @abstractmethod
    async def file_row(self, container: str, key: str) -> FileRow | None:
        """Return the file, None where there is none."""

    @abstractmethod
    async def swap_file(
        self,
        container: ContainerRow,
        key: str,
        old: FileRow | None,
        new: FileRow | None,
    ) -> bool:
        """Put `new` in the place of `old`, atomically; False where `old` is not there.

        `old` None: there must be none yet. `new` None: delete it. Compare the
        `revision`. Raise `NoSuchContainerError` where the container is gone, or
        another one (another `id`) has its name now.
        """

    @abstractmethod
    async def file_infos(
        self, container: str, start: bytes, limit: int
    ) -> Sequence[FileInfo]:
        """Return the first `limit` files whose key as UTF-8 is at or after `start`.

        They come in the order of those bytes; fewer means that there are no more.
        """

    async def ready(self) -> None:
        """Raise `ClosedError` if it is closed."""
        self._calls.check()

    async def aclose(self) -> None:
        """Refuse new calls and wait for those in flight; idempotent."""
        await self._calls.close()

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
            infos = [row.info for row in await self.container_rows()]
            return sorted(
                (info for info in infos if principal is None or _owns(principal, info)),
                key=lambda info: info.name,
            )

    async def container_create(
        self,
        container: str,
        *,
        options: Mapping[str, str] | None = None,
        principal: Principal | None = None,
    ) -> ContainerInfo:
        """Create a container; see `Driver`."""
        with self._calls:
            info = ContainerInfo(check_container(container), now(), principal)
            row = ContainerRow(info, dict(options or {}), 1, secrets.token_hex(8))
            while not await self.swap_container(container, None, row):
                there = await self.container_row(container)
                if there is not None:
                    if not _owns(principal, there.info):
                        raise ContainerExistsError
                    return there.info
            return info

    async def container_delete(
        self,
        container: str,
        *,
        principal: Principal | None = None,  # noqa: ARG002 - the gateway's to judge
    ) -> None:
        """Delete an empty container and its options; see `Driver`."""
        with self._calls:
            row = await self._container(container)
            while not await self.swap_container(container, row, None):
                row = await self._container(container, row)

    async def container_options(
        self,
        container: str,
        *,
        principal: Principal | None = None,  # noqa: ARG002 - the gateway's to judge
    ) -> ContainerOptions:
        """Read the documents kept with a container; see `Driver`."""
        with self._calls:
            row = await self._container(container)
            return ContainerOptions(dict(row.documents), row.version)

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
            row = await self._container(container)
            while True:
                if if_version not in (None, row.version):
                    raise OptionsChangedError
                merged = {**row.documents, **documents}
                kept = {k: v for k, v in merged.items() if v is not None}
                new = replace(row, documents=kept, version=row.version + 1)
                if await self.swap_container(container, row, new):
                    return ContainerOptions(dict(kept), new.version)
                row = await self._container(container, row)

    async def container_info(
        self,
        container: str,
        *,
        principal: Principal | None = None,  # noqa: ARG002 - the gateway's to judge
    ) -> ContainerInfo:
        """Describe a container; see `Driver`."""
        with self._calls:
            return (await self._container(container)).info

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
        """List one page; see `Driver`."""
        with self._calls:
            pager = Pager(
                encode("prefix", prefix),
                encode("marker", marker),
                encode("delimiter", delimiter),
                max_keys,
            )
            await self._container(container)
            infos = await self._fill(
                pager, container, min(page_size(max_keys) + 1, _BATCH)
            )
            return FileListing(
                files=[infos[entry] for entry, group in pager.entries if not group],
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
            row = await self._file(container, key, version_id)
            check_read(conditions, row.info)
            wanted = range if range_applies(conditions, row.info) else None
            start, stop = resolve_range(wanted, row.info.size)
            stop = start if head else stop
            pieces = (
                row.data[at : min(at + CHUNK, stop)]
                for at in _range(start, stop, CHUNK)
            )
            return PiecesReader(
                row.info, pieces, start, stop, is_partial=wanted is not None
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
        """Create or replace a file, all or nothing; see `Driver`.

        Also raises `EntityTooLargeError`. A cancelled call has left the old version,
        or the new one if the store was already asked to swap them.
        """
        with self._calls:
            check_key(key)
            metadata = frozen(metadata)
            there = await self._container(container)
            intake = await take_in(body, options, self._check_size)
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
            data = b"".join(intake.chunks)
            conditions = options.conditions if options else None
            return await self._put(there, info, data, conditions)

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
        """Copy a file, or replace the metadata of one; see `Driver`."""
        with self._calls:
            check_key(key)
            options = options or CopyOptions()
            replacing = options.directive == "REPLACE"
            check_target((source_container, source_key), (container, key), options)
            there = await self._container(container)
            source = await self._file(
                source_container, source_key, options.source_version_id
            )
            check_copy(options.source_conditions, source.info)
            info = replace(
                source.info,
                container=container,
                key=key,
                metadata=frozen(metadata) if replacing else source.info.metadata,
                version_id=NULL_VERSION,
                owner=principal,
            )
            return await self._put(there, info, source.data, options.conditions)

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
            there = await self._container(container)
            while True:
                old = await self.file_row(container, key)
                check_delete(guard, old.info if old else None)
                if old is None or await self.swap_file(there, key, old, None):
                    return

    async def _container(
        self, container: str, before: ContainerRow | None = None
    ) -> ContainerRow:
        """Return the container as it is now; it must be the one it was `before`."""
        row = await self.container_row(container)
        if row is None or (before is not None and row.id != before.id):
            raise NoSuchContainerError
        return row

    async def _file(self, container: str, key: str, version_id: str | None) -> FileRow:
        check_key(key)
        await self._container(container)
        row = await self.file_row(container, key)
        if row is None:
            raise NoSuchFileError
        check_version(version_id)
        return row

    async def _put(
        self,
        container: ContainerRow,
        info: FileInfo,
        data: bytes,
        conditions: Conditions | None,
    ) -> FileInfo:
        """Commit a file under its conditions, whoever else writes meanwhile."""
        while True:
            old = await self.file_row(info.container, info.key)
            check_write(conditions, old.info.etag if old else None)
            info = replace(info, last_modified=now())
            new = FileRow(info, data, secrets.token_hex(8))
            if await self.swap_file(container, info.key, old, new):
                return info

    async def _fill(
        self, pager: Pager, container: str, batch: int
    ) -> dict[bytes, FileInfo]:
        """Fill a page batch by batch; return what was seen, by key."""
        seen: dict[bytes, FileInfo] = {}
        while not pager.done:
            infos = await self.file_infos(container, pager.start, batch)
            for info in infos:
                key = info.key.encode()
                if not pager.done and key >= pager.start:
                    seen[key] = info
                    pager.offer(key)
            if not pager.done and len(infos) < batch:
                pager.offer(None)
        return seen

    def _check_size(self, size: int) -> None:
        if size > self.max_size:
            raise EntityTooLargeError


_range: Callable[[int, int, int], Iterable[int]] = range
"""The builtin, under another name where `range` is an argument."""


def _owns(principal: Principal | None, info: ContainerInfo) -> bool:
    return (principal and principal.id) == (info.owner and info.owner.id)
