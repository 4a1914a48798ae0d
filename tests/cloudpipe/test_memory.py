"""The memory bound: counted exactly, and as the operating system sees it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

MIB = 1 << 20
PART = 5 * MIB

# Uploads in a process of its own and prints by how many MiB its memory grew.
PROGRAM = """
import asyncio, json, re, sys
from pathlib import Path
import cloudpipe.targets
from cloudpipe import CloudPipe

job = json.loads(sys.argv[1])

def status(name):
    text = Path("/proc/self/status").read_text()
    return int(re.search(name + r":\\s+(\\d+) kB", text)[1]) / 1024

def pieces():
    if job["piece"] == 1:
        yield from (b"%c" % 7 for _ in range(job["size"]))
    else:
        for at in range(0, job["size"], job["piece"]):
            yield bytes([at >> 20 & 255]) * job["piece"]

async def main():
    most = 0
    async with CloudPipe.s3(
        job["bucket"], job["access_key"], job["secret_key"], "key",
        end_point=job["endpoint"], region=job["region"], **job["options"]
    ) as pipe:
        limit = pipe.memory_limit
        before = status("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")
        for piece in pieces():
            await pipe.write(piece)
            most = max(most, pipe.bytes_held)
    print(json.dumps([status("VmHWM") - before, most, limit]))

asyncio.run(main())
"""


@pytest.fixture
def grow(gateway, bucket):
    async def grow(size: int, piece: int, **options: object) -> list[float]:
        job = {
            "bucket": bucket,
            "access_key": gateway.access_key,
            "secret_key": gateway.secret_key,
            "endpoint": gateway.endpoint,
            "region": gateway.region,
            "size": size,
            "piece": piece,
            "options": options,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            PROGRAM,
            json.dumps(job),
            env={"PYTHONPATH": str(Path(__file__).parents[2])},
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        return json.loads(out)

    return grow


@pytest.mark.parametrize(
    ("size", "piece"),
    [(96 * MIB, MIB), (96 * MIB, 3 * MIB + 1), (16 * MIB, 100), (300_000, 1)],
)
async def test_the_process_grows_by_no_more_than_the_bound(grow, size, piece):
    growth, most, limit = await grow(size, piece, max_chunk_size=PART, concurrency=2)
    assert most <= limit == 3 * PART
    # Beside the bound: a piece or two in the producer's hands, what the connections
    # hold, and what the allocator cannot give back.
    assert growth <= limit / MIB + 2 * piece / MIB + 8


async def test_the_defaults_hold_50_mb(make_pipe):
    pipe = make_pipe(size=10_000_000)
    assert pipe.memory_limit == 50_000_000


@pytest.mark.parametrize("piece", [999_983, PART - 1, PART, PART + 1, 17 * MIB])
async def test_what_is_held_never_exceeds_the_limit(make_pipe, piece):
    pipe = make_pipe(concurrency=1)
    data = bytes(piece)
    async with pipe:
        events = pipe.subscribe()
        for _ in range(34 * MIB // piece):
            await pipe.write(data)
            assert pipe.bytes_held <= pipe.memory_limit == 2 * PART
            while events.qsize():
                events.get_nowait()
    assert pipe.bytes_held == 0
    assert pipe.bytes_taken == 34 * MIB // piece * piece
