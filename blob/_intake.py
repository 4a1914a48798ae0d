"""Taking in what a call brings: metadata, and above all a body.

A body becomes chunks of at most 1 MiB; its length, MD5 and checksums are checked.

Used by the memory driver and by `blob.simple`.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .errors import BadDigestError, IncompleteBodyError
from .rules import check_body, check_create
from .types import Metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .types import Body, Checksums, CreateOptions

CHUNK = 1024 * 1024
"""Bytes in a chunk; the last one may have fewer."""

_INLINE_HASH = 64 * 1024  # bytes; more would hold up the event loop


def now() -> datetime:
    """Return the time to stamp things with."""
    return datetime.now(UTC)


def frozen(metadata: Metadata | None) -> Metadata:
    """Return the metadata with a mapping that the caller cannot change any more."""
    metadata = metadata or Metadata()
    return replace(metadata, user=dict(metadata.user))


@dataclass(frozen=True, slots=True)
class Intake:
    """A body that came in whole and is what it was announced to be."""

    chunks: tuple[bytes, ...]
    size: int
    md5: bytes
    checksums: Checksums


class Collector:
    """Cuts pieces of any size into chunks; what it keeps is its own copy.

    Immutable pieces of more than `copied` bytes become chunks without being copied.
    """

    def __init__(self, copied: int) -> None:
        self._copied = copied
        self._tail = bytearray()

    def add(self, piece: bytes | bytearray | memoryview) -> Iterator[bytes]:
        """Yield each chunk that the piece completes."""
        if (
            type(piece) is bytes
            and not self._tail
            and self._copied < len(piece) <= CHUNK
        ):
            yield piece
            return
        view = memoryview(piece)
        if view.nbytes and not (view.c_contiguous and view.format == "B"):
            view = memoryview(view.tobytes())
        while view:
            room = CHUNK - len(self._tail)
            self._tail += view[:room]
            view = view[room:]
            if len(self._tail) == CHUNK:
                yield self._flush()

    def finish(self) -> Iterator[bytes]:
        """Yield what is left over, if anything is."""
        if self._tail:
            yield self._flush()

    def _flush(self) -> bytes:
        chunk = bytes(self._tail)
        self._tail.clear()
        return chunk


async def take_in(
    body: Body,
    options: CreateOptions | None,
    check_room: Callable[[int], None],
) -> Intake:
    """Read a body to its end and verify it.

    `check_room` is called with the bytes known so far, before they are kept, and raises
    where there is no room for them. Raises `InvalidDigestError`, `BadDigestError`,
    `InvalidArgumentError`, `IncompleteBodyError` and whatever the body or the
    `checksums` supplier raises.
    """
    check_body(body)
    options = check_create(options)
    announced = options.content_length
    check_room(announced or 0)
    collector = Collector(_INLINE_HASH)
    chunks: list[bytes] = []
    md5 = hashlib.md5(usedforsecurity=False)
    size = 0
    async for piece in body:
        size += memoryview(piece).nbytes
        if announced is not None and size > announced:
            raise IncompleteBodyError
        check_room(size)
        new = tuple(collector.add(piece))
        chunks += new
        await _hash(md5, new)
    new = tuple(collector.finish())
    chunks += new
    await _hash(md5, new)
    if announced is not None and size != announced:
        raise IncompleteBodyError
    digest = md5.digest()
    if options.content_md5 not in (None, digest):
        raise BadDigestError
    checksums = dict(options.checksums()) if options.checksums else {}
    return Intake(tuple(chunks), size, digest, checksums)


async def md5_of(chunks: Iterable[bytes]) -> bytes:
    """Return the digest, computed off the event loop where it takes time."""
    md5 = hashlib.md5(usedforsecurity=False)
    await _hash(md5, chunks)
    return md5.digest()


async def _hash(md5: hashlib._Hash, chunks: Iterable[bytes]) -> None:
    for chunk in chunks:
        if len(chunk) > _INLINE_HASH:
            # A cancelled call leaves the thread to finish one immutable chunk.
            await asyncio.to_thread(md5.update, chunk)
        else:
            md5.update(chunk)
