"""SIGKILL at 100 random instants of put, overwrite, delete and multipart complete."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from blob.errors import NoSuchFileError

WRITER = Path(__file__).with_name("crash_writer.py")
PROJECT = Path(__file__).parents[3]

KILLS = 25
# One kill in so many falls into the opening, the others into the writing.
OPENING_EVERY = 6
OPENING_SECONDS = 0.3
WRITING_SECONDS = 0.08


@dataclass
class Journal:
    """What the store promised: `stored` by key, and what was tried after that."""

    stored: dict[str, str | None] = field(default_factory=dict)
    tried: dict[str, str | None] = field(default_factory=dict)
    acknowledged: int = 0

    def follow(self, text: str) -> None:
        lines = text.split("\n")
        for line in lines[:-1]:
            word, *rest = line.split(" ")
            if word == "try":
                self.tried[rest[0]] = None if rest[1] == "-" else rest[1]
            elif word == "done":
                self.stored[rest[0]] = self.tried.pop(rest[0])
                self.acknowledged += 1

    def settle(self, found: dict[str, str]) -> None:
        """Compare with what is there; what was tried has happened or it has not."""
        for key in self.stored.keys() | self.tried.keys():
            allowed = {self.stored.get(key)}
            if key in self.tried:
                allowed.add(self.tried[key])
            assert found.get(key) in allowed, key
            self.stored[key] = found.get(key)
        assert found.keys() <= self.stored.keys()
        self.tried.clear()


async def run_and_kill(root: Path, seed: str, dice: random.Random) -> str:
    """Run the writer, kill it at some instant; return its journal."""
    in_opening = dice.randrange(OPENING_EVERY) == 0
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-c"),
        f"import sys, runpy; sys.path.insert(0, {str(PROJECT)!r});"
        f" runpy.run_path({str(WRITER)!r}, run_name='__main__')",
        *(str(root), seed),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        limit=1 << 24,
    )
    assert process.stdout
    head = b""
    if not in_opening:
        head = await process.stdout.readline()
        assert head == b"ready\n"
    # The instant of death is what is random here: nothing to wait for.
    seconds = OPENING_SECONDS if in_opening else WRITING_SECONDS
    reading = asyncio.create_task(process.stdout.read())
    await asyncio.sleep(dice.uniform(0, seconds))
    assert process.returncode is None, "the writer died by itself"
    process.kill()
    tail = await reading
    await process.wait()
    return (head + tail).decode()


async def read_all(driver) -> dict[str, str]:
    """Return the digest of each file, as reading has it; listing must agree."""
    found = {}
    listing = await driver.file_list("crash")
    for info in listing.files:
        whole, md5, size = hashlib.sha256(), hashlib.md5(), 0
        async with await driver.file_read("crash", info.key) as reader:
            assert reader.info == info
            async for piece in reader:
                whole.update(piece)
                md5.update(piece)
                size += len(piece)
        assert size == info.size
        assert "-" in info.etag or md5.hexdigest() == info.etag
        found[info.key] = whole.hexdigest()
    return found


async def check(driver, journal: Journal) -> None:
    found = await read_all(driver)
    for key in journal.stored.keys() - found.keys():
        with pytest.raises(NoSuchFileError):
            await driver.file_read("crash", key)
    journal.settle(found)
    for upload in (await driver.multipart_list("crash")).uploads:
        await driver.multipart_abort("crash", upload.key, upload.upload_id)
    await asyncio.to_thread(driver._store.housekeeper.swept.wait)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
async def test_sigkill_leaves_old_or_new_and_no_leak(
    seed, root, open_fs, audit
) -> None:
    dice = random.Random(seed)
    journal = Journal()
    async with open_fs() as driver:
        await driver.container_create("crash")
    for kill in range(KILLS):
        text = await run_and_kill(root, f"{seed} {kill}", dice)
        journal.follow(text)
        async with open_fs() as driver:
            await check(driver, journal)
        await asyncio.to_thread(audit)
    assert journal.acknowledged > KILLS
