"""Data files: damage is told, the footer says what they are, syncs come in order."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import struct
import threading
import tracemalloc
import zlib
from pathlib import Path

import pytest

from blob.drivers.fs import _files
from blob.drivers.fs._threads import Threads
from blob.errors import (
    BadDigestError,
    CorruptDataError,
    StorageBusyError,
    StorageFullError,
)
from blob.types import CreateOptions, PartRef

LARGE = os.urandom(3 << 20)


@pytest.fixture
async def driver(open_fs):
    async with open_fs() as driver:
        await driver.container_create("box")
        yield driver


async def test_a_missing_file_is_damage(driver, root, body) -> None:
    await driver.file_create("box", "key", body(LARGE))
    (data,) = root.glob("data/*/*/0")
    data.unlink()
    with pytest.raises(CorruptDataError):
        await driver.file_read("box", "key")
    async with await driver.file_read("box", "key", head=True) as reader:
        assert reader.info.size == len(LARGE)


async def test_a_file_cut_short_is_damage_also_while_it_is_read(
    driver, root, body
) -> None:
    await driver.file_create("box", "key", body(LARGE))
    (data,) = root.glob("data/*/*/0")
    async with await driver.file_read("box", "key") as reader:
        assert await anext(reader) == LARGE[: 1 << 20]
        os.truncate(data, (2 << 20) - 1)
        with pytest.raises(CorruptDataError):
            await anext(reader)
    with pytest.raises(CorruptDataError):
        await driver.file_read("box", "key")


async def test_a_file_that_could_not_be_opened_is_opened_at_the_next_try(
    driver, body, monkeypatch
) -> None:
    upload = await driver.multipart_create("box", "key")
    place = ("box", "key", upload.upload_id)
    parts = [bytes([number]) * (5 << 20) for number in range(2)]
    made = [
        await driver.multipart_put_part(*place, number, body(part))
        for number, part in enumerate(parts, 1)
    ]
    refs = [PartRef(part.number, part.etag) for part in made]
    await driver.multipart_complete(*place, refs)
    opening, failures = driver._store.files.open, 0

    def busy(*args):
        nonlocal failures
        failures += 1
        if failures in (1, 3):
            raise OSError(24, "Too many open files")
        return opening(*args)

    monkeypatch.setattr(driver._store.files, "open", busy)
    pieces, refused = [], 0
    async with await driver.file_read("box", "key") as reader:
        while not pieces or pieces[-1]:
            try:
                pieces.append(await anext(reader, b""))
            except StorageBusyError:
                refused += 1
    assert refused == 2
    assert b"".join(pieces) == b"".join(parts)


async def test_the_footer_tells_what_a_file_is(driver, root, body) -> None:
    await driver.file_create("box", "käy/..\n", body(LARGE))
    upload = await driver.multipart_create("box", "parts")
    await driver.multipart_put_part(
        "box", "parts", upload.upload_id, 3, body(LARGE[:100_000])
    )
    footers = []
    for data in sorted(root.glob("data/*/*/*")):
        raw = data.read_bytes()
        length, crc, magic = struct.unpack("<II8s", raw[-16:])
        text = raw[-16 - length : -16]
        assert (magic, crc) == (b"blobfs1\n", zlib.crc32(text))
        footers.append(json.loads(text))
        payload = raw[: -16 - length]
        assert footers[-1]["size"] == len(payload)
        assert footers[-1]["md5"] == hashlib.md5(payload).hexdigest()
        assert footers[-1]["container"] == "box"
        assert footers[-1]["written_ns"] > 0
    whole, part = footers
    assert whole["key"] == "käy/..\n"
    assert part["key"] == "parts"
    assert (part["upload_id"], part["part"]) == (upload.upload_id, 3)
    assert "part" not in whole


async def test_more_files_than_fit_a_directory(
    driver, root, body, read, monkeypatch
) -> None:
    monkeypatch.setattr(_files, "_PER_DIRECTORY", 2)
    data = [os.urandom(70_000) for _ in range(5)]
    for number, value in enumerate(data):
        await driver.file_create("box", f"k{number}", body(value))
    directories = sorted(path.name for path in root.glob("data/*/*"))
    assert directories == ["0000", "0001", "0002"]
    for number, value in enumerate(data):
        assert await read(driver, "box", f"k{number}") == value


@pytest.mark.parametrize(
    ("durability", "wanted"),
    [
        ("full", ["data", "link", "names", "commit"]),
        ("data", ["data", "link", "commit"]),
        ("none", ["link", "commit"]),
    ],
)
async def test_what_is_synced_before_the_commit(
    durability, wanted, open_fs, body, monkeypatch
) -> None:
    async with open_fs(durability=durability) as driver:
        await driver.container_create("box")
        await driver.file_create("box", "first", body(LARGE))  # makes the directory
        seen = []

        def watch(name: str, call):
            def watched(*args, **kwargs):
                seen.append(name)
                return call(*args, **kwargs)

            return watched

        monkeypatch.setattr(os, "fdatasync", watch("data", os.fdatasync))
        monkeypatch.setattr(os, "fsync", watch("names", os.fsync))
        monkeypatch.setattr(os, "link", watch("link", os.link))
        transact = watch("commit", driver._store.writer._transact)
        monkeypatch.setattr(driver._store.writer, "_transact", transact)
        await driver.file_create("box", "key", body(LARGE))
        assert seen == wanted


@pytest.mark.parametrize("failing", ["writev", "fdatasync", "link", "fsync"])
async def test_a_disk_that_is_full_leaves_the_old_and_no_file(
    failing, driver, body, read, data_files, monkeypatch
) -> None:
    await driver.file_create("box", "key", body(b"old"))
    await driver.file_create("box", "warm", body(LARGE))  # the directory is there

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device", "/secret/path")

    with monkeypatch.context() as patch:
        patch.setattr(os, failing, full)
        with pytest.raises(StorageFullError) as caught:
            await driver.file_create("box", "key", body(LARGE))
    assert "secret" not in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError)
    assert await read(driver, "box", "key") == b"old"
    assert len(data_files()) == 1
    await driver.file_create("box", "key", body(LARGE))
    assert await read(driver, "box", "key") == LARGE


async def test_writes_in_small_bites_end_up_whole(
    driver, body, read, monkeypatch
) -> None:
    real = os.writev
    monkeypatch.setattr(
        os, "writev", lambda fd, pieces: real(fd, [memoryview(pieces[0])[:99_999]])
    )
    await driver.file_create("box", "key", body(LARGE, 70_000))
    assert await read(driver, "box", "key") == LARGE


async def test_a_wrong_digest_leaves_no_file(driver, body, data_files) -> None:
    for data in (b"small", LARGE):
        with pytest.raises(BadDigestError):
            await driver.file_create(
                "box", "key", body(data), options=CreateOptions(content_md5=bytes(16))
            )
    assert data_files() == set()


async def test_a_trailer_that_refuses_leaves_no_file(driver, body, data_files) -> None:
    def refuse():
        raise BadDigestError

    with pytest.raises(BadDigestError):
        await driver.file_create(
            "box", "key", body(LARGE), options=CreateOptions(checksums=refuse)
        )
    assert data_files() == set()


async def test_tiny_pieces_weigh_no_more_than_their_bytes(driver, read) -> None:
    async def tiny():
        for _ in range(50):
            await asyncio.sleep(0)
            for _ in range(1000):
                yield b"ab"

    tracemalloc.start()
    try:
        await driver.file_create("box", "key", tiny())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20  # as objects they would be more than two
    assert await read(driver, "box", "key") == b"ab" * 50_000


def things_open() -> list[str]:
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(str(entry.readlink()))
    return sorted(found)


async def test_no_descriptor_is_left_when_there_are_too_many(
    driver, body, root, monkeypatch
) -> None:
    open_really = os.open

    def opening(path, flags, *args, **kwargs):
        if flags & os.O_DIRECTORY and flags & os.O_TMPFILE != os.O_TMPFILE:
            raise OSError(24, "Too many open files")
        return open_really(path, flags, *args, **kwargs)

    files = driver._store.files
    await asyncio.to_thread(files.make_directory, 0)
    before = await asyncio.to_thread(things_open)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", opening)
        for _ in range(3):
            with pytest.raises(StorageBusyError):
                await driver.file_create("box", "key", body(LARGE))
    assert files._nameless is None  # that is where it failed
    assert await asyncio.to_thread(things_open) == before


async def test_names_are_synced_where_they_are_made_and_where_they_go(
    driver, root, body, monkeypatch, until, data_files
) -> None:
    synced = []
    fsync = os.fsync

    def watched(fd: int) -> None:
        path = Path(f"/proc/self/fd/{fd}").readlink()
        synced.append(path.relative_to(root).parts)
        fsync(fd)

    monkeypatch.setattr(os, "fsync", watched)
    generation = driver._store.generation.name
    await driver.file_create("box", "key", body(LARGE))
    home = ("data", generation)
    assert synced == [("data",), home, (*home, "0000")]
    synced.clear()
    await driver.file_delete("box", "key")
    await until(lambda: not data_files())
    await until(lambda: synced == [(*home, "0000")])


async def test_whoever_is_cancelled_waits_for_its_thread() -> None:
    threads = Threads()
    begun, may_end = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        may_end.wait()

    task = asyncio.create_task(threads.run(work))
    await asyncio.to_thread(begun.wait)
    task.cancel()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    await asyncio.wait([task])
    assert task.cancelled()
    threads.shutdown()


async def test_a_body_is_refused_while_it_arrives_at_a_disk_that_is_nearly_full(
    driver, data_files
) -> None:
    driver._store.room.floor = 1 << 60  # more than any disk has
    sent = 0

    async def endless():
        nonlocal sent
        while True:
            sent += 1 << 20
            yield bytes(1 << 20)

    with pytest.raises(StorageFullError):
        await driver.file_create("box", "key", endless())
    assert sent <= 3 << 20
    assert data_files() == set()
