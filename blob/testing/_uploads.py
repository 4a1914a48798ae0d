"""Multipart uploads: begun, listed, aborted, dropped with their container."""

# ruff: noqa: S101 - these are tests: they assert

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from ..errors import (
    InvalidArgumentError,
    InvalidKeyError,
    NoSuchContainerError,
    NoSuchUploadError,
)
from ..types import PartRef
from ._creating import ALL_METADATA
from ._keys import BAD_KEYS, ODD_KEYS
from ._listing import model
from ._parts import begin, put_part
from ._support import ALICE, PART, Contract, get, keys, md5, multipart, put

if TYPE_CHECKING:
    from ..driver import Driver, MultipartDriver
    from ..types import Upload


async def _pages(
    driver: MultipartDriver,
    container: str,
    prefix: str,
    delimiter: str,
    max_uploads: int,
) -> tuple[list[Upload], list[str]]:
    """List page by page to the end."""
    uploads: list[Upload] = []
    prefixes: list[str] = []
    key_marker = upload_id_marker = ""
    while True:
        page = await driver.multipart_list(
            container,
            prefix=prefix,
            delimiter=delimiter,
            key_marker=key_marker,
            upload_id_marker=upload_id_marker,
            max_uploads=max_uploads,
        )
        assert len(page.uploads) + len(page.prefixes) <= max_uploads
        assert page.is_truncated == (page.next_key_marker is not None)
        uploads += page.uploads
        prefixes += page.prefixes
        if page.next_key_marker is None:
            return uploads, prefixes
        key_marker = page.next_key_marker
        upload_id_marker = page.next_upload_id_marker or ""


class UploadsContract(Contract):
    """Beginning, listing and aborting uploads."""

    async def test_pages_of_uploads_that_cannot_be_are_refused_or_cut(
        self, driver: Driver, container: str
    ) -> None:
        multi = multipart(driver)
        await multi.multipart_create(container, "key")
        for wrong in (-1, -2):
            with pytest.raises(InvalidArgumentError):
                await multi.multipart_list(container, max_uploads=wrong)
        for many in (0, 2**63, 2**70):
            page = await multi.multipart_list(container, max_uploads=many)
            assert len(page.uploads) == (1 if many else 0)
            assert not page.is_truncated

    async def test_an_upload_is_described_as_it_was_begun(
        self, driver: Driver, container: str
    ) -> None:
        multi = multipart(driver)
        before = datetime.now(UTC)
        upload = await multi.multipart_create(
            container,
            "key",
            metadata=ALL_METADATA,
            checksum_algorithm="crc64nvme",
            checksum_type="FULL_OBJECT",
            principal=ALICE,
        )
        assert (upload.container, upload.key) == (container, "key")
        assert (upload.metadata, upload.owner) == (ALL_METADATA, ALICE)
        assert upload.checksum_algorithm == "crc64nvme"
        assert upload.checksum_type == "FULL_OBJECT"
        assert upload.initiated.utcoffset() == timedelta(0)
        assert abs(upload.initiated - before) < timedelta(minutes=1)
        listing = await multi.multipart_list_parts(container, "key", upload.upload_id)
        assert listing.upload == upload
        assert list(listing.parts) == []
        assert list((await multi.multipart_list(container)).uploads) == [upload]

    async def test_uploads_of_one_key_are_apart(
        self, driver: Driver, container: str
    ) -> None:
        multi, first = await begin(driver, container)
        _, second = await begin(driver, container)
        assert first != second
        await put_part(multi, container, first, 1, b"first")
        await put_part(multi, container, second, 1, b"second")
        await multi.multipart_complete(
            container, "key", second, [PartRef(1, md5(b"second"))]
        )
        assert await get(driver, container, "key") == b"second"
        await multi.multipart_complete(
            container, "key", first, [PartRef(1, md5(b"first"))]
        )
        assert await get(driver, container, "key") == b"first"

    async def test_an_aborted_upload_is_gone_and_the_file_stays(
        self, driver: Driver, container: str
    ) -> None:
        await put(driver, container, "key", b"old")
        multi, upload = await begin(driver, container)
        await put_part(multi, container, upload, 1, PART[:200_000])
        await multi.multipart_abort(container, "key", upload)
        with pytest.raises(NoSuchUploadError):
            await multi.multipart_abort(container, "key", upload)
        with pytest.raises(NoSuchUploadError):
            await put_part(multi, container, upload, 2, b"x")
        assert list((await multi.multipart_list(container)).uploads) == []
        assert await get(driver, container, "key") == b"old"

    async def test_a_container_is_deleted_with_its_unfinished_uploads(
        self, driver: Driver, container: str
    ) -> None:
        multi, upload = await begin(driver, container)
        await put_part(multi, container, upload, 1, b"x")
        await driver.container_delete(container)
        await driver.container_create(container)
        assert list((await multi.multipart_list(container)).uploads) == []
        with pytest.raises(NoSuchUploadError):
            await multi.multipart_list_parts(container, "key", upload)
        assert await keys(driver, container) == []

    async def test_a_missing_container_has_no_uploads(self, driver: Driver) -> None:
        multi = multipart(driver)
        with pytest.raises(NoSuchContainerError):
            await multi.multipart_create("missing", "key")
        with pytest.raises(NoSuchContainerError):
            await multi.multipart_list("missing")

    @pytest.mark.parametrize("key", BAD_KEYS)
    async def test_an_upload_of_a_bad_key_is_refused(
        self, driver: Driver, container: str, key: str
    ) -> None:
        multi = multipart(driver)
        with pytest.raises(InvalidKeyError):
            await multi.multipart_create(container, key)
        assert list((await multi.multipart_list(container)).uploads) == []

    async def test_any_key_is_uploaded_in_parts(
        self, driver: Driver, container: str
    ) -> None:
        multi = multipart(driver)
        for key in ODD_KEYS:
            upload = (await multi.multipart_create(container, key)).upload_id
            part = await multi.multipart_put_part(
                container, key, upload, 1, _Once(key.encode())
            )
            await multi.multipart_complete(
                container, key, upload, [PartRef(1, part.etag)]
            )
            assert await get(driver, container, key) == key.encode()
        assert await keys(driver, container) == sorted(ODD_KEYS, key=str.encode)

    async def test_uploads_are_listed_by_key_then_by_initiation_page_by_page(
        self, driver: Driver, container: str
    ) -> None:
        multi = multipart(driver)
        names = ["b", "a/2", "a", "a", "é", "a/1", "a", "\U0001f600", "a/1", "\uffff"]
        begun = [await multi.multipart_create(container, name) for name in names]
        expected = sorted(begun, key=lambda upload: upload.key.encode())
        for size in (1, 2, 3, 10, 1000):
            for prefix in ("", "a", "a/", "none"):
                uploads, prefixes = await _pages(multi, container, prefix, "", size)
                assert [upload.upload_id for upload in uploads] == [
                    upload.upload_id
                    for upload in expected
                    if upload.key.startswith(prefix)
                ]
                assert prefixes == []

    async def test_uploads_are_rolled_up_at_a_delimiter(
        self, driver: Driver, container: str
    ) -> None:
        multi = multipart(driver)
        names = ["a/1", "a/2", "b", "c/d/e", "c/f", "é/x"]
        for name in names:
            await multi.multipart_create(container, name)
        for size in (1, 2, 1000):
            for prefix in ("", "a/", "c/", "b"):
                uploads, prefixes = await _pages(multi, container, prefix, "/", size)
                found = ([upload.key for upload in uploads], prefixes)
                assert found == model(names, prefix, "", "/")


class _Once:
    """A body of one piece that never gives way."""

    def __init__(self, piece: bytes) -> None:
        self._left = [piece]

    def __aiter__(self) -> _Once:
        return self

    async def __anext__(self) -> bytes:
        if self._left:
            return self._left.pop()
        raise StopAsyncIteration
