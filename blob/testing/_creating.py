"""Creating files: bodies of every shape, all or nothing."""

# ruff: noqa: S101 - these are tests: they assert

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ..errors import (
    AccessDeniedError,
    BadDigestError,
    IncompleteBodyError,
    InvalidArgumentError,
    NoSuchContainerError,
    NoSuchFileError,
)
from ..types import NULL_VERSION, CreateOptions, Metadata
from ._support import (
    ALICE,
    PART,
    Contract,
    Gate,
    Pieces,
    get,
    head,
    keys,
    md5,
    put,
    same,
)

if TYPE_CHECKING:
    from ..driver import Driver

ALL_METADATA = Metadata(
    content_type="text/plain; charset=utf-8",
    cache_control="no-cache",
    content_disposition='attachment; filename="a b.txt"',
    content_encoding="gzip",
    content_language="de, en",
    expires="Thu, 01 Dec 1994 16:00:00 GMT",
    storage_class="STANDARD",
    user={"colour": "blue", "größe": "zwölf — ✓", "empty": ""},
)


class CustomError(Exception):
    """An error of the body's own, which no driver knows."""


class _Endless:
    """A body that goes on far beyond any announced length."""

    left = 2000

    def __aiter__(self) -> _Endless:
        return self

    async def __anext__(self) -> bytes:
        self.left -= 1
        assert self.left, "the driver goes on reading what it must refuse"
        return bytes(1024)


class _Reusing:
    """A body that reuses one buffer for all its pieces, as it is allowed to."""

    def __init__(self, size: int, count: int) -> None:
        self._buffer = bytearray(size)
        self._count = count
        self._next = 0

    def __aiter__(self) -> _Reusing:
        return self

    async def __anext__(self) -> memoryview:
        if self._next == self._count:
            self._buffer[:] = b"?" * len(self._buffer)
            raise StopAsyncIteration
        self._buffer[:] = bytes((self._next,)) * len(self._buffer)
        self._next += 1
        return memoryview(self._buffer)


class CreatingContract(Contract):
    """Creating and replacing files."""

    async def test_a_created_file_is_described_alike_by_create_read_and_list(
        self, driver: Driver, container: str
    ) -> None:
        before = datetime.now(UTC)
        made = await driver.file_create(
            container, "key", Pieces(b"jurmous ", b"was here"), principal=ALICE
        )
        assert (made.container, made.key) == (container, "key")
        assert (made.size, made.etag) == (16, md5(b"jurmous was here"))
        assert (made.version_id, made.owner) == (NULL_VERSION, ALICE)
        assert (tuple(made.parts), made.checksums) == ((), {})
        assert made.last_modified.utcoffset() == timedelta(0)
        assert abs(made.last_modified - before) < timedelta(minutes=1)
        assert same(await head(driver, container, "key"), made)
        [listed] = (await driver.file_list(container)).files
        assert (listed.key, listed.size, listed.etag) == ("key", 16, made.etag)
        assert listed.last_modified == made.last_modified
        assert await get(driver, container, "key") == b"jurmous was here"

    async def test_all_metadata_is_given_back(
        self, driver: Driver, container: str
    ) -> None:
        made = await put(driver, container, "key", b"x", metadata=ALL_METADATA)
        assert made.metadata == ALL_METADATA
        assert (await head(driver, container, "key")).metadata == ALL_METADATA
        await put(driver, container, "plain", b"x")
        assert (await head(driver, container, "plain")).metadata == Metadata()

    async def test_metadata_is_copied_from_the_caller(
        self, driver: Driver, container: str
    ) -> None:
        user = {"colour": "blue"}
        await put(driver, container, "key", b"x", metadata=Metadata(user=user))
        user["colour"] = "red"
        assert (await head(driver, container, "key")).metadata.user == {
            "colour": "blue"
        }

    async def test_a_replaced_file_keeps_nothing_of_the_old_one(
        self, driver: Driver, container: str
    ) -> None:
        await put(driver, container, "key", b"old and long", metadata=ALL_METADATA)
        made = await put(
            driver, container, "key", b"new", metadata=Metadata(content_type="a/b")
        )
        assert await get(driver, container, "key") == b"new"
        assert same(await head(driver, container, "key"), made)
        assert made.metadata == Metadata(content_type="a/b")
        assert await keys(driver, container) == ["key"]

    async def test_an_empty_body_makes_an_empty_file(
        self, driver: Driver, container: str
    ) -> None:
        bodies = {"none": Pieces(), "one": Pieces(b""), "two": Pieces(b"", b"")}
        for key, body in bodies.items():
            made = await driver.file_create(
                container, key, body, options=CreateOptions(content_length=0)
            )
            assert (made.size, made.etag) == (0, md5(b""))
            assert await get(driver, container, key) == b""

    async def test_pieces_of_every_kind_and_size_are_taken(
        self, driver: Driver, container: str
    ) -> None:
        large = PART[: 3 * 1024 * 1024 + 1]
        pieces = (
            b"bytes",
            bytearray(b"bytearray"),
            memoryview(b"a memoryview")[2:],
            b"",
            large,
            memoryview(large)[1:],
            bytearray(large[:70_001]),
            b"z",
        )
        whole = b"".join(pieces)
        made = await driver.file_create(container, "key", Pieces(*pieces))
        assert (made.size, made.etag) == (len(whole), md5(whole))
        assert md5(await get(driver, container, "key")) == md5(whole)

    async def test_many_small_pieces_make_one_file(
        self, driver: Driver, container: str
    ) -> None:
        pieces = [PART[n : n + 1 + n % 7] for n in range(3000)]
        whole = b"".join(pieces)
        made = await driver.file_create(container, "key", Pieces(*pieces))
        assert made.etag == md5(whole)
        assert await get(driver, container, "key") == whole

    @pytest.mark.parametrize("size", [10, 100_000, 1_500_000])
    async def test_the_producer_may_reuse_its_buffer(
        self, driver: Driver, container: str, size: int
    ) -> None:
        await driver.file_create(container, "key", _Reusing(size, 4))
        expected = b"".join(bytes((n,)) * size for n in range(4))
        assert await get(driver, container, "key") == expected

    async def test_a_body_with_the_right_digest_and_length_is_stored(
        self, driver: Driver, container: str
    ) -> None:
        digest = hashlib.md5(b"body", usedforsecurity=False).digest()
        options = CreateOptions(content_length=4, content_md5=digest)
        made = await put(driver, container, "key", b"body", options=options)
        assert made.etag == digest.hex()

    @pytest.mark.parametrize("size", [5, 200_000])
    async def test_a_body_with_a_wrong_digest_changes_nothing(
        self, driver: Driver, container: str, size: int
    ) -> None:
        options = CreateOptions(content_md5=bytes(16))
        with pytest.raises(BadDigestError):
            await put(driver, container, "key", bytes(size), options=options)
        assert await keys(driver, container) == []
        await put(driver, container, "key", b"old")
        with pytest.raises(BadDigestError):
            await put(driver, container, "key", bytes(size), options=options)
        assert await get(driver, container, "key") == b"old"

    async def test_a_digest_that_is_none_is_refused(
        self, driver: Driver, container: str
    ) -> None:
        with pytest.raises(InvalidArgumentError):
            await put(
                driver, container, "key", b"x", options=CreateOptions(content_md5=b"x")
            )
        assert await keys(driver, container) == []

    async def test_what_is_no_stream_is_refused(
        self, driver: Driver, container: str
    ) -> None:
        body: Any = b"bytes are no async iterable"
        with pytest.raises(InvalidArgumentError, match="async iterable"):
            await driver.file_create(container, "key", body)
        assert await keys(driver, container) == []

    async def test_a_length_that_is_none_is_refused(
        self, driver: Driver, container: str
    ) -> None:
        body = Pieces(b"x")
        with pytest.raises(InvalidArgumentError):
            await driver.file_create(
                container, "key", body, options=CreateOptions(content_length=-5)
            )
        assert body.asked == 0
        assert await keys(driver, container) == []

    @pytest.mark.parametrize("announced", [0, 1, 9, 11, 10_000])
    async def test_a_body_of_another_length_changes_nothing(
        self, driver: Driver, container: str, announced: int
    ) -> None:
        await put(driver, container, "key", b"old")
        options = CreateOptions(content_length=announced)
        with pytest.raises(IncompleteBodyError):
            await driver.file_create(
                container, "key", Pieces(b"01234", b"56789"), options=options
            )
        assert await get(driver, container, "key") == b"old"
        assert await keys(driver, container) == ["key"]

    async def test_a_body_over_its_length_is_refused_before_its_end(
        self, driver: Driver, container: str
    ) -> None:
        options = CreateOptions(content_length=100)
        with pytest.raises(IncompleteBodyError):
            await driver.file_create(container, "key", _Endless(), options=options)
        assert await keys(driver, container) == []

    @pytest.mark.parametrize("size", [5, 200_000])
    @pytest.mark.parametrize("error", [CustomError("mine"), AccessDeniedError("no")])
    async def test_an_error_of_the_body_passes_through_and_changes_nothing(
        self, driver: Driver, container: str, error: Exception, size: int
    ) -> None:
        for expected in ([], ["key"]):
            with pytest.raises(type(error)) as caught:
                await driver.file_create(
                    container, "key", Pieces(bytes(size), error=error)
                )
            assert caught.value is error
            assert await keys(driver, container) == expected
            await put(driver, container, "key", b"old")
        assert await get(driver, container, "key") == b"old"

    async def test_checksums_are_asked_for_once_after_the_end_and_kept(
        self, driver: Driver, container: str
    ) -> None:
        body = Pieces(b"some", b"thing")
        asked: list[int] = []

        def supply() -> dict[str, str]:
            asked.append(body.asked)
            return {"crc32": "2W6QsA==", "sha256": "x"}

        made = await driver.file_create(
            container, "key", body, options=CreateOptions(checksums=supply)
        )
        assert asked == [3]
        assert made.checksums == {"crc32": "2W6QsA==", "sha256": "x"}
        assert same(await head(driver, container, "key"), made)

    async def test_checksums_that_fail_change_nothing(
        self, driver: Driver, container: str
    ) -> None:
        def supply() -> dict[str, str]:
            raise BadDigestError

        await put(driver, container, "key", b"old")
        with pytest.raises(BadDigestError):
            await put(
                driver,
                container,
                "key",
                b"new",
                options=CreateOptions(checksums=supply),
            )
        assert await get(driver, container, "key") == b"old"

    async def test_a_file_is_invisible_until_it_is_whole(
        self, driver: Driver, container: str
    ) -> None:
        gate = Gate()
        body = Pieces(PART[:200_000], gate=gate)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(driver.file_create(container, "key", body))
            await gate.reached.wait()
            with pytest.raises(NoSuchFileError):
                await driver.file_read(container, "key")
            assert await keys(driver, container) == []
            gate.open.set()
        assert same(await head(driver, container, "key"), task.result())

    @pytest.mark.parametrize("size", [10, 200_000])
    @pytest.mark.parametrize("again", [False, True])
    async def test_a_container_deleted_during_an_upload_takes_no_file(
        self, driver: Driver, container: str, size: int, *, again: bool
    ) -> None:
        gate = Gate()
        body = Pieces(PART[:size], gate=gate)
        task = asyncio.create_task(driver.file_create(container, "key", body))
        await gate.reached.wait()
        await driver.container_delete(container)
        if again:  # another one, that only has its name
            await driver.container_create(container)
        gate.open.set()
        with pytest.raises(NoSuchContainerError):
            await task
        await driver.container_create(container)
        assert await keys(driver, container) == []
