"""The program that `test_processes` runs twice at a time.

`python counting_process.py ROOT TIMES`: adds one to the number in `box/counter`, by
compare-and-set, so many times; replaces a file of its own each time as well.
"""

from __future__ import annotations

import asyncio
import os
import sys

from blob import create_driver
from blob.errors import PreconditionFailedError
from blob.types import Conditions, CreateOptions


async def pieces(data: bytes):
    yield data


async def add_one(driver) -> None:
    while True:
        async with await driver.file_read("box", "counter") as reader:
            number = int(b"".join([piece async for piece in reader]))
            etag = reader.info.etag
        # Of the size of a file of its own, so that files too are replaced and reaped.
        text = str(number + 1).ljust(70_000).encode()
        options = CreateOptions(conditions=Conditions(if_match=(etag,)))
        try:
            await driver.file_create("box", "counter", pieces(text), options=options)
        except PreconditionFailedError:
            continue
        return


async def main() -> None:
    root, times = sys.argv[1:]
    async with create_driver({"type": "fs", "root": root}) as driver:
        for _ in range(int(times)):
            await add_one(driver)
            await driver.file_create("box", str(os.getpid()), pieces(bytes(70_000)))


asyncio.run(main())
