"""The quota of the whole store: exact, checked in the commit, early where it can be."""

from __future__ import annotations

import asyncio

import pytest

from blob.errors import UsageExceededError
from blob.testing._support import Gate, Pieces
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


class Endless:
    """A body of unknown length; `sent` counts its bytes."""

    def __init__(self) -> None:
        self.sent = 0

    def __aiter__(self):
        return self

    async def __anext__(self) -> bytes:
        self.sent += 50_000
        return bytes(50_000)


async def test_a_body_of_unknown_length_is_refused_as_it_arrives(
    open_fs, body, audit
) -> None:
    async with open_fs(quota=1_000_000) as driver:
        await driver.container_create("box")
        await driver.file_create("box", "a", body(bytes(300_000)))
        upload = await driver.multipart_create("box", "b")
        place = ("box", "b", upload.upload_id)
        await driver.multipart_put_part(*place, 1, body(bytes(100_000)))
        for call, room in (
            (lambda body: driver.file_create("box", "b", body), 600_000),
            (lambda body: driver.file_create("box", "a", body), 900_000),
            (lambda body: driver.multipart_put_part(*place, 1, body), 700_000),
            (lambda body: driver.multipart_put_part(*place, 2, body), 600_000),
        ):
            endless = Endless()
            with pytest.raises(UsageExceededError):
                await call(endless)
            assert endless.sent == room + 50_000
        await driver.multipart_abort(*place)
        assert driver._store.account._arriving == 0
    audit()


@pytest.mark.parametrize("ends", ["by an error", "cancelled"])
async def test_bodies_on_their_way_count_until_they_end(open_fs, body, ends) -> None:
    async with open_fs(quota=100_000) as driver:
        await driver.container_create("box")
        gate = Gate()
        error = RuntimeError("the client left") if ends == "by an error" else None
        pieces = Pieces(bytes(60_000), gate=gate, error=error)
        task = asyncio.create_task(driver.file_create("box", "a", pieces))
        await gate.reached.wait()
        endless = Endless()
        with pytest.raises(UsageExceededError):
            await driver.file_create("box", "b", endless)
        assert endless.sent == 50_000
        if error is None:
            task.cancel()
        gate.open.set()
        await asyncio.wait([task])
        assert task.cancelled() if error is None else task.exception() is error
        await driver.file_create("box", "b", body(bytes(100_000), 50_000))
        assert driver._store.account._arriving == 0


async def test_overwrites_at_the_same_time_are_credited_each(open_fs) -> None:
    async with open_fs(quota=100_000) as driver:
        await driver.container_create("box")
        await driver.file_create("box", "a", Pieces(bytes(95_000)))
        await asyncio.gather(
            *(driver.file_create("box", "a", Pieces(bytes(95_000))) for _ in range(2))
        )


async def test_what_another_process_freed_meanwhile_is_room(open_fs, body) -> None:
    async with open_fs(quota=100_000) as driver, open_fs() as other:
        await driver.container_create("box")
        await driver.file_create("box", "a", body(bytes(90_000)))

        async def freeing():
            await other.file_delete("box", "a")
            yield bytes(90_000)

        await driver.file_create("box", "b", freeing())


async def test_a_part_in_the_place_of_another_needs_only_the_difference(
    open_fs, body
) -> None:
    async with open_fs(quota=100_000) as driver:
        await driver.container_create("box")
        upload = await driver.multipart_create("box", "b")
        place = ("box", "b", upload.upload_id)
        options = CreateOptions(content_length=90_000)
        for _ in range(2):
            await driver.multipart_put_part(
                *place, 1, body(bytes(90_000)), options=options
            )
