"""Parts of multipart uploads: stored, replaced, copied, listed."""

# ruff: noqa: S101 - these are tests: they assert

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from ..driver import MAX_PARTS, supports_multipart
from ..errors import (
    BadDigestError,
    IncompleteBodyError,
    InvalidArgumentError,
    InvalidRangeError,
    NoSuchContainerError,
    NoSuchFileError,
    NoSuchUploadError,
    NotFoundError,
    PreconditionFailedError,
)
from ..types import ByteRange, Conditions, CopyOptions, CreateOptions, PartRef
from ._support import PART, Contract, Gate, Pieces, get, keys, md5, put

if TYPE_CHECKING:
    from ..driver import Driver, MultipartDriver
    from ..types import Part


async def begin(driver: Driver, container: str) -> tuple[MultipartDriver, str]:
    """Begin an upload of `key`; return the driver as what it is, and the upload."""
    assert supports_multipart(driver)
    upload = await driver.multipart_create(container, "key")
    return driver, upload.upload_id


async def put_part(
    driver: MultipartDriver,
    container: str,
    upload: str,
    number: int,
    data: bytes,
    options: CreateOptions | None = None,
) -> Part:
    """Store a part of one piece."""
    return await driver.multipart_put_part(
        container, "key", upload, number, Pieces(data), options=options
    )


async def numbers(driver: MultipartDriver, container: str, upload: str) -> list[int]:
    """List the numbers of the parts there are."""
    listing = await driver.multipart_list_parts(container, "key", upload)
    return [part.number for part in listing.parts]


class PartsContract(Contract):
    """Storing and listing parts."""

    async def test_a_part_is_stored_and_listed_but_no_file_is_seen(
        self, driver: Driver, container: str
    ) -> None:
        multi, upload = await begin(driver, container)
        part = await put_part(multi, container, upload, 3, b"three")
        assert (part.number, part.size, part.etag) == (3, 5, md5(b"three"))
        listing = await multi.multipart_list_parts(container, "key", upload)
        assert list(listing.parts) == [part]
        assert listing.upload.upload_id == upload
        assert await keys(driver, container) == []
        with pytest.raises(NoSuchFileError):
            await driver.file_read(container, "key")

    async def test_a_part_replaces_the_one_of_its_number(
        self, driver: Driver, container: str
    ) -> None:
        multi, upload = await begin(driver, container)
        await put_part(multi, container, upload, 1, b"one")
        part = await put_part(multi, container, upload, 1, PART[:200_000])
        listing = await multi.multipart_list_parts(container, "key", upload)
        assert list(listing.parts) == [part]
        made = await multi.multipart_complete(
            container, "key", upload, [PartRef(1, part.etag)]
        )
        assert made.size == 200_000
        assert await get(driver, container, "key") == PART[:200_000]

    @pytest.mark.parametrize("number", [0, -1, MAX_PARTS + 1])
    async def test_a_part_number_out_of_range_is_refused(
        self, driver: Driver, container: str, number: int
    ) -> None:
        multi, upload = await begin(driver, container)
        await put(driver, container, "source", b"x")
        with pytest.raises(InvalidArgumentError):
            await put_part(multi, container, upload, number, b"x")
        with pytest.raises(InvalidArgumentError):
            await multi.multipart_copy_part(
                container, "key", upload, number, container, "source"
            )
        assert await numbers(multi, container, upload) == []

    async def test_the_first_and_the_last_part_number_are_taken(
        self, driver: Driver, container: str
    ) -> None:
        multi, upload = await begin(driver, container)
        for number in (MAX_PARTS, 1):
            await put_part(multi, container, upload, number, b"x")
        assert await numbers(multi, container, upload) == [1, MAX_PARTS]

    async def test_a_part_that_fails_leaves_the_old_one(
        self, driver: Driver, container: str
    ) -> None:
        multi, upload = await begin(driver, container)
        old = await put_part(multi, container, upload, 1, b"old")
        for options, error in (
            (CreateOptions(content_length=4), IncompleteBodyError),
            (CreateOptions(content_md5=bytes(16)), BadDigestError),
        ):
            with pytest.raises(error):
                await put_part(multi, container, upload, 1, b"new!!", options)
        mine = LookupError("mine")
        with pytest.raises(LookupError) as caught:
            await multi.multipart_put_part(
                container, "key", upload, 1, Pieces(PART[:200_000], error=mine)
            )
        assert caught.value is mine
        listing = await multi.multipart_list_parts(container, "key", upload)
        assert list(listing.parts) == [old]

    async def test_the_checksums_of_a_part_are_kept(
        self, driver: Driver, container: str
    ) -> None:
        multi, upload = await begin(driver, container)
        options = CreateOptions(checksums=lambda: {"crc32": "abcd"})
        part = await put_part(multi, container, upload, 1, b"x", options)
        assert part.checksums == {"crc32": "abcd"}
        listing = await multi.multipart_list_parts(container, "key", upload)
        assert listing.parts[0].checksums == {"crc32": "abcd"}

    async def test_an_upload_is_known_by_container_key_and_id(
        self, driver: Driver, container: str
    ) -> None:
        multi, upload = await begin(driver, container)
        await driver.container_create("other")
        await put(driver, container, "source", b"x")
        for where, key, which in (
            (container, "key", "no-such-upload"),
            (container, "key", ""),
            (container, "key", "../" + upload),
            (container, "another", upload),
            ("other", "key", upload),
        ):
            for call in (
                multi.multipart_put_part(where, key, which, 1, Pieces(b"x")),
                multi.multipart_copy_part(where, key, which, 1, container, "source"),
                multi.multipart_list_parts(where, key, which),
                multi.multipart_complete(where, key, which, [PartRef(1, md5(b"x"))]),
                multi.multipart_abort(where, key, which),
            ):
                with pytest.raises(NoSuchUploadError):
                    await call
        assert await numbers(multi, container, upload) == []

    async def test_a_part_of_an_upload_aborted_meanwhile_is_not_stored(
        self, driver: Driver, container: str
    ) -> None:
        multi, upload = await begin(driver, container)
        gate = Gate()
        task = asyncio.create_task(
            multi.multipart_put_part(
                container, "key", upload, 1, Pieces(PART[:200_000], gate=gate)
            )
        )
        await gate.reached.wait()
        await multi.multipart_abort(container, "key", upload)
        gate.open.set()
        with pytest.raises(NoSuchUploadError):
            await task

    async def test_parts_are_stored_at_the_same_time(
        self, driver: Driver, container: str
    ) -> None:
        multi, upload = await begin(driver, container)
        await asyncio.gather(
            *(
                put_part(multi, container, upload, n, PART[: n * 10_000])
                for n in range(1, 21)
            )
        )
        listing = await multi.multipart_list_parts(container, "key", upload)
        assert [(part.number, part.size) for part in listing.parts] == [
            (n, n * 10_000) for n in range(1, 21)
        ]

    async def test_pages_of_parts_that_cannot_be_are_refused_or_empty(
        self, driver: Driver, container: str
    ) -> None:
        multi, upload = await begin(driver, container)
        await put_part(multi, container, upload, 1, b"x")
        for marker, size in ((0, -1), (0, -2), (-1, 1)):
            with pytest.raises(InvalidArgumentError):
                await multi.multipart_list_parts(
                    container, "key", upload, marker=marker, max_parts=size
                )
        for many in (0, 2**63, 2**70):
            page = await multi.multipart_list_parts(
                container, "key", upload, max_parts=many
            )
            assert [part.number for part in page.parts] == ([1] if many else [])
            assert not page.is_truncated
            page = await multi.multipart_list_parts(
                container, "key", upload, marker=many + 1
            )
            assert (list(page.parts), page.next_marker) == ([], None)

    async def test_parts_are_listed_page_by_page(
        self, driver: Driver, container: str
    ) -> None:
        multi, upload = await begin(driver, container)
        expected = [1, 2, 5, 9, 10, 100]
        for number in reversed(expected):
            await put_part(multi, container, upload, number, b"x" * number)
        for size in range(1, 8):
            found: list[int] = []
            marker: int | None = 0
            while marker is not None:
                page = await multi.multipart_list_parts(
                    container, "key", upload, marker=marker, max_parts=size
                )
                assert len(page.parts) <= size
                assert page.is_truncated == (page.next_marker is not None)
                assert all(part.number == part.size for part in page.parts)
                found += [part.number for part in page.parts]
                marker = page.next_marker
            assert found == expected

    @pytest.mark.parametrize(
        ("wanted", "start", "stop"),
        [
            (None, 0, 2_500_001),
            (ByteRange(0, 9), 0, 10),
            (ByteRange(1024 * 1024 - 1, 1024 * 1024), 1024 * 1024 - 1, 1024 * 1024 + 1),
            (ByteRange(5, 2_500_000), 5, 2_500_001),
        ],
    )
    async def test_a_part_is_copied_from_a_range_of_a_file(
        self,
        driver: Driver,
        container: str,
        wanted: ByteRange | None,
        start: int,
        stop: int,
    ) -> None:
        multi, upload = await begin(driver, container)
        await driver.container_create("other")
        await put(driver, "other", "source", PART[:2_500_001])
        part = await multi.multipart_copy_part(
            container, "key", upload, 1, "other", "source", range=wanted
        )
        expected = PART[start:stop]
        assert (part.size, part.etag) == (len(expected), md5(expected))
        await driver.file_delete("other", "source")
        await multi.multipart_complete(
            container, "key", upload, [PartRef(1, part.etag)]
        )
        assert await get(driver, container, "key") == expected

    async def test_a_range_past_the_end_is_not_copied(
        self, driver: Driver, container: str
    ) -> None:
        multi, upload = await begin(driver, container)
        await put(driver, container, "source", b"0123456789")
        for wanted in (ByteRange(0, 10), ByteRange(5, 99), ByteRange(10, 10)):
            with pytest.raises(InvalidRangeError):
                await multi.multipart_copy_part(
                    container, "key", upload, 1, container, "source", range=wanted
                )
        assert await numbers(multi, container, upload) == []

    async def test_a_part_is_not_copied_from_what_is_missing_or_fails_its_conditions(
        self, driver: Driver, container: str
    ) -> None:
        multi, upload = await begin(driver, container)
        source = await put(driver, container, "source", b"x")
        for where, key, error in (
            (container, "missing", NoSuchFileError),
            ("missing", "source", NoSuchContainerError),
        ):
            with pytest.raises(error):
                await multi.multipart_copy_part(container, "key", upload, 1, where, key)
        for conditions in (
            Conditions(if_match=("0" * 32,)),
            Conditions(if_none_match=(source.etag,)),
        ):
            with pytest.raises(PreconditionFailedError):
                await multi.multipart_copy_part(
                    container,
                    "key",
                    upload,
                    1,
                    container,
                    "source",
                    options=CopyOptions(source_conditions=conditions),
                )
        assert await numbers(multi, container, upload) == []

    async def test_a_container_deleted_during_a_part_takes_none(
        self, driver: Driver, container: str
    ) -> None:
        multi, upload = await begin(driver, container)
        gate = Gate()
        task = asyncio.create_task(
            multi.multipart_put_part(
                container, "key", upload, 1, Pieces(b"x", gate=gate)
            )
        )
        await gate.reached.wait()
        await driver.container_delete(container)
        gate.open.set()
        with pytest.raises(NotFoundError):
            await task
