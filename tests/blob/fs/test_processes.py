"""Several processes on one root."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

PROGRAM = Path(__file__).with_name("counting_process.py")
PROJECT = Path(__file__).parents[3]
TIMES = 40


async def test_two_processes_lose_no_update(root, open_fs, body, read, audit) -> None:
    async with open_fs() as driver:
        await driver.container_create("box")
        await driver.file_create("box", "counter", body(b"0"))
        processes = [
            await asyncio.create_subprocess_exec(
                *(sys.executable, str(PROGRAM), str(root), str(TIMES)),
                env={**os.environ, "PYTHONPATH": str(PROJECT)},
            )
            for _ in range(2)
        ]
        # And this process reads and lists all the while: never a half, never a miss.
        seen = 0
        running = asyncio.gather(*(process.wait() for process in processes))
        while not running.done():
            number = int(await read(driver, "box", "counter"))
            assert number >= seen
            seen = number
            keys = [info.key for info in (await driver.file_list("box")).files]
            assert "counter" in keys
        assert await running == [0, 0]
        assert int(await read(driver, "box", "counter")) == 2 * TIMES
    audit()
