"""The quota of the whole store: exact, checked in the commit, early where it can be."""

from __future__ import annotations

import asyncio

import pytest

from blob.errors import UsageExceededError
from blob.types import CreateOptions, PartRef


async def unread():
    pytest.fail("the body was read")
    yield b""


async def test_bytes_are_counted_exactly_and_overwrites_credited(
    open_fs, body, audit
) -> None:
    async with open_fs(quota=100_000) as driver:
        await driver.container_create("box")
        await driver.file_create("box", "a", body(bytes(90_000)))
        await driver.file_create("box", "b", body(bytes(10_000)))
        with pytest.raises(UsageExceededError):
            await driver.file_create("box", "c", body(bytes(1)))
        await driver.file_create("box", "c", body(b""))
        with pytest.raises(UsageExceededError):
            await driver.file_create("box", "a", body(bytes(90_001)))
        await driver.file_create("box", "a", body(bytes(80_000)))
        await driver.file_copy("box", "d", "box", "b")
        with pytest.raises(UsageExceededError):
            await driver.file_copy("box", "e", "box", "b")
        await driver.file_delete("box", "d")
        await driver.file_copy("box", "e", "box", "b")
    audit()


async def test_a_known_length_is_refused_before_the_body_is_read(open_fs, body) -> None:
    async with open_fs(quota=1000, obj_limit=2) as driver:
        await driver.container_create("box")
        await driver.file_create("box", "a", body(bytes(600)))
        options = CreateOptions(content_length=500)
        with pytest.raises(UsageExceededError):
            await driver.file_create("box", "b", unread(), options=options)
        await driver.file_create("box", "a", body(bytes(500)), options=options)
        upload = await driver.multipart_create("box", "b")
        place = ("box", "b", upload.upload_id)
        options = CreateOptions(content_length=501)
        with pytest.raises(UsageExceededError):
            await driver.multipart_put_part(*place, 1, unread(), options=options)
        await driver.file_create("box", "b", body(b""))
        empty = CreateOptions(content_length=0)
        with pytest.raises(UsageExceededError):
            await driver.file_create("box", "c", unread(), options=empty)


async def test_files_are_counted_not_their_bytes(open_fs, body, audit) -> None:
    async with open_fs(obj_limit=2) as driver:
        await driver.container_create("box")
        await driver.file_create("box", "a", body(b""))
        await driver.file_create("box", "b", body(b""))
        await driver.file_create("box", "b", body(bytes(100_000)))
        with pytest.raises(UsageExceededError):
            await driver.file_create("box", "c", body(bytes(100_000)))
        await driver.file_delete("box", "a")
        await driver.file_create("box", "c", body(b""))
    audit()


async def test_parts_of_uploads_count_until_they_are_dropped(
    open_fs, body, audit
) -> None:
    async with open_fs(quota=100_000) as driver:
        await driver.container_create("box")
        upload = await driver.multipart_create("box", "key")
        place = ("box", "key", upload.upload_id)
        part = await driver.multipart_put_part(*place, 1, body(bytes(70_000)))
        await driver.multipart_put_part(*place, 2, body(bytes(30_000)))
        with pytest.raises(UsageExceededError):
            await driver.file_create("box", "other", body(bytes(1)))
        # Completion frees the part it drops, and takes no room for the file itself.
        await driver.multipart_complete(*place, [PartRef(1, part.etag)])
        await driver.file_create("box", "other", body(bytes(30_000)))
        with pytest.raises(UsageExceededError):
            await driver.file_create("box", "more", body(bytes(1)))
        await driver.file_delete("box", "key")
        upload = await driver.multipart_create("box", "key")
        place = ("box", "key", upload.upload_id)
        await driver.multipart_put_part(*place, 1, body(bytes(70_000)))
        await driver.multipart_abort(*place)
        await driver.file_create("box", "more", body(bytes(70_000)))
    audit()


async def test_writers_at_the_same_time_do_not_pass_it_together(
    open_fs, body, audit, data_files
) -> None:
    async with open_fs(quota=500_000) as driver:
        await driver.container_create("box")
        calls = [
            driver.file_create("box", f"k{number}", body(bytes(100_000)))
            for number in range(20)
        ]
        results = await asyncio.gather(*calls, return_exceptions=True)
        refused = [one for one in results if isinstance(one, UsageExceededError)]
        assert len(refused) == 15
    assert len(data_files()) == 5
    audit()
