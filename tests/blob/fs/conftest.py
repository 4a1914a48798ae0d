"""What the white-box tests of the fs driver share."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import sqlite3
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING

import pytest

from blob import create_driver
from blob.drivers.fs._layout import CommitLock, Layout

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from blob.drivers.fs import FsDriver


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
def open_fs(root: Path) -> Callable[..., FsDriver]:
    """Make a driver of the root; the caller opens and closes it."""

    def make(**options: object) -> FsDriver:
        return create_driver({"type": "fs", "root": root, **options})

    return make


@pytest.fixture
def body() -> Callable[..., AsyncIterator[bytes]]:
    async def pieces(data: bytes, size: int = 1 << 18) -> AsyncIterator[bytes]:
        for start in range(0, len(data), size):
            yield data[start : start + size]

    return pieces


@pytest.fixture
def read() -> Callable[..., object]:
    async def whole(driver: FsDriver, container: str, key: str) -> bytes:
        async with await driver.file_read(container, key) as reader:
            return b"".join([piece async for piece in reader])

    return whole


@pytest.fixture
def data_files(root: Path) -> Callable[[], set[str]]:
    """Name the data files on disk as `GENERATION/NUMBER`."""

    def names() -> set[str]:
        found = [path for path in (root / "data").glob("*/*/*") if path.is_file()]
        return {f"{path.parent.parent.name}/{path.name}" for path in found}

    return names


@pytest.fixture
def audit(root: Path, data_files: Callable[[], set[str]]) -> Callable[[], None]:
    """Check a closed store against itself: references, usage, files; none leaked."""

    def check() -> None:
        with closing(sqlite3.connect(root / "index.db")) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            wrong = db.execute(
                "SELECT c.id, refs, (SELECT count(*) FROM objects WHERE content = c.id)"
                " + (SELECT count(*) FROM parts WHERE content = c.id) AS shown"
                " FROM contents AS c WHERE refs <> shown"
            ).fetchall()
            assert wrong == []
            lost = db.execute(
                "SELECT content FROM (SELECT content FROM objects"
                " UNION SELECT content FROM parts UNION SELECT content FROM pieces)"
                " WHERE content NOT IN (SELECT id FROM contents)"
            ).fetchall()
            assert lost == []
            assert db.execute("SELECT * FROM doomed").fetchall() == []
            size, count = db.execute("SELECT bytes, objects FROM state").fetchone()
            assert count == db.execute("SELECT count(*) FROM objects").fetchone()[0]
            held = db.execute(
                "SELECT (SELECT coalesce(sum(size), 0) FROM objects)"
                " + (SELECT coalesce(sum(size), 0) FROM parts)"
            ).fetchone()[0]
            assert size == held
            referenced = db.execute(
                "SELECT g.name || '/' || p.number FROM pieces AS p"
                " JOIN generations AS g ON g.id = p.generation"
            ).fetchall()
            assert data_files() == {name for (name,) in referenced}
            states = db.execute("SELECT DISTINCT state FROM generations").fetchall()
            assert {state for (state,) in states} <= {"closed", "swept"}
        assert list((root / "processes").iterdir()) == []

    return check


@pytest.fixture
def digest() -> Callable[[bytes], str]:
    return lambda data: hashlib.md5(data).hexdigest()


@pytest.fixture
def until() -> Callable[..., object]:
    """Wait for what a thread does in its own time and tells nobody."""

    async def wait(holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not await asyncio.to_thread(holds):  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.005)

    return wait


@pytest.fixture
def locked(root: Path) -> Callable[[], AbstractAsyncContextManager[None]]:
    """Hold the commit lock, so that the writer waits and its queue grows."""

    @asynccontextmanager
    async def hold() -> AsyncIterator[None]:
        lock = await asyncio.to_thread(CommitLock, Layout(root))
        await asyncio.to_thread(fcntl.flock, lock._fd, fcntl.LOCK_EX)
        try:
            yield
        finally:
            lock.close()

    return hold
