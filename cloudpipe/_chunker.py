"""Cuts a stream of writes into parts of exact sizes: pure, the buffer of `pipe`.

What fits the part being filled is kept as it came, without a copy. What crosses the end
of a part is copied into pieces of its own, so that no part keeps another part's bytes
alive and the bytes counted are the bytes held. Writes below `JOIN_BELOW` are joined, or
a stream of single bytes would be mostly object headers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import ClosedError
from .target import Body, Chunk

if TYPE_CHECKING:
    from ._sizes import PartSizes

JOIN_BELOW = 32 << 10
JOIN_UP_TO = 64 << 10
# One copy never stops the loop for longer than this many bytes take.
COPY_STEP = 1 << 20


@dataclass(frozen=True, slots=True)
class CutPart:
    """A part ready to be sent; `last` closes the stream."""

    number: int
    body: Body
    last: bool = False


class Chunker:
    """Part numbers from 1, every part but the last exactly its planned size.

    A part that is just full stays until a byte follows it or the stream ends: so the
    last part is never empty unless the stream is, and a stream of one part is known to
    be one before anything is sent.
    """

    def __init__(self, sizes: PartSizes) -> None:
        self._sizes = sizes
        self._number = 1
        self._part_size = sizes.size(1)
        self._chunks: list[Chunk] = []
        self._filled = 0
        self._small = bytearray()
        self._closed = False

    @property
    def number(self) -> int:
        """The number of the part being filled."""
        return self._number

    @property
    def part_size(self) -> int:
        """The planned size of the part being filled."""
        return self._part_size

    @property
    def filled(self) -> int:
        """Bytes held in the part being filled."""
        return self._filled

    def check(self, size: int) -> None:
        """Raise TooLargeError when the plan has no place for `size` more bytes."""
        number, free = self._number, self._part_size - self._filled
        while size > free:
            size -= free
            number += 1
            free = self._sizes.size(number)

    def size_of(self, number: int) -> int:
        """Return the planned size of part `number`."""
        return self._sizes.size(number)

    def feed(self, data: Chunk, *, pin: bool = False) -> list[CutPart]:
        """Take all of `data`; return the parts it completed. Too large: takes nothing.

        A memoryview is copied, for what it shows may change. With `pin`, `data` must
        never change, and pieces of it are kept as views that keep the whole alive.
        """
        if self._closed:
            raise ClosedError("the stream has ended")
        self.check(len(data))
        done: list[CutPart] = []
        start = 0
        while start < len(data):
            if self._filled == self._part_size:
                done.append(self._cut())
                self._start_next()
            end = min(len(data), start + self._part_size - self._filled)
            if isinstance(data, bytes) and end - start == len(data):
                self._add(data)
            else:
                self._add_piece(memoryview(data)[start:end], pin=pin)
            start = end
        return done

    def end(self) -> CutPart:
        """Close the stream and return its last part, empty when the stream is."""
        self._closed = True
        return self._cut(last=True)

    def discard(self) -> None:
        """Forget what is held: the upload is over."""
        self._closed = True
        self._cut(last=True)

    def _add_piece(self, piece: memoryview, *, pin: bool) -> None:
        if pin and len(piece) >= JOIN_BELOW:
            self._add(piece)
            return
        for start in range(0, len(piece), COPY_STEP):
            self._add(bytes(piece[start : start + COPY_STEP]))

    def _add(self, chunk: Chunk) -> None:
        self._filled += len(chunk)
        if len(chunk) < JOIN_BELOW:
            self._small += chunk
            if len(self._small) >= JOIN_UP_TO:
                self._seal()
        else:
            self._seal()
            self._chunks.append(chunk)

    def _seal(self) -> None:
        if self._small:
            self._chunks.append(bytes(self._small))
            self._small.clear()

    def _cut(self, *, last: bool = False) -> CutPart:
        self._seal()
        body = Body(tuple(self._chunks), self._filled)
        self._chunks.clear()
        self._filled = 0
        return CutPart(self._number, body, last)

    def _start_next(self) -> None:
        self._number += 1
        self._part_size = self._sizes.size(self._number)
