"""The producer's side of a pipe: writes in turn, waiting for memory, the stream's end.

What was taken goes to the buffer; `parts()` hands the parts it cut to `_uploader`, and
`release` is told of each that is stored. `pipe` says when it opens and why it closes.
"""

from __future__ import annotations

import asyncio
import codecs
from collections import deque
from typing import TYPE_CHECKING

from ._buffer import Buffer
from .errors import ClosedError, CloudPipeError, TooLargeError
from .events import Drained, Event, PartSizeGrown, Progress

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Iterator

    from ._chunker import CutPart
    from ._sizes import PartSizes
    from .target import Chunk, Data

_WRITES_PER_YIELD = 256  # under a millisecond of single bytes
# Characters encoded at once: at most 4 MiB, less than any part.
_TEXT_STEP = 1 << 20


class _Turn:
    """A write among those who wait; `begun` once bytes of it were taken."""

    __slots__ = ("begun",)

    def __init__(self) -> None:
        self.begun = False


class Intake:
    """Takes writes one after the other, in the order they came."""

    def __init__(
        self,
        sizes: PartSizes,
        concurrency: int,
        expected: int | None,
        tell: Callable[[Event], None],
    ) -> None:
        self._buffer = Buffer(sizes, concurrency)
        self._expected = expected
        self._tell = tell
        self._part_size = sizes.first  # as the subscribers know it
        self._refused = 0  # bytes of the smallest write refused since the last Drained
        self._writers: deque[_Turn] = deque()  # who writes, and who waits, in turn
        self._since_yield = 0
        self._changed = asyncio.Event()
        self._open = False
        self._finishing = False  # no new writes; those in turn are taken to their end
        self._closed: CloudPipeError | None = None  # why nothing is taken any more
        self._broken: ClosedError | None = None  # why the stream is not whole

    # -- the producer ----------------------------------------------------------------

    async def write(self, data: Data, encoding: str) -> None:
        """Take all of `data`: see `CloudPipe.write`."""
        self._check_open()
        if isinstance(data, str) and len(data) > _TEXT_STEP:
            await self._in_turn(_encoded(data, encoding))
            return
        chunk = _as_chunk(data, encoding)
        self._buffer.check(len(chunk))
        self._since_yield += 1
        if (
            self._writers
            or len(chunk) > self._buffer.free
            or self._since_yield > _WRITES_PER_YIELD
        ):
            await self._in_turn((chunk,))
        else:
            self._take(chunk)

    def write_nowait(self, data: Data, encoding: str) -> bool:
        """Take all of `data` or nothing: see `CloudPipe.write_nowait`."""
        self._check_open()
        if isinstance(data, str) and len(data) > _TEXT_STEP:
            raise TooLargeError(
                f"text of {len(data)} characters, at most {_TEXT_STEP} are encoded at"
                " once: await write() instead, or encode it"
            )
        chunk = _as_chunk(data, encoding)
        size = len(chunk)
        if not isinstance(chunk, bytes) and size > self._buffer.surely_free:
            raise TooLargeError(
                f"a copy of {size} bytes, at most {self._buffer.surely_free} have a"
                " place in memory: await write() instead, or give bytes"
            )
        self._buffer.check(size)
        if self._writers or not self._buffer.takes_now(size):
            self._refused = min(size, self._refused or size)
            return False
        self._take(chunk)
        return True

    # -- the pipe --------------------------------------------------------------------

    def open(self) -> None:
        """Take data from now on."""
        self._open = True
        self.notify()

    def finish(self) -> None:
        """Take no new writes; the stream ends with the last of those begun before."""
        self._finishing = True
        self._end_if_all_taken()

    def close(self, reason: CloudPipeError) -> None:
        """Refuse every write, also one that waits, with `reason`; the first one holds.

        What is held stays until `discard`.
        """
        self._closed = self._closed or reason
        self.notify()

    def discard(self) -> None:
        """Let go of everything that is held: the upload is over."""
        self._finishing = True
        self._buffer.discard()
        self.notify()

    def release(self, size: int) -> None:
        """A part of this size is stored."""
        buffer = self._buffer
        buffer.release(size)
        self._tell(Progress(buffer.taken, buffer.stored, self._expected))
        self._offer()
        self.notify()

    async def parts(self) -> AsyncGenerator[CutPart]:
        """Every part as soon as it was cut, the last one when the stream has ended."""
        while True:
            while self._buffer.ready:
                yield self._buffer.pop()
            if self._broken is not None:
                raise self._broken
            if self._buffer.ended:
                return
            await self.next_change()

    @property
    def taken(self) -> int:
        """Bytes taken from the producer so far."""
        return self._buffer.taken

    @property
    def held(self) -> int:
        """Bytes in memory now."""
        return self._buffer.held

    @property
    def limit(self) -> int:
        """The most that `held` may be at this part size."""
        return self._buffer.limit

    def notify(self) -> None:
        """Wake everybody who waits in `next_change`."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def next_change(self) -> None:
        """Wait until something changes, here or in the pipe."""
        await self._changed.wait()

    # -- taking ----------------------------------------------------------------------

    async def _in_turn(self, chunks: Iterable[Chunk]) -> None:
        """Take the chunks in one piece: nobody else's bytes come between."""
        turn = _Turn()
        self._writers.append(turn)
        try:
            for number, chunk in enumerate(chunks):
                if number or self._since_yield > _WRITES_PER_YIELD:
                    # Parts that were cut should start, and writes not keep the loop.
                    # Never after the last byte: a write that took all succeeds.
                    await self._yield()
                await self._take_all(chunk, turn)
        except BaseException as exc:
            if self._finishing and turn.begun:
                # Who finishes cannot know that the stream lacks the rest of it.
                self._broken = ClosedError(f"a write ended half taken: {exc!r}")
            raise
        finally:
            self._writers.remove(turn)
            self._end_if_all_taken()
            self._offer()
            self.notify()

    async def _take_all(self, chunk: Chunk, turn: _Turn) -> None:
        whole = len(chunk) <= self._buffer.part[1]
        rest = memoryview(chunk)
        while rest:
            least = len(rest) if whole else 1
            while self._writers[0] is not turn or self._buffer.free < least:
                await self.next_change()
                self._check_alive()
            self._buffer.check(len(rest))
            turn.begun = True
            if whole:
                self._take(chunk)
                return
            size = min(self._buffer.free, self._buffer.part[1])
            self._take(rest[:size])
            rest = rest[size:]
            if rest:
                await self._yield()  # copying a part took a moment

    async def _yield(self) -> None:
        self._since_yield = 0
        await asyncio.sleep(0)
        self._check_alive()

    def _take(self, chunk: Chunk) -> None:
        before, _ = self._buffer.part
        if not self._buffer.add(chunk):
            return
        self._since_yield = _WRITES_PER_YIELD  # the parts should start
        number, _ = self._buffer.part
        for each in range(before + 1, number + 1):
            size = self._buffer.size_of(each)
            if size != self._part_size:
                self._part_size = size
                self._tell(PartSizeGrown(each, size))
        self.notify()

    def _offer(self) -> None:
        """Tell `Drained` when there is room for what was refused."""
        if self._writers or self._finishing or not self._refused:
            return
        if self._buffer.takes_now(self._refused):
            self._refused = 0
            self._tell(Drained())

    def _end_if_all_taken(self) -> None:
        if self._broken is not None or self._writers or self._buffer.ended:
            return
        if self._finishing:
            self._buffer.end()
            self.notify()

    def _check_open(self) -> None:
        if not self._open and self._closed is None:
            raise ClosedError("the pipe has not been entered: use `async with pipe:`")
        self._check_alive()
        if self._finishing:
            raise ClosedError("the pipe takes no more data: it is being finished")

    def _check_alive(self) -> None:
        if self._closed is not None:
            raise self._closed
        if self._buffer.ended:
            raise ClosedError("the pipe takes no more data: it has ended")


def _as_chunk(data: Data, encoding: str) -> Chunk:
    """Return bytes as they are, and what may change as a view of bytes."""
    if isinstance(data, str):
        return data.encode(encoding)
    if type(data) is bytes:
        return data
    view = memoryview(data)
    return view if view.format == "B" and view.ndim == 1 else view.cast("B")


def _encoded(text: str, encoding: str) -> Iterator[bytes]:
    encoder = codecs.getincrementalencoder(encoding)()
    for start in range(0, len(text), _TEXT_STEP):
        end = start + _TEXT_STEP
        yield encoder.encode(text[start:end], final=end >= len(text))
