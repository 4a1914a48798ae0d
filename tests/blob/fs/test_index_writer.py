"""Group commit: what shares a commit, what is taken back, and what a failure leaves."""

from __future__ import annotations

import asyncio
import fcntl
import sqlite3
import sys
import threading
from contextlib import asynccontextmanager, closing, nullcontext
from pathlib import Path

import pytest

from blob.drivers.fs import _index_writer, _schema
from blob.errors import (
    OutcomeUnknownError,
    PreconditionFailedError,
    StorageFullError,
)
from blob.types import Conditions, CreateOptions

READING = Path(__file__).with_name("reading_process.py")
SMALL = b"small" * 100
LARGE = b"large" * 20_000
ONLY_NEW = CreateOptions(conditions=Conditions(if_none_match=("*",)))


class BrokenCommit:
    """A connection whose next COMMIT fails as told."""

    def __init__(self, db, code: int) -> None:
        self._db = db
        self._code: int | None = code

    def __getattr__(self, name):
        return getattr(self._db, name)

    def execute(self, sql, *values):
        if sql == "COMMIT" and self._code is not None:
            error = sqlite3.OperationalError("broken on purpose")
            error.sqlite_errorcode, self._code = self._code, None
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


async def test_a_commit_out_of_space_leaves_nothing(
    open_fs, body, read, audit, data_files
) -> None:
    async with open_fs() as driver:
        await driver.container_create("box")
        await driver.file_create("box", "key", body(SMALL))
        writer = driver._store.writer
        real, writer._db = writer._db, BrokenCommit(writer._db, sqlite3.SQLITE_FULL)
        with pytest.raises(StorageFullError):
            await driver.file_create("box", "key", body(LARGE))
        writer._db = real
        assert await read(driver, "box", "key") == SMALL
        await driver.file_create("box", "key", body(LARGE))
    assert len(data_files()) == 1
    audit()


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
            async with asyncio.timeout(9):  # SQLite's own patience is 10 seconds
                await write_much(driver, body, 100)
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
