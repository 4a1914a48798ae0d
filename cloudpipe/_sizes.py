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
# Doubling every 450 parts from part 5,001 on takes even parts that begin at 5 MiB past
# 5 TiB, and reaches no part size sooner than that needs.
DOUBLE_EVERY = 450


@dataclass(frozen=True, slots=True)
class PartSizes:
    """The bytes of every part: `first` up to part `grow_from`, doubling after."""

    first: int
    grow_from: int | None = GROW_FROM

    @classmethod
    def plan(
        cls, chunk_size: int, *, expected_size: int | None, equal_parts: bool
    ) -> PartSizes:
        """Plan for a stream: `chunk_size` raised to what the limits and length ask.

        With `expected_size` the parts are equal for as long as the stream is no longer
        than that; with `equal_parts` for ever.
        """
        if chunk_size < 1:
            raise ConfigError("max_chunk_size must be positive")
        size = max(chunk_size, MIN_PART)
        grow_from = GROW_FROM
        if expected_size is not None:
            if expected_size < 0:
                raise ConfigError("expected_size must not be negative")
            size = max(size, -(-expected_size // MAX_PARTS))
            grow_from = max(GROW_FROM, -(-expected_size // size))
        if size > MAX_PART:
            raise ConfigError(f"parts of {size} bytes: S3 takes at most {MAX_PART}")
        return cls(size, None if equal_parts else grow_from)

    def size(self, number: int) -> int:
        """Return the size of part `number`, from 1; TooLargeError past the limit."""
        if number > MAX_PARTS:
            raise TooLargeError(
                f"more than {MAX_PARTS} parts: the stream is longer than the parts were"
                " planned for; give expected_size or a larger max_chunk_size"
            )
        if self.grow_from is None or number <= self.grow_from:
            return self.first
        doublings = 1 + (number - self.grow_from - 1) // DOUBLE_EVERY
        return min(MAX_PART, self.first << doublings)
