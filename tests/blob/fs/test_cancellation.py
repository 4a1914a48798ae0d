"""Cancelled at every wait, a write leaks neither file nor row nor usage."""

from __future__ import annotations

import asyncio

import pytest

from blob.errors import NoSuchContainerError
from blob.testing._support import Pieces, cancelled_at
from blob.types import PartRef

STEPS = 100
SIZES = {
    "inline": [b"x" * 1000],
    "file": [b"x" * 50_000] * 3,
    "batches": [b"x" * 700_000] * 5,
}
PART = bytes(5 * 1024 * 1024)


async def cancel_everywhere(make_call) -> int:
    for step in range(STEPS):
        if not await cancelled_at(step, make_call()):
            return step
    pytest.fail("the call never ends")


@pytest.mark.parametrize("size", SIZES)
async def test_a_create(size, open_fs, audit) -> None:
    async with open_fs() as driver:
        await driver.container_create("box")
        waits = await cancel_everywhere(
            lambda: driver.file_create("box", "key", Pieces(*SIZES[size]))
        )
        assert waits > len(SIZES[size])
        async with await driver.file_read("box", "key") as reader:
            assert b"".join([p async for p in reader]) == b"".join(SIZES[size])
    audit()


@pytest.mark.parametrize("size", SIZES)
async def test_a_part(size, open_fs, audit) -> None:
    async with open_fs() as driver:
        await driver.container_create("box")
        upload = await driver.multipart_create("box", "key")
        await cancel_everywhere(
            lambda: driver.multipart_put_part(
                "box", "key", upload.upload_id, 1, Pieces(*SIZES[size])
            )
        )
    audit()


async def test_a_part_copied_from_a_file_of_parts(open_fs, audit) -> None:
    async with open_fs() as driver:
        await driver.container_create("box")
        await _completed(driver)()
        upload = await driver.multipart_create("box", "copy")
        await cancel_everywhere(
            lambda: driver.multipart_copy_part(
                "box", "copy", upload.upload_id, 1, "box", "key"
            )
        )
    audit()


def _completed(driver):
    """Return a call that makes a file of two parts."""

    async def call() -> None:
        upload = await driver.multipart_create("box", "key")
        place = ("box", "key", upload.upload_id)
        one = await driver.multipart_put_part(*place, 1, Pieces(PART))
        two = await driver.multipart_put_part(*place, 2, Pieces(b"x" * 70_000))
        refs = [PartRef(1, one.etag), PartRef(2, two.etag)]
        await driver.multipart_complete(*place, refs)

    return call


async def test_an_upload_from_its_begin_to_its_completion(open_fs, audit) -> None:
    async with open_fs() as driver:
        await driver.container_create("box")
        await cancel_everywhere(_completed(driver))
        for upload in (await driver.multipart_list("box")).uploads:
            await driver.multipart_abort("box", "key", upload.upload_id)
    audit()


async def test_a_read_of_many_files(open_fs, until, data_files, audit) -> None:
    async with open_fs() as driver:
        await driver.container_create("box")
        await _completed(driver)()

        async def read() -> None:
            async with await driver.file_read("box", "key") as reader:
                async for _ in reader:
                    pass

        await cancel_everywhere(read)
        assert driver._store.generation._held == {}
        await driver.file_delete("box", "key")
        await until(lambda: not data_files())
    audit()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("again", [False, True])
async def test_a_container_deleted_during_an_upload(
    size, again, open_fs, audit, data_files
) -> None:
    async with open_fs() as driver:
        await driver.container_create("box")
        at_end, may_end = asyncio.Event(), asyncio.Event()

        async def body():
            for piece in SIZES[size]:
                yield piece
            at_end.set()
            await may_end.wait()

        writing = asyncio.create_task(driver.file_create("box", "key", body()))
        await at_end.wait()
        await driver.container_delete("box")
        if again:
            await driver.container_create("box")
        may_end.set()
        with pytest.raises(NoSuchContainerError):
            await writing
        if again:
            assert (await driver.file_list("box")).files == []
    assert data_files() == set()
    audit()


async def test_a_container_deleted_during_a_part(open_fs, audit, data_files) -> None:
    async with open_fs() as driver:
        await driver.container_create("box")
        upload = await driver.multipart_create("box", "key")
        place = ("box", "key", upload.upload_id)
        await driver.multipart_put_part(*place, 1, Pieces(bytes(100_000)))

        async def body():
            yield bytes(100_000)
            await driver.container_delete("box")

        with pytest.raises(NoSuchContainerError):
            await driver.multipart_put_part(*place, 2, body())
    assert data_files() == set()
    audit()
