"""Many at the same time: writers, readers, listings."""

# ruff: noqa: S101 - these are tests: they assert

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from ._support import PART, Contract, Gate, Pieces, get, head, keys, md5, put, same

if TYPE_CHECKING:
    from ..driver import Driver

SIZES = [10, 100_000]
"""One that a driver may keep inline, and one that it may not."""


class ConcurrencyContract(Contract):
    """What holds while others write."""

    @pytest.mark.parametrize("size", SIZES)
    async def test_the_last_to_finish_wins(
        self, driver: Driver, container: str, size: int
    ) -> None:
        gates = [Gate(), Gate()]
        begun_first, begun_last = (
            asyncio.create_task(
                driver.file_create(
                    container, "key", Pieces(bytes((n,)) * size, gate=gate)
                )
            )
            for n, gate in enumerate(gates)
        )
        for gate in gates:
            await gate.reached.wait()
        gates[1].open.set()
        await begun_last
        assert await get(driver, container, "key") == b"\1" * size
        gates[0].open.set()
        await begun_first
        assert await get(driver, container, "key") == b"\0" * size

    @pytest.mark.parametrize("size", SIZES)
    async def test_concurrent_writers_of_one_key_leave_one_of_them_whole(
        self, driver: Driver, container: str, size: int
    ) -> None:
        bodies = [bytes((n,)) * size for n in range(10)]
        made = await asyncio.gather(
            *(put(driver, container, "key", body) for body in bodies)
        )
        left = await get(driver, container, "key")
        assert left in bodies
        info = await head(driver, container, "key")
        assert same(info, made[bodies.index(left)])
        assert await keys(driver, container) == ["key"]

    @pytest.mark.parametrize("size", SIZES)
    async def test_readers_see_whole_versions_while_it_is_replaced(
        self, driver: Driver, container: str, size: int
    ) -> None:
        await put(driver, container, "key", bytes(size))
        done = asyncio.Event()

        async def write() -> None:
            for number in range(15):
                await put(driver, container, "key", bytes((number,)) * size)
            done.set()

        async def read() -> None:
            while not done.is_set():
                async with await driver.file_read(container, "key") as reader:
                    data = b"".join([piece async for piece in reader])
                    assert md5(data) == reader.info.etag
                [listed] = (await driver.file_list(container)).files
                assert listed.size == size
                await asyncio.sleep(0)

        async with asyncio.TaskGroup() as group:
            group.create_task(write())
            for _ in range(3):
                group.create_task(read())

    async def test_many_files_are_created_at_the_same_time(
        self, driver: Driver, container: str
    ) -> None:
        sizes = {f"{n:03}": n * 1000 for n in range(100)}
        await asyncio.gather(
            *(put(driver, container, key, PART[:n]) for key, n in sizes.items())
        )
        files = (await driver.file_list(container)).files
        assert {file.key: file.size for file in files} == sizes
        for file in files:
            assert md5(await get(driver, container, file.key)) == file.etag

    async def test_writers_and_deleters_of_one_key_leave_all_or_nothing(
        self, driver: Driver, container: str
    ) -> None:
        await asyncio.gather(
            *(
                driver.file_delete(container, "key")
                if number % 3 == 0
                else put(driver, container, "key", b"%d" % number)
                for number in range(30)
            )
        )
        listed = (await driver.file_list(container)).files
        for file in listed:
            assert md5(await get(driver, container, "key")) == file.etag
        await driver.file_delete(container, "key")
        await driver.container_delete(container)
