"""Completing multipart uploads: one file out of the parts named, or nothing."""

# ruff: noqa: S101 - these are tests: they assert

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import pytest

from ..errors import (
    EntityTooSmallError,
    InvalidArgumentError,
    InvalidPartError,
    InvalidPartOrderError,
    NoSuchFileError,
    NoSuchUploadError,
    PreconditionFailedError,
)
from ..types import ByteRange, Conditions, CreateOptions, PartRef
from ._creating import ALL_METADATA
from ._parts import begin, numbers, put_part
from ._support import (
    ALICE,
    PART,
    Contract,
    get,
    head,
    keys,
    md5,
    multipart,
    outcomes,
    put,
    same,
)

if TYPE_CHECKING:
    from ..driver import Driver, MultipartDriver

MIB = 1024 * 1024
TAIL = b"the tail"
PART_ETAG = md5(PART)


def etag_of(*parts: bytes) -> str:
    """Return the ETag of a file of these parts."""
    digests = b"".join(
        hashlib.md5(part, usedforsecurity=False).digest() for part in parts
    )
    return f"{md5(digests)}-{len(parts)}"


async def _two_parts(
    driver: Driver, container: str
) -> tuple[MultipartDriver, str, list[PartRef]]:
    multi, upload = await begin(driver, container)
    await put_part(multi, container, upload, 7, TAIL)
    await put_part(multi, container, upload, 2, PART)
    return multi, upload, [PartRef(2, PART_ETAG), PartRef(7, md5(TAIL))]


class CompletingContract(Contract):
    """Making a file of parts."""

    async def test_the_parts_in_order_make_the_file(
        self, driver: Driver, container: str
    ) -> None:
        multi, upload, refs = await _two_parts(driver, container)
        made = await multi.multipart_complete(container, "key", upload, refs)
        assert made.size == len(PART) + len(TAIL)
        assert made.etag == etag_of(PART, TAIL)
        assert tuple(made.parts) == (len(PART), len(TAIL))
        assert same(await head(driver, container, "key"), made)
        [listed] = (await driver.file_list(container)).files
        assert (listed.size, listed.etag) == (made.size, made.etag)
        assert md5(await get(driver, container, "key")) == md5(PART + TAIL)

    async def test_a_completed_upload_is_gone(
        self, driver: Driver, container: str
    ) -> None:
        multi, upload, refs = await _two_parts(driver, container)
        await multi.multipart_complete(container, "key", upload, refs)
        assert list((await multi.multipart_list(container)).uploads) == []
        for call in (
            multi.multipart_complete(container, "key", upload, refs),
            multi.multipart_abort(container, "key", upload),
            multi.multipart_list_parts(container, "key", upload),
        ):
            with pytest.raises(NoSuchUploadError):
                await call

    async def test_the_metadata_and_owner_of_the_upload_are_those_of_the_file(
        self, driver: Driver, container: str
    ) -> None:
        multi = multipart(driver)
        upload = await multi.multipart_create(
            container, "key", metadata=ALL_METADATA, principal=ALICE
        )
        await put_part(multi, container, upload.upload_id, 1, b"x")
        made = await multi.multipart_complete(
            container,
            "key",
            upload.upload_id,
            [PartRef(1, md5(b"x"))],
            principal=ALICE,
        )
        assert (made.metadata, made.owner) == (ALL_METADATA, ALICE)
        assert same(await head(driver, container, "key"), made)

    async def test_the_checksums_of_the_whole_are_kept_as_given(
        self, driver: Driver, container: str
    ) -> None:
        multi, upload = await begin(driver, container)
        await put_part(multi, container, upload, 1, b"x")
        made = await multi.multipart_complete(
            container,
            "key",
            upload,
            [PartRef(1, md5(b"x"))],
            checksums={"crc32": "abcd-1"},
            checksum_type="COMPOSITE",
        )
        assert made.checksums == {"crc32": "abcd-1"}
        assert made.checksum_type == "COMPOSITE"
        assert same(await head(driver, container, "key"), made)

    async def test_parts_not_named_are_dropped(
        self, driver: Driver, container: str
    ) -> None:
        multi, upload = await begin(driver, container)
        for number in (1, 2, 3):
            await put_part(multi, container, upload, number, b"part %d" % number)
        made = await multi.multipart_complete(
            container, "key", upload, [PartRef(2, md5(b"part 2"))]
        )
        assert (made.etag, made.size) == (etag_of(b"part 2"), 6)
        assert await get(driver, container, "key") == b"part 2"

    async def test_ranges_cross_the_boundaries_of_parts(
        self, driver: Driver, container: str
    ) -> None:
        multi, upload, refs = await _two_parts(driver, container)
        await multi.multipart_complete(container, "key", upload, refs)
        whole, edge = PART + TAIL, len(PART)
        for start, stop in (
            (edge - 1, edge + 1),
            (edge, edge + 1),
            (edge - 1, edge),
            (edge - MIB - 1, edge + 8),
            (0, 1),
            (edge + 7, edge + 8),
        ):
            wanted = ByteRange(start, stop - 1)
            data = await get(driver, container, "key", wanted=wanted)
            assert data == whole[start:stop]
        tail = await get(driver, container, "key", wanted=ByteRange(None, 9))
        assert tail == whole[-9:]

    async def test_a_completed_file_is_copied(
        self, driver: Driver, container: str
    ) -> None:
        multi, upload, refs = await _two_parts(driver, container)
        await multi.multipart_complete(container, "key", upload, refs)
        made = await driver.file_copy(container, "copy", container, "key")
        await driver.file_delete(container, "key")
        assert made.size == len(PART) + len(TAIL)
        assert same(await head(driver, container, "copy"), made)
        assert md5(await get(driver, container, "copy")) == md5(PART + TAIL)

    async def test_a_completed_file_is_no_older_than_its_completion(
        self, driver: Driver, container: str
    ) -> None:
        multi, upload = await begin(driver, container)
        await put_part(multi, container, upload, 1, b"multipart")
        between = await put(driver, container, "key", b"between")
        made = await multi.multipart_complete(
            container, "key", upload, [PartRef(1, md5(b"multipart"))]
        )
        assert made.last_modified >= between.last_modified
        assert await get(driver, container, "key") == b"multipart"
        assert await keys(driver, container) == ["key"]

    async def test_a_reader_keeps_the_completed_file_it_opened(
        self, driver: Driver, container: str
    ) -> None:
        multi, upload, refs = await _two_parts(driver, container)
        await multi.multipart_complete(container, "key", upload, refs)
        async with await driver.file_read(container, "key") as reader:
            await put(driver, container, "key", b"new")
            data = b"".join([piece async for piece in reader])
        assert md5(data) == md5(PART + TAIL)

    async def test_what_cannot_be_completed_leaves_the_upload_as_it_was(
        self, driver: Driver, container: str
    ) -> None:
        multi, upload, refs = await _two_parts(driver, container)
        await put_part(multi, container, upload, 3, b"too small")
        await put(driver, container, "key", b"old")
        first, last = refs
        small = PartRef(3, md5(b"too small"))
        for wrong, error in (
            ([], InvalidArgumentError),
            ([last, first], InvalidPartOrderError),
            ([first, first], InvalidPartOrderError),
            ([first, PartRef(4, first.etag)], InvalidPartError),
            ([first, PartRef(7, first.etag)], InvalidPartError),
            ([first, PartRef(7, "")], InvalidPartError),
            ([small, last], EntityTooSmallError),
            ([first, small, last], EntityTooSmallError),
        ):
            with pytest.raises(error):
                await multi.multipart_complete(container, "key", upload, wrong)
            assert await numbers(multi, container, upload) == [2, 3, 7]
            assert await get(driver, container, "key") == b"old"
        made = await multi.multipart_complete(container, "key", upload, refs)
        assert made.etag == etag_of(PART, TAIL)

    async def test_checksums_of_parts_are_compared_where_the_client_names_them(
        self, driver: Driver, container: str
    ) -> None:
        multi, upload = await begin(driver, container)
        options = CreateOptions(checksums=lambda: {"crc32": "right"})
        await put_part(multi, container, upload, 1, b"x", options)
        wrong = PartRef(1, md5(b"x"), {"crc32": "wrong"})
        with pytest.raises(InvalidPartError):
            await multi.multipart_complete(container, "key", upload, [wrong])
        right = PartRef(1, md5(b"x"), {"crc32": "right"})
        await multi.multipart_complete(container, "key", upload, [right])
        assert await get(driver, container, "key") == b"x"

    async def test_a_completion_has_the_conditions_of_a_write(
        self, driver: Driver, container: str
    ) -> None:
        multi, upload = await begin(driver, container)
        await put_part(multi, container, upload, 1, b"new")
        refs = [PartRef(1, md5(b"new"))]
        with pytest.raises(NoSuchFileError):
            await multi.multipart_complete(
                container, "key", upload, refs, conditions=Conditions(if_match=("*",))
            )
        old = await put(driver, container, "key", b"old")
        for failing in (
            Conditions(if_none_match=("*",)),
            Conditions(if_match=("0" * 32,)),
        ):
            with pytest.raises(PreconditionFailedError):
                await multi.multipart_complete(
                    container, "key", upload, refs, conditions=failing
                )
            assert await get(driver, container, "key") == b"old"
        holding = Conditions(if_match=(old.etag,))
        await multi.multipart_complete(
            container, "key", upload, refs, conditions=holding
        )
        assert await get(driver, container, "key") == b"new"

    async def test_of_concurrent_completions_exactly_one_wins(
        self, driver: Driver, container: str
    ) -> None:
        multi, upload = await begin(driver, container)
        await put_part(multi, container, upload, 1, b"x")
        refs = [PartRef(1, md5(b"x"))]
        results = await outcomes(
            [multi.multipart_complete(container, "key", upload, refs) for _ in range(5)]
        )
        lost = [result for result in results if isinstance(result, NoSuchUploadError)]
        assert len(lost) == 4
        assert await get(driver, container, "key") == b"x"

    async def test_concurrent_conditional_completions_of_one_key_have_one_winner(
        self, driver: Driver, container: str
    ) -> None:
        uploads = []
        for number in range(5):
            multi, upload = await begin(driver, container)
            await put_part(multi, container, upload, 1, b"%d" % number)
            uploads.append(
                multi.multipart_complete(
                    container,
                    "key",
                    upload,
                    [PartRef(1, md5(b"%d" % number))],
                    conditions=Conditions(if_none_match=("*",)),
                )
            )
        results = await asyncio.gather(*uploads, return_exceptions=True)
        lost = [r for r in results if isinstance(r, PreconditionFailedError)]
        assert len(lost) == 4
        [won] = [r for r in results if not isinstance(r, BaseException)]
        assert same(await head(driver, container, "key"), won)
