"""The uploader of the demo, a process of its own: a tar or endless noise into S3.

    python examples/demo_upload.py ENDPOINT BUCKET KEY tar|noise

The keys come in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Tells what happens as JSON
lines on stdout, and draws a progress bar on stderr where that is a terminal.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import sys
import sysconfig
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from demo_machine import peak_memory
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TransferSpeedColumn,
)

from cloudpipe import CloudPipe, PartDone
from cloudpipe import Progress as Uploaded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from typing_extensions import Buffer

    from cloudpipe import Event

PART = 8 << 20
PIECE = 1 << 20
NOISE = 4 << 30  # nobody waits for its end: the demo kills us long before


class PipeWriter(io.RawIOBase):
    """The file that tarfile writes to, in a thread: waits until the pipe has room."""

    def __init__(self, pipe: CloudPipe, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._pipe = pipe
        self._loop = loop
        self.digest = hashlib.sha256()
        self.size = 0

    def write(self, data: Buffer, /) -> int:
        """Hand a piece to the event loop; return when the pipe has taken it."""
        data = bytes(data)
        self.digest.update(data)
        self.size += len(data)
        asyncio.run_coroutine_threadsafe(self._pipe.write(data), self._loop).result()
        return len(data)


def library_files() -> Iterator[Path]:
    """The Python standard library of this machine, without what others added."""
    for folder, folders, names in os.walk(sysconfig.get_path("stdlib")):
        folders[:] = sorted(
            {*folders} - {"__pycache__", "site-packages", "dist-packages"}
        )
        yield from (Path(folder, name) for name in sorted(names))


def estimated_tar_size() -> int:
    """A header and whole blocks per file: enough for a progress bar."""
    return sum(512 + -(-path.lstat().st_size // 512) * 512 for path in library_files())


def write_tar(sink: PipeWriter) -> None:
    """Tar the library straight into the sink; nothing of it touches the disk."""
    top = Path(sysconfig.get_path("stdlib")).parent
    with tarfile.open(fileobj=sink, mode="w|", bufsize=PIECE) as tar:
        for path in library_files():
            tar.add(path, arcname=path.relative_to(top), recursive=False)


def write_noise(sink: PipeWriter) -> None:
    """Write the same random piece again and again."""
    piece = os.urandom(PIECE)
    for _ in range(NOISE // PIECE):
        sink.write(piece)


def tell(**what: object) -> None:
    """One line of JSON for the demo."""
    print(json.dumps(what), flush=True)


async def follow(events: AsyncIterator[Event], bar: Progress, task: TaskID) -> None:
    """Draw what the pipe tells, and pass on what the demo waits for."""
    async for event in events:
        match event:
            case Uploaded(uploaded=uploaded):
                bar.update(task, completed=uploaded)
            case PartDone(number=number, size=size):
                tell(event="part", number=number, size=size)
            case _:
                pass


def progress_bar() -> Progress:
    """Drawn on a terminal, quiet elsewhere."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("   "),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


async def upload(endpoint: str, bucket: str, key: str, source: str) -> None:
    """Stream the source into `bucket/key` and tell what was sent."""
    start = time.monotonic()
    with progress_bar() as bar:
        task = bar.add_task("", total=estimated_tar_size() if source == "tar" else None)
        async with CloudPipe.s3(
            bucket,
            os.environ["AWS_ACCESS_KEY_ID"],
            os.environ["AWS_SECRET_ACCESS_KEY"],
            key,
            PART,
            end_point=endpoint,
        ) as pipe:
            follower = asyncio.create_task(follow(pipe.events(), bar, task))
            writer = PipeWriter(pipe, asyncio.get_running_loop())
            write = {"tar": write_tar, "noise": write_noise}[source]
            await asyncio.to_thread(write, writer)
        await follower
    tell(
        event="done",
        size=writer.size,
        sha256=writer.digest.hexdigest(),
        seconds=time.monotonic() - start,
        peak=peak_memory(os.getpid()),
    )


if __name__ == "__main__":
    asyncio.run(upload(*sys.argv[1:5]))
