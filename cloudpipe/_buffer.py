"""What a pipe holds, counted exactly: the part being filled, and those not stored yet.

State without I/O and without waiting; `pipe` waits, `_uploader` takes the parts.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ._chunker import Chunker, CutPart

if TYPE_CHECKING:
    from ._sizes import PartSizes
    from .target import Chunk


class Buffer:
    """A chunker, the queue of parts it cut, and the account of their bytes."""

    def __init__(self, sizes: PartSizes, concurrency: int) -> None:
        self._chunker = Chunker(sizes)
        self._least_limit = sizes.first * (concurrency + 1)
        self._queue: deque[CutPart] = deque()
        self._out = 0  # bytes of parts cut and not yet acknowledged by the store
        self.taken = 0
        self.stored = 0
        self.ended = False

    @property
    def held(self) -> int:
        """Bytes in memory now."""
        return self._chunker.filled + self._out

    @property
    def limit(self) -> int:
        """The most `held` may be: grows with the parts."""
        return max(self._least_limit, 2 * self._chunker.part_size)

    @property
    def part(self) -> tuple[int, int]:
        """Number and size of the part being filled."""
        return self._chunker.number, self._chunker.part_size

    @property
    def free(self) -> int:
        """Bytes that can be taken now."""
        return max(0, self.limit - self.held)

    @property
    def surely_free(self) -> int:
        """Bytes that have a place as soon as no part is out: all but one part's."""
        return self.limit - self._chunker.part_size

    def takes_now(self, size: int) -> bool:
        """Tell whether a write of `size` bytes can be taken as a whole.

        One that is too large for that for ever is taken when no part is out.
        """
        return size <= self.free or (size > self.surely_free and not self._out)

    def size_of(self, number: int) -> int:
        """Return the planned size of part `number`."""
        return self._chunker.size_of(number)

    def check(self, size: int) -> None:
        """Raise TooLargeError when `size` more bytes have no place in 10,000 parts."""
        self._chunker.check(size)

    def add(self, data: Chunk) -> bool:
        """Take all of `data`, never to change if it is bytes; True: parts are ready.

        Bytes larger than what is free are kept as the one object they are.
        """
        pin = isinstance(data, bytes) and len(data) > self.free
        done = self._chunker.feed(data, pin=pin)
        self.taken += len(data)
        return self._push(done)

    def end(self) -> None:
        """Cut the last part."""
        self.ended = True
        self._push([self._chunker.end()])

    def discard(self) -> None:
        """Let go of everything that is held."""
        self.ended = True
        self._chunker.discard()
        self._queue.clear()
        self._out = 0

    def pop(self) -> CutPart:
        """Return the next part to send."""
        return self._queue.popleft()

    @property
    def ready(self) -> bool:
        """Whether a part is to be sent."""
        return bool(self._queue)

    def release(self, size: int) -> None:
        """Take a part of this size off the account: the store has it."""
        self._out -= size
        self.stored += size

    def _push(self, parts: list[CutPart]) -> bool:
        self._queue.extend(parts)
        self._out += sum(part.body.size for part in parts)
        return bool(parts)
