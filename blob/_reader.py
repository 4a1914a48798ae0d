"""Reading bytes in memory that nothing changes any more.

Used by the memory driver and by `blob.simple`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import ClosedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from types import TracebackType
    from typing import Self

    from .types import FileInfo


class PiecesReader:
    """One version of a file, opened. It outlives the file, but not its own closing."""

    def __init__(
        self,
        info: FileInfo,
        pieces: Iterator[bytes],
        start: int,
        stop: int,
        *,
        is_partial: bool,
    ) -> None:
        self._info = info
        self._start = start
        self._stop = stop
        self._is_partial = is_partial
        self._pieces: Iterator[bytes] | None = pieces

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
        """Iterate over what is left of the range."""
        return self

    async def __anext__(self) -> bytes:
        """Return the next piece, at most 1 MiB."""
        if self._pieces is None:
            raise ClosedError("The reader is closed.")
        for piece in self._pieces:
            return piece
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Let go of the bytes; idempotent."""
        self._pieces = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self.aclose()
