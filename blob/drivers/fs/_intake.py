"""Takes a body in: with back-pressure, hashed and written in threads, off the loop.

One batch of about 1 MiB is worked on while the next one is collected, so an upload
holds about two of them, and MD5 (which the ETag demands) runs without a pause.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from ..._intake import Collector
from ...errors import BadDigestError, IncompleteBodyError
from ...rules import check_body
from ._records import Body

if TYPE_CHECKING:
    import asyncio

    from ... import types
    from ._account import Arrival
    from ._files import DataFiles, Draft
    from ._footer import Label
    from ._threads import Threads

_BATCH = 1024 * 1024
# Smaller pieces are gathered: as objects they would weigh many times their bytes.
_COPIED = 16 * 1024 - 1
# Hashing less than this on the loop costs less than a thread's wake-up.
_HASH_ON_LOOP = 64 * 1024


class Intake:
    """Receives one body; use it once.

    After `receive` has returned, the body's data file and its arrival belong to the
    caller: `Store.commit_body` takes them over.
    """

    def __init__(
        self,
        options: types.CreateOptions,
        label: Label,
        *,
        files: DataFiles,
        threads: Threads,
        inline_limit: int,
        arrival: Arrival,
    ) -> None:
        self._options = options
        self._label = label
        self._files = files
        self._threads = threads
        self._inline_limit = inline_limit
        self._arrival = arrival
        self._size = 0
        self._collector = Collector(_COPIED)
        self._held: list[bytes] = []
        self._held_size = 0
        self._draft: Draft | None = None
        self._job: asyncio.Future[None] | None = None

    async def receive(self, body: types.Body) -> Body:
        """Take the whole body in; on any error, or cancelled, nothing is left."""
        try:
            check_body(body)
            async for piece in body:
                await self._take(piece)
            self._check_length(ended=True)
            self._held += self._collector.finish()
            return await self._end()
        except BaseException:
            self._arrival.end()
            if self._draft is not None:
                await self._threads.run(self._draft.abandon)
            raise

    async def _take(self, piece: bytes | bytearray | memoryview) -> None:
        size = memoryview(piece).nbytes
        self._size += size
        self._check_length(ended=False)
        await self._arrival.add(size)
        for chunk in self._collector.add(piece):
            self._held.append(chunk)
            self._held_size += len(chunk)
            if self._held_size >= _BATCH:
                await self._pass_on()

    def _check_length(self, *, ended: bool) -> None:
        length = self._options.content_length
        if length is not None and (
            self._size > length or (ended and self._size < length)
        ):
            raise IncompleteBodyError

    async def _pass_on(self) -> None:
        if self._job is not None:
            job, self._job = self._job, None
            await self._threads.join(job)
        if self._draft is None:
            self._draft = self._files.draft()
        held, self._held, self._held_size = self._held, [], 0
        self._job = self._threads.start(self._draft.write, held)
        # It may be left behind by an error; its own is then of no interest.
        self._job.add_done_callback(_retrieve)

    async def _end(self) -> Body:
        if self._draft is None and self._size <= self._inline_limit:
            inline = b"".join(self._held)
            digest = await self._digest(inline)
            self._check_digest(digest)
            return Body(self._size, digest, self._checksums(), inline, None)
        if self._job is not None:
            await self._threads.join(self._job)
        if self._draft is None:
            self._draft = self._files.draft()
        digest = await self._threads.run(
            self._draft.finish, self._held, self._size, self._label
        )
        self._check_digest(digest)
        return Body(self._size, digest, self._checksums(), None, self._draft.number)

    async def _digest(self, inline: bytes) -> str:
        if len(inline) <= _HASH_ON_LOOP:
            return _md5(inline)
        return await self._threads.run(_md5, inline)

    def _check_digest(self, digest: str) -> None:
        wanted = self._options.content_md5
        if wanted is not None and wanted.hex() != digest:
            raise BadDigestError

    def _checksums(self) -> types.Checksums:
        return self._options.checksums() if self._options.checksums else {}


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _retrieve(job: asyncio.Future[None]) -> None:
    if not job.cancelled():
        job.exception()
