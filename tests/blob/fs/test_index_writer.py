"""Group commit: what shares a commit, what is taken back, and what a failure leaves."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import sys
import threading
from contextlib import asynccontextmanager, closing, nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from blob.drivers.fs import _index_writer, _schema
from blob.drivers.fs._room import Room
from blob.errors import (
    OutcomeUnknownError,
    PreconditionFailedError,
    StorageError,
    StorageFullError,
)
from blob.types import Conditions, CreateOptions, PartRef

READING = Path(__file__).with_name("reading_process.py")
SMALL = b"small" * 100
LARGE = b"large" * 20_000
ONLY_NEW = CreateOptions(conditions=Conditions(if_none_match=("*",)))


class BrokenCommit:
    """A connection of which a statement fails as told, so many times."""

    def __init__(self, db, code: int, *, times: int = 1, sql: str = "COMMIT") -> None:
        self._db = db
        self._code = code
        self._times = times
        self._sql = sql

    def __getattr__(self, name):
        return getattr(self._db, name)

    def execute(self, sql, *values):
        if sql.startswith(self._sql) and self._times:
            self._times -= 1
            error = sqlite3.OperationalError("broken on purpose")
            error.sqlite_errorcode = self._code
            raise error
        return self._db.execute(sql, *values)


async def queued(driver, count: int) -> None:
    """Wait until so many changes wait for the writer."""
    async with asyncio.timeout(10):
        while driver._store.writer._queue.qsize() < count:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.001)


@pytest.fixture
async def driver(open_fs):
    async with open_fs() as driver:
        await driver.container_create("box")
        yield driver


@asynccontextmanager
async def busy(driver):
    """Keep the writer in a commit, so that its queue grows."""
    begun, may_end = threading.Event(), threading.Event()

    def change(txn) -> None:
        begun.set()
        may_end.wait()

    done = driver._store.writer.submit(change)
    await asyncio.to_thread(begun.wait)
    try:
        yield
    finally:
        may_end.set()
        await done


async def test_changes_that_wait_together_share_a_commit(driver, body) -> None:
    before = driver._store.writer.groups
    async with asyncio.TaskGroup() as group, busy(driver):
        for number in range(50):
            group.create_task(driver.file_create("box", f"k{number}", body(SMALL)))
        await queued(driver, 50)
    assert driver._store.writer.groups - before == 2
    assert len((await driver.file_list("box")).files) == 50


async def test_no_group_is_committed_while_another_holds_the_lock(
    driver, locked, body
) -> None:
    async with locked():
        before = driver._store.writer.groups
        writing = asyncio.create_task(driver.file_create("box", "key", body(SMALL)))
        assert (await driver.file_list("box")).files == []  # reading goes on
        done, _ = await asyncio.wait([writing], timeout=0.1)
        assert not done
        assert driver._store.writer.groups == before
    await writing


async def test_a_change_that_fails_is_taken_back_alone(driver, body, read) -> None:
    await driver.file_create("box", "taken", body(SMALL))
    async with busy(driver):
        calls = [
            driver.file_create("box", "first", body(SMALL)),
            driver.file_create("box", "taken", body(LARGE), options=ONLY_NEW),
            driver.file_create("box", "last", body(LARGE)),
        ]
        tasks = [asyncio.create_task(call) for call in calls]
        await queued(driver, 3)
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(done[1], PreconditionFailedError)
    assert [await read(driver, "box", key) for key in ("first", "taken", "last")] == [
        *(SMALL, SMALL, LARGE)
    ]


async def test_what_a_failed_change_had_done_is_undone(
    driver, body, read, audit, data_files
) -> None:
    await driver.file_create("box", "old", body(LARGE))
    writer = driver._store.writer

    def delete_then_fail(txn) -> None:
        txn.charge(-len(LARGE), -1)
        txn.release_content(txn.row("SELECT content FROM objects", ())[0])
        txn.db.execute("DELETE FROM objects")
        raise PreconditionFailedError

    async with busy(driver):
        failing = writer.submit(delete_then_fail)
        putting = asyncio.create_task(driver.file_create("box", "new", body(LARGE)))
        await queued(driver, 2)
    with pytest.raises(PreconditionFailedError):
        await failing
    await putting
    assert await read(driver, "box", "old") == await read(driver, "box", "new")
    await driver.aclose()
    assert len(data_files()) == 2
    audit()


async def test_a_put_cancelled_in_the_queue_is_taken_back_with_its_file(
    driver, body, data_files, until
) -> None:
    async with busy(driver):
        putting = asyncio.create_task(driver.file_create("box", "key", body(LARGE)))
        await queued(driver, 1)
        assert len(data_files()) == 1
        putting.cancel()
        await asyncio.wait([putting])
    await until(lambda: not data_files())
    assert (await driver.file_list("box")).files == []


async def test_a_put_cancelled_in_its_commit_is_there_with_its_file(
    driver, body, read, data_files
) -> None:
    writer = driver._store.writer
    async with busy(driver):
        putting = asyncio.create_task(driver.file_create("box", "key", body(LARGE)))
        await queued(driver, 1)
        last = writer.submit(lambda txn: None)
        change = writer._queue.get()  # the writer is busy: nobody else takes it

        def cancel_then_apply(txn):
            result = apply(txn)
            writer._outbox._loop.call_soon_threadsafe(putting.cancel)
            return result

        apply, change.apply = change.apply, cancel_then_apply
        writer._queue.put(change)
    await last
    await asyncio.wait([putting])
    await asyncio.to_thread(writer.flush)
    assert putting.cancelled()
    assert len(data_files()) == 1
    assert await read(driver, "box", "key") == LARGE


async def test_a_full_index_refuses_and_goes_on_when_there_is_room(
    driver, body, read, data_files, until
) -> None:
    await driver.file_create("box", "old", body(SMALL))

    def limit(pages: int):
        return driver._store.writer.submit(
            lambda txn: txn.db.execute(f"PRAGMA max_page_count = {pages}").fetchone()
        )

    used = await driver._store.reader.read(
        lambda snapshot: snapshot.db.execute("PRAGMA page_count").fetchone()[0]
    )
    await limit(used)
    with pytest.raises(StorageFullError) as caught:
        await driver.file_create("box", "old", body(b"x" * 60_000))
    assert isinstance(caught.value.__cause__, sqlite3.Error)
    assert await read(driver, "box", "old") == SMALL
    await limit(1 << 30)
    await driver.file_create("box", "old", body(LARGE))
    assert await read(driver, "box", "old") == LARGE


async def test_a_commit_of_unknown_outcome_is_told_and_swept_later(
    open_fs, body, read, audit, data_files
) -> None:
    async with open_fs() as driver:
        await driver.container_create("box")
        await driver.file_create("box", "key", body(SMALL))
        writer = driver._store.writer
        real, writer._db = (
            writer._db,
            BrokenCommit(writer._db, sqlite3.SQLITE_IOERR_FSYNC),
        )
        with pytest.raises(OutcomeUnknownError):
            await driver.file_create("box", "key", body(LARGE))
        assert await read(driver, "box", "key") == SMALL
        await driver.file_create("box", "other", body(LARGE))
        writer._db = real
        # Nobody can know whether the index refers to it: it stays for now.
        assert len(data_files()) == 2
    async with open_fs() as driver:
        await asyncio.to_thread(driver._store.housekeeper.swept.wait)
    assert len(data_files()) == 1
    audit()


@pytest.mark.parametrize("times", [1, 2])
async def test_a_commit_out_of_space_is_tried_again_with_the_space_of_the_log(
    times, open_fs, root, body, read, audit, data_files
) -> None:
    async with open_fs() as driver:
        await driver.container_create("box")
        await driver.file_create("box", "key", body(SMALL))
        writer = driver._store.writer
        real = writer._db
        writer._db = BrokenCommit(real, sqlite3.SQLITE_FULL, times=times)
        deleting = driver.file_delete("box", "key")
        if times == 1:
            await deleting
            assert (await driver.file_list("box")).files == []
            await driver.file_create("box", "key", body(LARGE))
        else:
            with pytest.raises(StorageFullError):
                await deleting
            assert await read(driver, "box", "key") == SMALL
            writer._db._times = 2
            with pytest.raises(StorageFullError):
                await driver.file_create("box", "key", body(LARGE))
            assert await read(driver, "box", "key") == SMALL
            await driver.file_create("box", "key", body(LARGE))
        writer._db = real
        assert await read(driver, "box", "key") == LARGE
    assert len(data_files()) == 1
    audit()


async def test_a_full_store_does_not_grow_but_can_be_emptied_and_closed(
    open_fs, root, body, read, audit, data_files
) -> None:
    upload = None
    async with open_fs() as driver:
        await driver.container_create("box")
        await driver.file_create("box", "small", body(SMALL))
        await driver.file_create("box", "large", body(LARGE))
        await driver.file_create("box", "last", body(SMALL))
        upload = await driver.multipart_create("box", "parts")
        place = ("box", "parts", upload.upload_id)
        part = await driver.multipart_put_part(*place, 1, body(LARGE))
        driver._store.room.floor = 1 << 60  # more than any disk has
        for growing in (
            driver.file_create("box", "small", body(SMALL)),
            driver.file_create("box", "large", body(LARGE)),
            driver.file_create("box", "new", body(b"")),
            driver.file_copy("box", "new", "box", "large"),
            driver.multipart_create("box", "new"),
            driver.multipart_put_part(*place, 2, body(SMALL)),
            driver.multipart_put_part(*place, 2, body(LARGE)),
            driver.container_create("new"),
            driver.container_set_options("box", {"name": "text"}),
        ):
            with pytest.raises(StorageFullError):
                await growing
        assert len(data_files()) == 2
        assert (root / "index.db-wal").stat().st_size == 0
        await driver.container_create("box")  # which is there
        await driver.container_set_options("box", {"name": None})
        await driver.multipart_complete(*place, [PartRef(1, part.etag)])
        await driver.file_delete("box", "small")
        await driver.file_delete("box", "parts")
        assert await read(driver, "box", "large") == LARGE
    async with open_fs() as driver:
        await driver.file_delete("box", "large")
        await driver.file_delete("box", "last")
        await driver.file_create("box", "large", body(LARGE))
    assert len(data_files()) == 1
    audit()


async def test_what_was_deleted_from_a_full_store_is_room_for_more(
    open_fs, body, read, monkeypatch
) -> None:
    """The file of the index never shrinks: its free pages must count."""
    async with open_fs() as driver:
        await driver.container_create("box")
        for number in range(20):
            await driver.file_create("box", f"k{number}", body(SMALL * 100))
        room = driver._store.room
        found = await asyncio.to_thread(os.statvfs, room._root)
        monkeypatch.setattr(os, "statvfs", lambda _: found)  # it stays as full
        room.floor = found.f_bavail * found.f_frsize + (1 << 18)
        with pytest.raises(StorageFullError):
            await driver.file_create("box", "new", body(SMALL * 100))
        for number in range(20):
            await driver.file_delete("box", f"k{number}")
        await driver.file_create("box", "new", body(SMALL * 100))
        assert await read(driver, "box", "new") == SMALL * 100


def test_a_small_disk_keeps_a_part_free_and_a_large_one_so_much(
    tmp_path, monkeypatch
) -> None:
    def disk(*, size: int, free: int):
        return lambda _: SimpleNamespace(
            f_frsize=4096, f_blocks=size >> 12, f_bavail=free >> 12
        )

    monkeypatch.setattr(os, "statvfs", disk(size=8 << 20, free=2 << 20))
    small = Room(tmp_path)
    assert small.has(1 << 20)
    assert not small.has((1 << 20) + 1)
    assert small.has((1 << 20) + (1 << 19), spare=1 << 19)
    assert not small.has((1 << 20) + (1 << 19) + 1, spare=1 << 30)
    monkeypatch.setattr(os, "statvfs", disk(size=1 << 40, free=40 << 20))
    large = Room(tmp_path)
    assert large.has(8 << 20)
    assert not large.has((8 << 20) + 1)
    monkeypatch.setattr(os, "statvfs", disk(size=0, free=0))
    assert Room(tmp_path).has(1 << 40)  # it does not tell


async def test_a_rollback_that_fails_ends_writing_but_not_the_thread(
    open_fs, body, read, caplog
) -> None:
    async with open_fs() as driver:
        await driver.container_create("box")
        await driver.file_create("box", "key", body(SMALL))
        writer = driver._store.writer
        real = writer._db
        writer._db = BrokenCommit(
            BrokenCommit(real, sqlite3.SQLITE_IOERR), sqlite3.SQLITE_IOERR, sql="ROLL"
        )
        with pytest.raises(OutcomeUnknownError):
            await driver.file_create("box", "key", body(LARGE))
        for _ in range(2):
            with pytest.raises(StorageError, match="close the store"):
                await driver.file_create("box", "key", body(LARGE))
        assert await read(driver, "box", "key") == SMALL
        writer._db = real
    assert "a rollback of the index failed" in caplog.text
    async with open_fs() as driver:
        assert await read(driver, "box", "key") == SMALL


async def test_what_nobody_foresaw_is_told_to_all_and_does_not_hang(
    open_fs, body, read, monkeypatch, caplog
) -> None:
    async with open_fs() as driver:
        await driver.container_create("box")
        await driver.file_create("box", "key", body(SMALL))

        def broken(group, **_):
            raise ZeroDivisionError

        with monkeypatch.context() as patch:
            patch.setattr(driver._store.writer, "_transact", broken)
            with pytest.raises(OutcomeUnknownError):
                await driver.file_delete("box", "key")
        with pytest.raises(StorageError, match="close the store"):
            await driver.file_delete("box", "key")
        assert await read(driver, "box", "key") == SMALL
    assert "the index writer failed" in caplog.text


async def test_a_reading_thread_outlives_what_its_connection_does(
    driver, body, read
) -> None:
    await driver.file_create("box", "key", body(SMALL))

    class Broken(BrokenCommit):
        def rollback(self):
            raise sqlite3.OperationalError("also broken")

    reader = driver._store.reader
    real = reader._db
    reader._db = Broken(real, sqlite3.SQLITE_IOERR, sql="SELECT seq", times=1)
    for _ in range(2):  # and the transaction that could not be ended is in the way
        with pytest.raises(StorageError):
            await driver.file_list("box")
    real.rollback()
    reader._db = real
    assert await read(driver, "box", "key") == SMALL


async def write_much(driver, body, files: int) -> None:
    await driver.container_create("box")
    keys = iter(range(files))
    data = bytes(60_000)

    async def work() -> None:
        for key in keys:
            await driver.file_create("box", f"k{key}", body(data))

    async with asyncio.TaskGroup() as group:
        for _ in range(32):
            group.create_task(work())


@asynccontextmanager
async def always_read(root):
    """Another process, of whose readers one begins before the other ends."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, READING, root / "index.db"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert await process.stdout.readline() == b"reading\n"
        yield
    finally:
        await process.communicate(b"end")


@pytest.mark.parametrize("read_by_another", [False, True])
async def test_the_log_stays_bounded_under_load(
    read_by_another, open_fs, root, body
) -> None:
    async with (
        open_fs(durability="none") as driver,
        always_read(root) if read_by_another else nullcontext(),
    ):
        await write_much(driver, body, 1000)  # 57 MiB, all of it through the log
        size = (root / "index.db-wal").stat().st_size
    assert size < 40 * 1024 * 1024


async def test_a_reader_that_was_stopped_does_not_stall_writers(
    open_fs, root, body, monkeypatch
) -> None:
    monkeypatch.setattr(_index_writer, "_CHECKPOINT_PAGES", 100)
    monkeypatch.setattr(_index_writer, "_RESTART_PAGES", 200)
    monkeypatch.setattr(_index_writer, "_RESTART_SECONDS", 0.02)
    async with open_fs(durability="none") as driver:
        with closing(sqlite3.connect(root / "index.db", isolation_level=None)) as db:
            db.execute("BEGIN")
            db.execute("SELECT seq FROM state").fetchone()
            writer, moves = driver._store.writer, []
            move_log = writer._move_log

            def watched(mode: str):
                moves.append((mode, move_log(mode)[0]))
                return (moves[-1][1], 1000, 0)

            monkeypatch.setattr(writer, "_move_log", watched)
            async with asyncio.timeout(9):  # SQLite's own patience is 10 seconds
                await write_much(driver, body, 100)
            assert moves.count(("RESTART", 1)) == 1  # and then a pause
            assert moves.count(("PASSIVE", 0)) > 1
        busy = driver._store.writer.submit(
            lambda txn: txn.db.execute("PRAGMA busy_timeout").fetchone()
        )
        assert await busy == (10_000,)


@pytest.mark.parametrize("what", ["checkpoint", "opening"])
async def test_a_checkpoint_and_an_opening_hold_the_lock(
    what, open_fs, root, body, monkeypatch
) -> None:
    held = []

    def is_held() -> None:
        with (root / "commit.lock").open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held.append(True)
            else:
                held.append(False)

    class Watched:
        def __init__(self, db) -> None:
            self._db = db

        def __getattr__(self, name):
            return getattr(self._db, name)

        def execute(self, sql, *values):
            if "wal_checkpoint" in sql:
                is_held()
            return self._db.execute(sql, *values)

    def connect(*args):
        is_held()
        return connect_really(*args)

    connect_really = _schema.connect
    monkeypatch.setattr(_index_writer, "_CHECKPOINT_PAGES", 1)
    async with open_fs() as driver:
        if what == "opening":
            monkeypatch.setattr(_schema, "connect", connect)
            async with open_fs():
                pass
        else:
            await driver.container_create("box")
            writer = driver._store.writer
            await asyncio.to_thread(writer.flush)
            writer._db, real = Watched(writer._db), writer._db
            await driver.file_create("box", "key", body(SMALL))
            await asyncio.to_thread(writer.flush)  # its group comes after
            writer._db = real
    assert held
    assert all(held)
