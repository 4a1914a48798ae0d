"""The program that `test_crash` kills: it writes, and journals what it was promised.

`python crash_writer.py ROOT SEED`. Journal on stdout, a line each, written at once:
`ready`; `try KEY DIGEST` before a write (DIGEST `-` for a delete), `done KEY` after it
was acknowledged. A key has one writer at a time.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import sys
from typing import TYPE_CHECKING

from blob import create_driver
from blob.types import PartRef

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from blob.drivers.fs import FsDriver

WRITERS = 8
KEYS = 3
PART = bytes(5 * 1024 * 1024)
PART_DIGEST = hashlib.sha256(PART)


def journal(line: str) -> None:
    os.write(1, f"{line}\n".encode())


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 1 << 16):
        yield data[start : start + (1 << 16)]


async def put(driver: FsDriver, key: str, data: bytes) -> None:
    await driver.file_create("crash", key, pieces(data))


async def upload(driver: FsDriver, key: str, *parts: bytes) -> None:
    begun = await driver.multipart_create("crash", key)
    refs = []
    for number, data in enumerate(parts, 1):
        part = await driver.multipart_put_part(
            "crash", key, begun.upload_id, number, pieces(data)
        )
        refs.append(PartRef(number, part.etag))
    await driver.multipart_complete("crash", key, begun.upload_id, refs)


async def step(driver: FsDriver, key: str, dice: random.Random) -> None:
    data = dice.randbytes(dice.choice((0, 100, 20_000, 65_536, 65_537, 140_000)))
    action = dice.randrange(10)
    if action == 0:
        journal(f"try {key} -")
        await driver.file_delete("crash", key)
    elif action <= 2 and key.startswith("writer-0"):
        whole = PART_DIGEST.copy()
        whole.update(data)
        journal(f"try {key} {whole.hexdigest()}")
        await upload(driver, key, PART, data)
    else:
        journal(f"try {key} {hashlib.sha256(data).hexdigest()}")
        await (upload if action <= 4 else put)(driver, key, data)
    journal(f"done {key}")


async def write(driver: FsDriver, name: str, dice: random.Random) -> None:
    while True:
        await step(driver, f"{name}/{dice.randrange(KEYS)}", dice)


async def main() -> None:
    root, seed = sys.argv[1:]
    async with create_driver({"type": "fs", "root": root}) as driver:
        await driver.container_create("crash")
        journal("ready")
        async with asyncio.TaskGroup() as group:
            for number in range(WRITERS):
                name = f"writer-{number}"
                group.create_task(
                    write(driver, name, random.Random(f"{seed} {number}"))
                )


asyncio.run(main())
