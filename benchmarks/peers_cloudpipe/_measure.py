"""What every uploader does alike: make the data, and tell what uploading it cost.

Imported by the programs beside it, each in an environment of its own: standard library
only.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

MIB = 1 << 20
BUCKET = "bench"


def chunks(mib: int) -> Iterator[bytes]:
    """Return fresh chunks of 1 MiB, each another."""
    rest = random.Random(4).randbytes(MIB)[8:]
    return (b"%08d" % number + rest for number in range(mib))


def _status(name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


class _Stall:
    """The longest time the loop kept a timer waiting, in milliseconds."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + 0.002
            await asyncio.sleep(0.002)
            self.longest = max(self.longest, (loop.time() - due) * 1e3)


def run(upload: Callable[[dict[str, str], Iterator[bytes]], Awaitable[None]]) -> None:
    """Upload as the JSON on the command line says; print what it cost as JSON."""
    job = json.loads(sys.argv[1])

    reset = Path("/proc/self/clear_refs")

    async def main() -> dict[str, float]:
        stall = _Stall()
        data = chunks(job["mib"])
        before = _status("VmRSS")
        reset.write_text("5")  # noqa: ASYNC240 - the peak counts from here
        watch = asyncio.create_task(stall.watch())
        start, cpu = time.monotonic(), time.process_time()
        await upload(job, data)
        seconds = time.monotonic() - start
        cost = time.process_time() - cpu
        watch.cancel()
        growth = _status("VmHWM") - before
        return {
            "seconds": seconds,
            "cpu": cost,
            "growth": growth,
            "stall": stall.longest,
        }

    print(json.dumps(asyncio.run(main())))
