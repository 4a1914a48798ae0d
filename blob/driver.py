"""What a blob driver is: small Protocols of coroutines, named as in the seed document.

`Driver` is the least a driver has. `MultipartDriver` and `DeleteManyDriver` are
capabilities: a driver has what it implements, and `supports()` asks. A third party's
driver satisfies them structurally; `blob.testing.contract` is the suite it must pass.

Guarantees every driver gives:

- A write is acknowledged (the coroutine returns) when it is durable in the sense of
  that driver, and visible at once to every later read and listing.
- A file appears whole or not at all. A reader goes on reading the version it opened.
- Conditions, guards and quotas are checked in the same atomic step as the change.
- A cancelled write is applied wholly or not at all. It may still be applied shortly
  after the `CancelledError`, yet before every write that is begun after that; the
  driver stays usable.
- Concurrent writes to one key: the last to commit wins.
- Errors are those of `blob.errors`; a failed write leaves the old version in place.

`principal` is who asks; None is the embedding application itself, which owns what it
creates without an owner and sees everything. Drivers keep owners and filter
`container_list` by them; every other permission is the gateway's to decide.

`version_id` None is the current version. A driver without versions knows only
`NULL_VERSION` and raises `NoSuchVersionError` for any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeGuard, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from types import TracebackType
    from typing import Literal, Self

    from .types import (
        Body,
        ByteRange,
        Checksums,
        Conditions,
        ContainerInfo,
        ContainerOptions,
        CopyOptions,
        CreateOptions,
        DeleteGuard,
        DeleteRequest,
        DeleteResult,
        FileInfo,
        FileListing,
        Metadata,
        Part,
        PartListing,
        PartRef,
        Principal,
        Upload,
        UploadListing,
    )

__all__ = (
    "MAX_PARTS",
    "MIN_PART_SIZE",
    "DeleteManyDriver",
    "Driver",
    "FileReader",
    "MultipartDriver",
    "supports_delete_many",
    "supports_multipart",
)

MIN_PART_SIZE = 5 * 1024 * 1024
"""Bytes; every part but the last must have as many at completion."""

MAX_PARTS = 10_000
"""Part numbers go from 1 to this."""


class FileReader(Protocol):
    """One version of a file, opened; iterate over it for the bytes asked for.

    `start` and `stop` are the half-open range of bytes that iteration yields, already
    cut to the size of the file; equal where the read was for the head alone. Always
    `aclose()` it (or use `async with`): it may hold a file open.

    Asking for a piece may be cancelled and loses none: the next to ask gets it. A
    reader that was closed raises `ClosedError` when asked, also whoever asks already
    and gets no piece: only the whole range ends in the end of the iteration.
    """

    @property
    def info(self) -> FileInfo:
        """The version that was opened."""

    @property
    def start(self) -> int:
        """The first byte that iteration yields."""

    @property
    def stop(self) -> int:
        """One past the last byte that iteration yields."""

    @property
    def is_partial(self) -> bool:
        """A range was asked for and honoured (206, not 200)."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield pieces of at most 1 MiB; all iterators share one pass over the bytes.

        Raises `CorruptDataError` where the stored bytes are missing or too few. What
        is read is not compared with the digest that was stored.
        """

    async def aclose(self) -> None:
        """Release what the reader holds; idempotent."""

    async def __aenter__(self) -> Self:
        """Return itself."""

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Close it."""


@runtime_checkable
class Driver(Protocol):
    """The least a driver has."""

    @property
    def kind(self) -> str:
        """The name it is registered under: `memory`, `fs`, ..."""

    async def ready(self) -> None:
        """Wait until the store is open; raises what made that fail. Idempotent."""

    async def aclose(self) -> None:
        """Refuse new calls, wait for those in flight, release all; idempotent."""

    async def __aenter__(self) -> Self:
        """`ready()`, then itself."""

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Close it."""

    async def container_list(
        self, *, principal: Principal | None = None
    ) -> Sequence[ContainerInfo]:
        """List the containers the principal owns (all, for None), by name."""

    async def container_create(
        self,
        container: str,
        *,
        options: Mapping[str, str] | None = None,
        principal: Principal | None = None,
    ) -> ContainerInfo:
        """Create a container with its first option documents.

        Creating what one owns already succeeds and changes nothing. Raises
        `InvalidContainerNameError`, or `ContainerExistsError` when another owns it.
        """

    async def container_delete(
        self, container: str, *, principal: Principal | None = None
    ) -> None:
        """Delete an empty container, its options and its unfinished uploads.

        Raises `NoSuchContainerError`, `ContainerNotEmptyError`.
        """

    async def container_options(
        self, container: str, *, principal: Principal | None = None
    ) -> ContainerOptions:
        """Read the documents kept with a container. Raises `NoSuchContainerError`."""

    async def container_set_options(
        self,
        container: str,
        documents: Mapping[str, str | None],
        *,
        if_version: int | None = None,
        principal: Principal | None = None,
    ) -> ContainerOptions:
        """Set the documents named, remove those that are None, keep the others.

        Raises `OptionsChangedError` where the version is not `if_version`.
        """

    async def container_info(
        self, container: str, *, principal: Principal | None = None
    ) -> ContainerInfo:
        """Describe a container cheaply. Raises `NoSuchContainerError`."""

    async def file_list(
        self,
        container: str,
        *,
        prefix: str = "",
        marker: str = "",
        delimiter: str = "",
        max_keys: int = 1000,
        principal: Principal | None = None,
    ) -> FileListing:
        """List one page of keys after `marker` (exclusive), in UTF-8 byte order.

        Keys that hold `delimiter` (one or more characters) after the prefix are rolled
        up into `prefixes`, each counting once toward `max_keys` (0 or more; a driver
        may return fewer than asked, never more). A prefix not greater than the marker
        is not repeated. With `max_keys` 0 the page is empty and not truncated.
        """

    async def file_read(
        self,
        container: str,
        key: str,
        *,
        range: ByteRange | None = None,  # noqa: A002 - the seed's name for it
        head: bool = False,
        conditions: Conditions | None = None,
        version_id: str | None = None,
        principal: Principal | None = None,
    ) -> FileReader:
        """Open a file, or a range of it, or only its head.

        Raises `NoSuchContainerError`, `NoSuchFileError`, `NotModifiedError`,
        `PreconditionFailedError`, `InvalidRangeError`.
        """

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
        """Create or replace a file from a stream, all or nothing.

        Raises `NoSuchContainerError` (also when the container was deleted during the
        upload), `BadDigestError`, `IncompleteBodyError`, `PreconditionFailedError`,
        `UsageExceededError`, `StorageFullError`; what the body raises passes through.
        """

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
        """Copy a file, or replace the metadata of one, without moving its bytes.

        A copy onto itself without REPLACE is an `InvalidArgumentError`.
        """

    async def file_delete(
        self,
        container: str,
        key: str,
        *,
        version_id: str | None = None,
        guard: DeleteGuard | None = None,
        principal: Principal | None = None,
    ) -> None:
        """Delete a file; without a guard a missing one is no error.

        Raises `NoSuchContainerError`; with a guard also `NoSuchFileError` and
        `PreconditionFailedError`.
        """


@runtime_checkable
class MultipartDriver(Protocol):
    """Files made of parts that arrive in any order, each replaceable until the end."""

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

    async def multipart_put_part(
        self,
        container: str,
        key: str,
        upload_id: str,
        number: int,
        body: Body,
        *,
        options: CreateOptions | None = None,
        principal: Principal | None = None,
    ) -> Part:
        """Store or replace part `number` (1 to 10,000), all or nothing."""

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
        principal: Principal | None = None,
    ) -> Part:
        """Store or replace a part with bytes of a file.

        A range past the end is an `InvalidRangeError`, as S3 has it for copies.
        """

    async def multipart_list_parts(
        self,
        container: str,
        key: str,
        upload_id: str,
        *,
        marker: int = 0,
        max_parts: int = 1000,
        principal: Principal | None = None,
    ) -> PartListing:
        """List one page of the parts after number `marker`."""

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
        principal: Principal | None = None,
    ) -> FileInfo:
        """Make the file of the parts named, in order; drop the parts not named.

        Raises `InvalidArgumentError` for no parts, `InvalidPartError`,
        `InvalidPartOrderError`, `EntityTooSmallError`, `PreconditionFailedError`; the
        upload then stays as it was. `checksums` of the whole are kept as given.
        """

    async def multipart_abort(
        self,
        container: str,
        key: str,
        upload_id: str,
        *,
        principal: Principal | None = None,
    ) -> None:
        """Drop the upload and its parts. Raises `NoSuchUploadError`."""

    async def multipart_list(
        self,
        container: str,
        *,
        prefix: str = "",
        delimiter: str = "",
        key_marker: str = "",
        upload_id_marker: str = "",
        max_uploads: int = 1000,
        principal: Principal | None = None,
    ) -> UploadListing:
        """List one page of unfinished uploads."""


@runtime_checkable
class DeleteManyDriver(Protocol):
    """Deleting many files in one step."""

    async def file_delete_many(
        self,
        container: str,
        requests: Sequence[DeleteRequest],
        *,
        principal: Principal | None = None,
    ) -> Sequence[DeleteResult]:
        """Delete each file or tell why not, in the order asked.

        Raises only what concerns them all (`NoSuchContainerError`, `StorageError`).
        """


def supports_multipart(driver: object) -> TypeGuard[MultipartDriver]:
    """Whether the driver has multipart uploads."""
    return isinstance(driver, MultipartDriver)


def supports_delete_many(driver: object) -> TypeGuard[DeleteManyDriver]:
    """Whether the driver deletes many files in one step."""
    return isinstance(driver, DeleteManyDriver)
