"""Options, layout, opening and closing."""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import threading

import pytest

from blob import create_driver
from blob.drivers.fs import create
from blob.drivers.fs._layout import Layout
from blob.errors import (
    ClosedError,
    CorruptDataError,
    DriverConfigError,
    StorageError,
)

LOGGER = logging.getLogger("blob.fs")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"root": ""},
        {"root": 7},
        {"root": b"/tmp"},
        {"root": "a\0b"},
        {"root": "x", "durability": "some"},
        {"root": "x", "durability": ["full"]},
        {"root": "x", "quota": -1},
        {"root": "x", "quota": "1G"},
        {"root": "x", "obj_limit": True},
        {"root": "x", "inline_limit": 1 << 30},
        {"root": "x", "qouta": 1},
    ],
)
def test_bad_options_are_refused_at_once(options) -> None:
    with pytest.raises(DriverConfigError, match="fs: "):
        create(options, LOGGER)


def test_creating_a_driver_opens_nothing(root, open_fs) -> None:
    before = threading.active_count()
    driver = open_fs()
    assert not root.exists()
    assert threading.active_count() == before
    assert driver.kind == "fs"


async def test_a_root_several_levels_deep_is_created(root) -> None:
    async with create_driver({"type": "fs", "root": root / "a" / "b"}) as driver:
        await driver.container_create("box")
    assert (root / "a" / "b" / "VERSION").read_text() == "blob-fs 1\n"


async def test_an_unknown_layout_is_refused(root, open_fs) -> None:
    root.mkdir()
    (root / "VERSION").write_text("blob-fs 9\n")
    driver = open_fs()
    with pytest.raises(DriverConfigError, match="layout 'blob-fs 9'"):
        await driver.ready()
    await driver.aclose()
    assert not (root / "index.db").exists()


async def test_a_directory_of_other_files_is_left_alone(root, open_fs) -> None:
    root.mkdir()
    (root / "thesis.txt").write_text("mine")
    driver = open_fs()
    with pytest.raises(DriverConfigError, match="choose an empty"):
        await driver.ready()
    await driver.aclose()
    assert [path.name for path in root.iterdir()] == ["thesis.txt"]


async def test_hidden_files_and_keys_are_no_hindrance(root, open_fs) -> None:
    root.mkdir()
    (root / ".keep").touch()
    (root / "keys.toml").touch()
    async with open_fs() as driver:
        assert await driver.container_list() == []


async def test_an_index_without_a_version_is_refused(root, open_fs) -> None:
    root.mkdir()
    (root / "index.db").write_bytes(b"somebody else's")
    driver = open_fs()
    with pytest.raises(DriverConfigError, match="no VERSION"):
        await driver.ready()
    await driver.aclose()
    assert (root / "index.db").read_bytes() == b"somebody else's"


async def test_data_without_an_index_is_not_hidden_by_a_new_one(
    root, open_fs, body
) -> None:
    async with open_fs() as driver:
        await driver.container_create("box")
        await driver.file_create("box", "key", body(bytes(100_000)))
    for path in root.glob("index.db*"):
        path.unlink()
    driver = open_fs()
    with pytest.raises(CorruptDataError, match="index is missing"):
        await driver.ready()
    await driver.aclose()
    assert len(list(root.glob("data/*/*/*"))) == 1


async def test_a_damaged_index_is_told(root, open_fs) -> None:
    async with open_fs() as driver:
        await driver.container_create("box")
    (root / "index.db").write_bytes(b"garbage" * 1000)
    driver = open_fs()
    with pytest.raises(CorruptDataError, match="index of the store is damaged"):
        await driver.ready()
    await driver.aclose()


@pytest.mark.parametrize("where", ["under a file", "in a place without writing"])
async def test_an_unusable_root_is_a_clear_error_without_its_path(
    where, tmp_path
) -> None:
    if where == "under a file":
        (tmp_path / "file").write_text("")
        root = tmp_path / "file" / "root"
    else:
        root = "/proc/self/root-of-a-store"
    driver = create({"root": root}, LOGGER)
    with pytest.raises(StorageError, match="root of the store cannot") as caught:
        await driver.ready()
    assert str(root) not in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError)
    assert type(pickle.loads(pickle.dumps(caught.value))) is type(caught.value)
    await driver.aclose()


async def test_opening_can_be_tried_again(tmp_path) -> None:
    obstacle = tmp_path / "file"
    obstacle.write_text("")
    driver = create({"root": obstacle / "root"}, LOGGER)
    with pytest.raises(StorageError):
        await driver.ready()
    obstacle.unlink()
    await driver.ready()
    await driver.aclose()


@pytest.mark.parametrize(
    ("durability", "level"), [("full", 2), ("data", 2), ("none", 1)]
)
async def test_commits_are_synced_as_promised_and_checkpoints_always(
    durability, level, open_fs
) -> None:
    async with open_fs(durability=durability) as driver:
        found = driver._store.writer.submit(
            lambda txn: txn.db.execute("PRAGMA synchronous").fetchone()
        )
        assert await found == (level,)  # 1 is NORMAL: only checkpoints sync


async def test_only_the_owner_reads_the_index_whatever_the_root(
    root, open_fs, body
) -> None:
    root.mkdir(mode=0o755)
    async with open_fs() as driver:
        await driver.container_create("box")
        await driver.file_create("box", "key", body(b"a secret, kept in the index"))
        modes = {path.name: path.stat().st_mode & 0o777 for path in root.iterdir()}
    for name in ("index.db", "index.db-wal", "index.db-shm", "commit.lock"):
        assert modes[name] == 0o600
    for name in ("data", "processes"):
        assert modes[name] == 0o700


async def test_callers_share_one_opening(root, open_fs) -> None:
    driver = open_fs()
    calls = [driver.ready(), driver.container_list(), driver.ready()]
    await asyncio.gather(*calls)
    assert len(list((root / "processes").iterdir())) == 1
    await driver.aclose()


async def test_a_cancelled_opening_goes_on_for_the_others(open_fs) -> None:
    driver = open_fs()
    first = asyncio.create_task(driver.ready())
    await asyncio.sleep(0)
    second = asyncio.create_task(driver.container_list())
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    assert first.cancelled()
    assert await second == []
    await driver.aclose()


async def test_an_opening_nobody_waits_for_is_closed_all_the_same(
    root, open_fs
) -> None:
    driver = open_fs()
    opening = asyncio.create_task(driver.ready())
    await asyncio.sleep(0)
    opening.cancel()
    await asyncio.wait([opening])
    await driver.aclose()
    assert list((root / "processes").iterdir()) == []


async def test_closing_ends_open_readers_and_all_who_close_wait(
    root, open_fs, body
) -> None:
    driver = open_fs()
    await driver.container_create("box")
    await driver.file_create("box", "key", body(bytes(3 << 20)))
    reader = await driver.file_read("box", "key")
    assert len(await anext(reader)) == 1 << 20
    await asyncio.gather(driver.aclose(), driver.aclose())
    with pytest.raises(ClosedError):
        await anext(reader)
    await reader.aclose()
    with pytest.raises(ClosedError):
        await driver.container_list()
    with pytest.raises(ClosedError):
        await driver.ready()
    assert list((root / "processes").iterdir()) == []


async def test_closing_goes_on_when_its_caller_is_cancelled(
    root, open_fs, body
) -> None:
    driver = open_fs()
    await driver.container_create("box")
    may_end = asyncio.Event()

    async def slow():
        yield b"begun"
        await may_end.wait()

    writing = asyncio.create_task(driver.file_create("box", "key", slow()))
    closing = asyncio.create_task(driver.aclose())
    await asyncio.sleep(0.01)
    closing.cancel()
    await asyncio.wait([closing])
    assert closing.cancelled()
    may_end.set()
    assert (await writing).size == 5
    await driver.aclose()
    assert list((root / "processes").iterdir()) == []


async def test_a_driver_belongs_to_its_loop(open_fs) -> None:
    async with open_fs() as driver:

        def elsewhere() -> None:
            with pytest.raises(DriverConfigError, match="loop"):
                asyncio.run(driver.container_list())

        await asyncio.to_thread(elsewhere)


@pytest.mark.parametrize("opened", [True, False])
@pytest.mark.parametrize("closes", [True, False])
def test_a_driver_whose_opening_outlived_its_loop(root, open_fs, opened, closes):
    driver = open_fs()
    begun, may_open = threading.Event(), threading.Event()
    make_root = Layout.make_root

    def slow(layout) -> None:
        begun.set()
        may_open.wait()
        make_root(layout)

    async def open_and_leave() -> None:
        task = asyncio.create_task(driver.ready())
        await asyncio.to_thread(begun.wait)
        task.cancel()
        await asyncio.wait([task])
        if opened:
            may_open.set()
            await asyncio.to_thread(driver._opening.result)

    async def on_another_loop() -> None:
        if not closes:
            with pytest.raises(DriverConfigError, match="loop"):
                await driver.container_list()
        await driver.aclose()
        with pytest.raises(ClosedError):
            await driver.container_list()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Layout, "make_root", slow)
        asyncio.run(open_and_leave())
        may_open.set()
        asyncio.run(on_another_loop())
    assert list((root / "processes").iterdir()) == []


async def test_an_opening_that_failed_unseen_is_not_told_later(tmp_path) -> None:
    obstacle = tmp_path / "file"
    obstacle.write_text("")
    driver = create({"root": obstacle / "root"}, LOGGER)
    opening = asyncio.create_task(driver.ready())
    await asyncio.sleep(0)
    opening.cancel()
    await asyncio.wait([opening])
    assert await asyncio.to_thread(driver._opening.exception)
    obstacle.unlink()
    await driver.ready()
    await driver.aclose()


async def test_an_opening_nobody_waited_for_warns_too(open_fs) -> None:
    driver = open_fs()
    opening = asyncio.create_task(driver.ready())
    await asyncio.sleep(0)
    opening.cancel()
    await asyncio.wait([opening])
    with pytest.warns(ResourceWarning, match="FsDriver was not closed"):
        driver.__del__()
    await driver.aclose()


async def _writing(driver):
    """Begin a write that waits in its body; return its task, and what lets it end."""
    await driver.container_create("box")
    waiting, may_end = asyncio.Event(), asyncio.Event()

    async def slow():
        yield b"begun"
        waiting.set()
        await may_end.wait()

    task = asyncio.create_task(driver.file_create("box", "key", slow()))
    await waiting.wait()
    return task, may_end


async def test_a_closing_that_is_cancelled_with_all_tasks_begins_again(
    root, open_fs
) -> None:
    driver = open_fs()
    writing, may_end = await _writing(driver)
    closing = asyncio.create_task(driver.aclose())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    driver._closing.cancel()
    await asyncio.wait([driver._closing])
    may_end.set()
    await writing
    await closing
    await driver.aclose()
    assert list((root / "processes").iterdir()) == []


def test_a_closing_that_ended_with_its_loop_begins_again_on_another(
    root, open_fs
) -> None:
    driver = open_fs()

    async def close_and_leave() -> None:
        await _writing(driver)
        closing = asyncio.create_task(driver.aclose())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert {closing, driver._closing} < others
        for task in others:
            task.cancel()
        await asyncio.wait(others)
        assert closing.cancelled()

    asyncio.run(close_and_leave())
    asyncio.run(driver.aclose())
    asyncio.run(driver.aclose())
    assert list((root / "processes").iterdir()) == []


async def test_a_driver_that_is_not_closed_warns(open_fs) -> None:
    driver = open_fs()
    await driver.ready()
    with pytest.warns(ResourceWarning, match="FsDriver was not closed"):
        driver.__del__()
    await driver.aclose()


async def test_what_was_written_is_there_after_reopening(open_fs, body, read) -> None:
    data = {str(size): os.urandom(size) for size in (0, 1, 65_536, 65_537, 3 << 20)}
    async with open_fs() as driver:
        await driver.container_create("box", options={"location": "here"})
        for key, value in data.items():
            await driver.file_create("box", key, body(value))
    async with open_fs() as driver:
        assert (await driver.container_options("box")).documents == {"location": "here"}
        for key, value in data.items():
            assert await read(driver, "box", key) == value
        listing = await driver.file_list("box")
        assert pickle.loads(pickle.dumps(listing)) == listing
