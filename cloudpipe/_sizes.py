"""How large each part is, so that S3's limits hold: pure, for `_chunker`.

S3 (multipart upload limits): parts of 5 MiB to 5 GiB, the last may be smaller, at most
10,000 of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from .errors import ConfigError, TooLargeError

MIN_PART = 5 << 20
MAX_PART = 5 << 30
MAX_PARTS = 10_000
GROW_FROM = 5_000
# A stream of the expected size takes no more numbers than these: what is left is enough
# to grow in, to the largest object, when more comes than was expected.
PLANNED_PARTS = 8_500
LARGEST_OBJECT = 5 << 40
# Parts between two doublings. The first takes even parts that begin at 5 MiB past
# 5 TiB, and reaches no part size sooner than that needs; the others do it in the fewer
# numbers that a plan has left.
DOUBLE_EVERY = (450, 225, 112, 56, 28)


@dataclass(frozen=True, slots=True)
class PartSizes:
    """The bytes of every part: `first` up to part `grow_from`, doubling after."""

    first: int
    grow_from: int | None = GROW_FROM
    double_every: int = DOUBLE_EVERY[0]

    @classmethod
    def plan(
        cls, chunk_size: int, *, expected_size: int | None, equal_parts: bool
    ) -> PartSizes:
        """Plan for a stream: `chunk_size` raised to what the limits and length ask.

        With `expected_size` the parts are equal for as long as the stream is no longer
        than that, and grow after it; with `equal_parts` they are equal for ever.
        """
        if not isinstance(chunk_size, int) or chunk_size < 1:
            raise ConfigError(f"max_chunk_size is {chunk_size!r}: a number of bytes")
        size = max(chunk_size, MIN_PART)
        grow_from = GROW_FROM
        if expected_size is not None:
            if expected_size < 0:
                raise ConfigError("expected_size must not be negative")
            planned = min(MAX_PART, -(-expected_size // PLANNED_PARTS))
            size = max(size, planned, -(-expected_size // MAX_PARTS))
            grow_from = max(GROW_FROM, -(-expected_size // size))
        if size > MAX_PART:
            raise ConfigError(f"parts of {size} bytes: S3 takes at most {MAX_PART}")
        if equal_parts:
            return cls(size, None)
        plans = (cls(size, grow_from, every) for every in DOUBLE_EVERY)
        return next(
            (each for each in plans if each.capacity >= LARGEST_OBJECT),
            cls(size, grow_from, DOUBLE_EVERY[-1]),
        )

    @property
    def capacity(self) -> int:
        """The bytes of the longest stream there are numbers for."""
        number = self.grow_from or MAX_PARTS
        total = number * self.first
        while number < MAX_PARTS:
            count = min(self.double_every, MAX_PARTS - number)
            total += count * self.size(number + 1)
            number += count
        return total

    def size(self, number: int) -> int:
        """Return the size of part `number`, from 1; TooLargeError past the limit."""
        if number > MAX_PARTS:
            raise TooLargeError(
                f"more than {MAX_PARTS} parts: the stream is longer than the parts were"
                " planned for; give expected_size or a larger max_chunk_size"
            )
        if self.grow_from is None or number <= self.grow_from:
            return self.first
        doublings = 1 + (number - self.grow_from - 1) // self.double_every
        return min(MAX_PART, self.first << doublings)
