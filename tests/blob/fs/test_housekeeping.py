"""When data files go: doomed ones after their readers, orphans of the dead, no more."""

from __future__ import annotations

import asyncio
import fcntl
import sqlite3
from contextlib import closing

import pytest

from blob.drivers.fs import _housekeeper, _schema
from blob.drivers.fs._generation import IDLE, Generation, is_alive, oldest_reader
from blob.drivers.fs._index_reader import Snapshot
from blob.types import PartRef

PART = bytes(5 * 1024 * 1024)
LARGE = b"large" * 20_000


async def upload(driver, body, key: str, *parts: bytes) -> None:
    begun = await driver.multipart_create("box", key)
    refs = []
    for number, data in enumerate(parts, 1):
        part = await driver.multipart_put_part(
            "box", key, begun.upload_id, number, body(data)
        )
        refs.append(PartRef(number, part.etag))
    await driver.multipart_complete("box", key, begun.upload_id, refs)


async def swept(driver) -> None:
    await asyncio.to_thread(driver._store.housekeeper.swept.wait)


async def test_replaced_and_deleted_files_go(
    open_fs, body, data_files, until, audit
) -> None:
    async with open_fs() as driver:
        await driver.container_create("box")
        await driver.file_create("box", "a", body(LARGE))
        await driver.file_create("box", "a", body(LARGE))
        await until(lambda: len(data_files()) == 1)
        await driver.file_copy("box", "b", "box", "a")
        await driver.file_delete("box", "a")
        await driver.file_delete("box", "b")
        await until(lambda: not data_files())
    audit()


@pytest.mark.parametrize("reads_in", ["this process", "another process"])
async def test_a_reader_of_many_files_keeps_them(
    reads_in, open_fs, body, data_files, until, audit
) -> None:
    async with open_fs() as driver, open_fs() as other:
        await driver.container_create("box")
        await upload(driver, body, "key", PART, LARGE)
        reading = driver if reads_in == "this process" else other
        async with await reading.file_read("box", "key") as reader:
            pieces = [await anext(reader)]
            await driver.file_delete("box", "key")
            # Its commit was seen, and a later one made, while the files stay.
            await driver.container_create("later")
            await asyncio.to_thread(driver._store.writer.flush)
            assert len(data_files()) == 2
            pieces += [piece async for piece in reader]
        assert b"".join(pieces) == PART + LARGE
        await until(lambda: not data_files())
    audit()


async def test_a_reader_of_one_file_does_not_keep_its_name(
    open_fs, body, data_files, until
) -> None:
    async with open_fs() as driver:
        await driver.container_create("box")
        await driver.file_create("box", "key", body(LARGE))
        async with await driver.file_read("box", "key") as reader:
            await driver.file_delete("box", "key")
            await until(lambda: not data_files())
            assert b"".join([piece async for piece in reader]) == LARGE


async def test_what_a_dead_process_was_reading_keeps_nothing(
    open_fs, root, body, data_files, until
) -> None:
    async with open_fs() as driver:
        await driver.container_create("box")
        await driver.file_create("box", "key", body(LARGE))
        # As a process leaves it that is killed while it reads: old, and not locked.
        (root / "processes" / "dead").write_bytes(bytes(8))
        await driver.file_delete("box", "key")
        await until(lambda: not data_files())


def leave_dead(root, state: str = "live") -> str:
    """Make a generation whose process is gone, with one orphan and one draft."""
    name = "dead" * 4
    with closing(sqlite3.connect(root / "index.db")) as db, db:
        db.execute("INSERT INTO generations(name, state) VALUES (?, ?)", (name, state))
    directory = root / "data" / name / "0000"
    directory.mkdir(parents=True)
    (directory / "7").write_bytes(LARGE)
    (directory / "8.draft").write_bytes(LARGE)
    (root / "processes" / name).write_bytes(bytes(8))
    return name


async def test_orphans_of_the_dead_are_swept_once(open_fs, root, audit) -> None:
    async with open_fs() as driver:
        await driver.container_create("box")
    name = leave_dead(root)
    async with open_fs() as driver:
        await swept(driver)
        assert not (root / "data" / name).exists()
        assert not (root / "processes" / name).exists()
    audit()


async def test_a_dead_generation_keeps_what_is_referenced(
    open_fs, root, body, read, audit
) -> None:
    async with open_fs() as driver:
        await driver.container_create("box")
        await driver.file_create("box", "key", body(LARGE))
    with closing(sqlite3.connect(root / "index.db")) as db, db:
        db.execute("UPDATE generations SET state = 'live'")
    (data,) = (root / "data").glob("*/*/0")
    orphan = data.with_name("1")
    orphan.write_bytes(LARGE)
    async with open_fs() as driver:
        await swept(driver)
        assert not orphan.exists()
        assert await read(driver, "box", "key") == LARGE
        await driver.file_delete("box", "key")
    audit()


async def test_a_living_generation_is_never_swept(open_fs, root, body) -> None:
    async with open_fs() as living:
        await living.container_create("box")
        await living.file_create("box", "key", body(LARGE))
        (data,) = (root / "data").glob("*/*/0")
        about_to_be_referenced = data.with_name("1")
        about_to_be_referenced.write_bytes(LARGE)
        async with open_fs() as other:
            await swept(other)
        assert about_to_be_referenced.exists()


async def test_a_generation_closed_in_order_is_not_searched(
    open_fs, root, body
) -> None:
    async with open_fs() as driver:
        await driver.container_create("box")
        await driver.file_create("box", "key", body(LARGE))
    (data,) = (root / "data").glob("*/*/0")
    stranger = data.with_name("1")
    stranger.write_bytes(LARGE)
    async with open_fs() as driver:
        await swept(driver)
        assert stranger.exists()


async def test_generations_that_hold_nothing_leave_no_trace(open_fs, root) -> None:
    for _ in range(3):
        async with open_fs() as driver:
            await driver.container_list()
    with closing(sqlite3.connect(root / "index.db")) as db:
        assert db.execute("SELECT * FROM generations").fetchall() == []
    assert list((root / "data").iterdir()) == []


async def test_without_nameless_files_a_draft_has_a_name(
    open_fs, body, read, data_files
) -> None:
    async with open_fs() as driver:
        driver._store.files._nameless = False
        await driver.container_create("box")

        async def looking():
            yield bytes(1 << 20)
            yield bytes(1 << 20)
            (name,) = await asyncio.to_thread(data_files)
            assert name.endswith("/0.draft")
            yield LARGE

        await driver.file_create("box", "key", looking())
        (name,) = data_files()
        assert name.endswith("/0")
        assert await read(driver, "box", "key") == bytes(2 << 20) + LARGE

        async def failing():
            yield bytes(1 << 20)
            yield bytes(1 << 20)
            raise RuntimeError("the client left")

        with pytest.raises(RuntimeError, match="the client left"):
            await driver.file_create("box", "key", failing())
        assert len(data_files()) == 1


@pytest.mark.parametrize("when", ["after a while", "when it closes"])
async def test_what_a_closed_process_doomed_goes_with_a_living_one(
    when, open_fs, body, data_files, until, monkeypatch, audit
) -> None:
    if when == "after a while":
        monkeypatch.setattr(_housekeeper, "_LOOK_SECONDS", 0.02)
    async with open_fs() as living:
        async with open_fs() as driver:
            await driver.container_create("box")
            await upload(driver, body, "key", PART, LARGE)
            reader = await living.file_read("box", "key")
            await driver.file_delete("box", "key")
        assert len(data_files()) == 2
        await reader.aclose()
        if when == "after a while":
            await until(lambda: not data_files())
    assert not data_files()
    audit()


async def test_a_disk_that_fails_is_tried_less_and_less(
    open_fs, body, data_files, until, monkeypatch, caplog
) -> None:
    monkeypatch.setattr(_housekeeper, "_POLL_SECONDS", 0.001)
    async with open_fs() as driver:
        await driver.container_create("box")
        await driver.file_create("box", "key", body(LARGE))
        with monkeypatch.context() as patch:

            def broken(*_):
                raise OSError(5, "Input/output error")

            patch.setattr(driver._store.files, "unlink", broken)
            keeper = driver._store.housekeeper
            await driver.file_delete("box", "key")
            await until(lambda: keeper._pause >= 0.016)
        assert len(caplog.records) <= 6
        await until(lambda: not data_files())
        await until(lambda: keeper._pause == 0.001)


def test_what_a_reader_holds_is_seen_by_other_processes(tmp_path) -> None:
    one, other = Generation(tmp_path), Generation(tmp_path)

    def seen() -> int:
        return oldest_reader(tmp_path, needed=IDLE, but=other.name)

    assert seen() == IDLE
    tokens = [one.hold(7), one.hold(5)]
    assert seen() == 5
    one.release(tokens[1])
    assert seen() == 7
    one.release(tokens[0])
    assert seen() == IDLE
    for generation in (one, other):
        generation.close()


def test_two_who_ask_do_not_take_each_other_for_the_dead(tmp_path) -> None:
    (tmp_path / "dead").write_bytes(bytes(8))
    with (tmp_path / "dead").open("rb") as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)
        assert not is_alive(tmp_path, "dead")


def test_a_sweep_leaves_what_a_reader_may_still_see() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        _schema.create_tables(db)
        db.execute("INSERT INTO pieces VALUES (1, 0, 9, 3, 4, NULL)")
        db.execute("INSERT INTO doomed VALUES (3, 5, 77), (2, 6, 77)")
        snapshot = Snapshot(db, 77, None)
        assert _housekeeper._referenced(snapshot, 3, 0, 9) == {4, 5}
