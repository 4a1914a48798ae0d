"""The memory driver beyond the contract: quotas, shared bytes, listing, hashing."""

from __future__ import annotations

import asyncio
import hashlib
import tracemalloc

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from blob import create_driver
from blob.errors import UsageExceededError
from blob.testing._listing import model
from blob.testing._support import PART, Gate, Pieces, get, keys, md5, pages, put
from blob.types import CopyOptions, CreateOptions, DeleteRequest, PartRef

MIB = 1024 * 1024


def _open(**options):
    return create_driver({"type": "memory", **options})


@pytest_asyncio.fixture
async def small():
    """A driver with room for 100 bytes in 3 files, and a container."""
    async with _open(quota=100, obj_limit=3) as driver:
        await driver.container_create("abc")
        yield driver


async def test_bytes_are_taken_to_the_limit_and_not_beyond(small):
    await put(small, "abc", "one", bytes(60))
    await put(small, "abc", "two", bytes(40))
    with pytest.raises(UsageExceededError):
        await put(small, "abc", "three", b"x")
    assert await keys(small, "abc") == ["one", "two"]
    await put(small, "abc", "empty")
    await small.file_delete("abc", "two")
    await put(small, "abc", "three", bytes(40))


async def test_files_are_taken_to_the_limit_and_not_beyond(small):
    for key in ("one", "two", "three"):
        await put(small, "abc", key, b"x")
    for attempt in (
        lambda: put(small, "abc", "four", b"x"),
        lambda: small.file_copy("abc", "four", "abc", "one"),
    ):
        with pytest.raises(UsageExceededError):
            await attempt()
    await put(small, "abc", "three", b"replaced")
    await small.file_copy("abc", "two", "abc", "three")
    await small.file_delete("abc", "one")
    await put(small, "abc", "four", b"x")


async def test_what_an_overwrite_replaces_is_credited(small):
    await put(small, "abc", "key", bytes(100))
    await put(small, "abc", "key", bytes(99))
    with pytest.raises(UsageExceededError):
        await put(small, "abc", "key", bytes(101))
    await put(small, "abc", "other", b"x")
    with pytest.raises(UsageExceededError):
        await put(small, "abc", "key", bytes(100))
    assert await get(small, "abc", "key") == bytes(99)


async def test_a_quota_spans_containers_and_deleting_many_gives_room(small):
    await small.container_create("other")
    await put(small, "abc", "one", bytes(50))
    await put(small, "other", "one", bytes(50))
    with pytest.raises(UsageExceededError):
        await put(small, "other", "two", b"x")
    await small.file_delete_many("abc", [DeleteRequest("one"), DeleteRequest("one")])
    await put(small, "other", "two", bytes(50))


async def test_what_the_quota_has_no_room_for_is_refused_before_it_is_read(small):
    body = Pieces(b"x")
    with pytest.raises(UsageExceededError):
        await small.file_create(
            "abc", "key", body, options=CreateOptions(content_length=101)
        )
    assert body.asked == 0
    body = Pieces(*[bytes(30)] * 100)
    with pytest.raises(UsageExceededError):
        await small.file_create("abc", "key", body)
    assert body.asked == 4


async def test_concurrent_writers_do_not_exceed_the_quota(small):
    gates = [Gate(), Gate()]
    tasks = [
        asyncio.create_task(
            small.file_create("abc", str(n), Pieces(bytes(60), gate=gate))
        )
        for n, gate in enumerate(gates)
    ]
    for gate in gates:
        await gate.reached.wait()
        gate.open.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(result, UsageExceededError) for result in results) == 1
    assert len(await keys(small, "abc")) == 1


async def test_parts_count_until_they_are_dropped(small):
    upload = (await small.multipart_create("abc", "key")).upload_id
    for size in (60, 70, 60):
        await small.multipart_put_part("abc", "key", upload, 1, Pieces(bytes(size)))
    await small.multipart_put_part("abc", "key", upload, 2, Pieces(bytes(40)))
    for attempt in (
        lambda: small.multipart_put_part("abc", "key", upload, 3, Pieces(b"x")),
        lambda: put(small, "abc", "other", b"x"),
    ):
        with pytest.raises(UsageExceededError):
            await attempt()
    ref = PartRef(2, hashlib.md5(bytes(40)).hexdigest())
    await small.multipart_complete("abc", "key", upload, [ref])
    await put(small, "abc", "other", bytes(60))
    with pytest.raises(UsageExceededError):
        await put(small, "abc", "another", b"x")


async def test_completing_over_the_limit_of_files_keeps_the_upload(small):
    upload = (await small.multipart_create("abc", "key")).upload_id
    part = await small.multipart_put_part("abc", "key", upload, 1, Pieces(b"x"))
    for key in ("one", "two", "three"):
        await put(small, "abc", key, b"x")
    refs = [PartRef(1, part.etag)]
    with pytest.raises(UsageExceededError):
        await small.multipart_complete("abc", "key", upload, refs)
    await small.file_delete("abc", "two")
    await small.multipart_complete("abc", "key", upload, refs)
    assert await keys(small, "abc") == ["key", "one", "three"]


@pytest.mark.parametrize("how", ["abort", "drop the container"])
async def test_the_parts_of_an_upload_that_ends_give_room(small, how):
    await small.container_create("other")
    upload = (await small.multipart_create("other", "key")).upload_id
    await small.multipart_put_part("other", "key", upload, 1, Pieces(bytes(100)))
    with pytest.raises(UsageExceededError):
        await put(small, "abc", "key", b"x")
    if how == "abort":
        await small.multipart_abort("other", "key", upload)
    else:
        await small.container_delete("other")
    await put(small, "abc", "key", bytes(100))


async def test_a_cancelled_upload_takes_no_room(small):
    gate = Gate()
    task = asyncio.create_task(
        small.file_create("abc", "key", Pieces(bytes(100), gate=gate))
    )
    await gate.reached.wait()
    task.cancel()
    await asyncio.wait([task])
    await put(small, "abc", "key", bytes(100))


async def test_no_room_at_all_takes_only_empty_files():
    async with _open(quota=0) as driver:
        await driver.container_create("abc")
        await put(driver, "abc", "empty")
        with pytest.raises(UsageExceededError):
            await put(driver, "abc", "key", b"x")


async def test_it_works_before_ready_is_awaited():
    driver = _open()
    await driver.container_create("abc")
    await put(driver, "abc", "key", b"x")
    assert await keys(driver, "abc") == ["key"]
    await driver.aclose()


async def test_copies_and_completed_files_share_their_bytes():
    async with _open() as driver:
        await driver.container_create("abc")
        pieces = [bytes((n,)) * MIB for n in range(16)]
        tracemalloc.start()
        try:
            await driver.file_create("abc", "key", Pieces(*pieces))
            for number in range(20):
                await driver.file_copy("abc", f"copy {number}", "abc", "key")
            replace = CopyOptions(directive="REPLACE")
            await driver.file_copy("abc", "key", "abc", "key", options=replace)
            upload = (await driver.multipart_create("abc", "big")).upload_id
            refs = []
            for number in (1, 2):
                part = await driver.multipart_copy_part(
                    "abc", "big", upload, number, "abc", "key"
                )
                refs.append(PartRef(number, part.etag))
            made = await driver.multipart_complete("abc", "big", upload, refs)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert made.size == 32 * MIB
        assert peak < MIB


async def test_large_pieces_are_hashed_off_the_event_loop(monkeypatch):
    threads = []
    to_thread = asyncio.to_thread

    async def counting(function, *args):
        threads.append(len(args[0]))
        return await to_thread(function, *args)

    monkeypatch.setattr("asyncio.to_thread", counting)
    async with _open() as driver:
        await driver.container_create("abc")
        await put(driver, "abc", "small", bytes(64 * 1024))
        assert threads == []
        made = await put(driver, "abc", "large", PART[: 2 * MIB + 65 * 1024])
        assert threads == [MIB, MIB, 65 * 1024]
        assert made.etag == md5(PART[: 2 * MIB + 65 * 1024])


async def test_a_listing_with_a_delimiter_does_not_visit_what_it_rolls_up():
    class Counting(list):
        visited = 0

        def __getitem__(self, index):
            self.visited += 1
            return super().__getitem__(index)

    async with _open() as driver:
        await driver.container_create("abc")
        await put(driver, "abc", "source", b"x")
        for group in range(5):
            for number in range(500):
                await driver.file_copy("abc", f"{group}/{number}", "abc", "source")
        container = driver._store.containers["abc"]
        container.keys = Counting(container.keys)
        page = await driver.file_list("abc", delimiter="/")
        assert list(page.prefixes) == [f"{group}/" for group in range(5)]
        assert container.keys.visited < 150


_keys = st.text(alphabet="ab/-é\U00010000\ue000", min_size=1, max_size=6)


@settings(max_examples=150, deadline=None)
@given(
    names=st.sets(_keys, max_size=25),
    prefix=st.text(alphabet="ab/é", max_size=3),
    marker=st.text(alphabet="ab/é\ue000", max_size=4),
    delimiter=st.sampled_from(["", "/", "a", "-", "/a", "é", "ab"]),
)
def test_pages_of_every_size_are_what_a_naive_model_lists(
    names, prefix, marker, delimiter
):
    async def check():
        async with _open() as driver:
            await driver.container_create("abc")
            for name in names:
                await put(driver, "abc", name)
            expected = model(names, prefix, marker, delimiter)
            for size in (1, 2, 3, len(names) + 1):
                files, prefixes = await pages(
                    driver,
                    "abc",
                    prefix=prefix,
                    marker=marker,
                    delimiter=delimiter,
                    max_keys=size,
                )
                assert ([file.key for file in files], prefixes) == expected

    asyncio.run(check())
