"""Reading one version of a file: its open files, and the iteration over them."""

from __future__ import annotations

import os
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ...errors import ClosedError, CorruptDataError
from ...rules import resolve_range
from ._objects import find_file, find_pieces
from ._records import Piece

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Callable, Sequence
    from types import TracebackType
    from typing import Self

    from ..._calls import Calls
    from ...types import ByteRange, FileInfo
    from ._files import DataFiles
    from ._index_reader import Snapshot
    from ._threads import Threads

_CHUNK = 1024 * 1024


class _Run(NamedTuple):
    """Bytes `first` to `last` (exclusive) of a piece."""

    piece: Piece
    first: int
    last: int


class OpenBody:
    """The bytes that one reader yields, as pieces of data files; its methods block.

    A single data file is opened at once: whatever becomes of its name, it can be read.
    Several are opened one after the other (there may be 10,000), so meanwhile the
    generation holds the snapshot in which they were found.
    """

    def __init__(
        self, runs: Sequence[_Run], files: DataFiles, snapshot: Snapshot
    ) -> None:
        self._runs = deque(runs)
        self._files = files
        self._guard = threading.Lock()
        self._disposed = False
        self._fd = -1
        self._generation = snapshot.generation
        self._held: int | None = None
        on_disk = [run.piece for run in runs if run.piece.inline is None]
        if len(on_disk) > 1:
            self._held = snapshot.generation.hold(snapshot.seq)
        elif on_disk:
            self._fd = self._open(on_disk[0])

    @property
    def needs_thread(self) -> bool:
        """Whether the next piece comes from a file."""
        return bool(self._runs) and self._runs[0].piece.inline is None

    @property
    def holds(self) -> bool:
        """Whether there is something to close."""
        return self._fd >= 0 or self._held is not None

    def read(self) -> bytes:
        """Return the next piece, at most 1 MiB; empty at the end.

        What raises has taken nothing: the next call tries the same piece again.
        """
        with self._guard:
            if self._disposed:
                raise ClosedError("The reader is closed.")
            if not self._runs:
                return b""
            piece, first, last = self._runs[0]
            upto = min(last, first + _CHUNK)
            if piece.inline is not None:
                data = piece.inline[first:upto]
            else:
                if self._fd < 0:
                    self._fd = self._open(piece)
                data = os.pread(self._fd, upto - first, first)
            if len(data) != upto - first:
                raise CorruptDataError
            if upto < last:
                self._runs[0] = _Run(piece, upto, last)
            else:
                self._runs.popleft()
                if piece.inline is None:
                    self._close_file()
            if not self._runs:
                self._release()
            return data

    def dispose(self) -> None:
        """Close what is open; idempotent."""
        with self._guard:
            self._disposed = True
            self._runs.clear()
            self._close_file()
            self._release()

    def _open(self, piece: Piece) -> int:
        assert piece.generation is not None  # noqa: S101 - it is not inline
        assert piece.number is not None  # noqa: S101 - the same
        return self._files.open(piece.generation, piece.number, piece.size)

    def _close_file(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _release(self) -> None:
        if self._held is not None:
            self._generation.release(self._held)
            self._held = None


class Opened(NamedTuple):
    """What a reader thread found; `body` is None for a head, or an empty range."""

    info: FileInfo
    span: tuple[int, int]
    is_partial: bool
    body: OpenBody | None

    def dispose(self) -> None:
        """Close what is open."""
        if self.body is not None:
            self.body.dispose()


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be read."""

    container: str
    key: bytes
    range: ByteRange | None
    head: bool
    check: Callable[[FileInfo], bool]
    """Raises where the conditions do not hold; says whether the range applies."""


def open_file(snapshot: Snapshot, files: DataFiles, wanted: Request) -> Opened:
    """Find a file and open it, inside the snapshot."""
    info, content, inline = find_file(
        snapshot.db, wanted.container, wanted.key, with_body=not wanted.head
    )
    asked = wanted.range if wanted.check(info) else None
    start, stop = resolve_range(asked, info.size)
    partial = asked is not None
    if wanted.head or start == stop:
        stop = start
        return Opened(info, (start, stop), partial, None)
    if inline is not None:
        pieces = [Piece(info.size, None, None, inline)]
    else:
        pieces = find_pieces(snapshot.db, content, info.size)
    runs = _cut(pieces, start, stop)
    return Opened(info, (start, stop), partial, OpenBody(runs, files, snapshot))


def _cut(pieces: Sequence[Piece], start: int, stop: int) -> list[_Run]:
    """Return the parts of the pieces that lie in the range."""
    runs = []
    offset = 0
    for piece in pieces:
        first = max(start - offset, 0)
        last = min(stop - offset, piece.size)
        if first < last:
            runs.append(_Run(piece, first, last))
        offset += piece.size
    return runs


class Source:
    """The pieces of an open body, read in threads; one pass, by any task.

    A piece that was read for a call which was then cancelled goes to the next call.
    """

    def __init__(self, body: OpenBody | None, threads: Threads) -> None:
        self._body = body
        self._threads = threads
        self._reading: asyncio.Future[bytes] | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Iterate over what is left."""
        return self

    async def __anext__(self) -> bytes:
        """Return the next piece, at most 1 MiB."""
        data = b"" if self._body is None else await self._next(self._body)
        if not data:
            raise StopAsyncIteration
        return data

    async def _next(self, body: OpenBody) -> bytes:
        if self._reading is None and not body.needs_thread:
            return body.read()
        while True:
            reading = self._reading
            if reading is None:
                reading = self._reading = self._threads.start(body.read)
            await self._threads.done(reading)
            if self._reading is reading:  # else another task has taken it
                self._reading = None
                return reading.result()

    async def aclose(self) -> None:
        """Release what is open; idempotent."""
        body = self._body
        if body is not None and body.holds:
            # In a thread: the last close of a big unlinked file frees all its blocks.
            await self._threads.run(body.dispose)


class FsReader:
    """One version of a file, opened; one pass over the bytes asked for."""

    def __init__(
        self,
        opened: Opened,
        *,
        threads: Threads,
        calls: Calls,
        on_close: Callable[[FsReader], None],
    ) -> None:
        self._info, (self._start, self._stop), self._is_partial, body = opened
        self._source = Source(body, threads)
        self._on_close = on_close
        self._calls = calls
        self._closed = False

    @property
    def info(self) -> FileInfo:
        """The version that was opened."""
        return self._info

    @property
    def start(self) -> int:
        """The first byte that iteration yields."""
        return self._start

    @property
    def stop(self) -> int:
        """One past the last byte that iteration yields."""
        return self._stop

    @property
    def is_partial(self) -> bool:
        """A range was asked for and honoured."""
        return self._is_partial

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Iterate over what is left."""
        return self

    async def __anext__(self) -> bytes:
        """Return the next piece, at most 1 MiB.

        Raises `CorruptDataError` where the data file is missing or too short. A call
        that was cancelled or failed has taken nothing: the next one goes on there.
        """
        if self._closed:
            raise ClosedError("The reader is closed.")
        with self._calls:
            return await anext(self._source)

    async def aclose(self) -> None:
        """Release what the reader holds; idempotent, also after the driver's end."""
        self._closed = True
        self._on_close(self)
        await self._source.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self.aclose()
