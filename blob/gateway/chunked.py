"""Incremental decoder of aws-chunked bodies: signed, signed with trailer, unsigned.

Pure; the gateway's body streams feed it. The data of a chunk is given out as it comes,
before the chunk's signature can be known to be right: store nothing for good until
`finish()` has returned (a driver does so, it commits at the end of the body).

Source: S3 API reference, "Signature Calculations for the Authorization Header:
Transferring Payload in Multiple Chunks", and the same with trailing headers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ("ChunkSigning", "ChunkedDecoder")


@dataclass(frozen=True, slots=True)
class ChunkSigning:
    """What signs the chunks: take it from `sigv4.Verified`."""

    signing_key: bytes
    seed_signature: str
    timestamp: str
    scope: str


class ChunkedDecoder:
    """Takes an aws-chunked body in pieces of any size, gives out its payload."""

    def __init__(
        self,
        *,
        decoded_length: int,
        signing: ChunkSigning | None = None,
        has_trailer: bool = False,
        trailers: Sequence[str] = (),
    ) -> None:
        """Begin a body of `decoded_length` bytes (x-amz-decoded-content-length).

        `signing` None is the unsigned form; `trailers` are the lower case names that
        x-amz-trailer announced, all of which must come.
        """
        raise NotImplementedError

    @property
    def trailers(self) -> Mapping[str, str]:
        """The trailer, names in lower case, without its signature; complete at the end."""
        raise NotImplementedError

    @property
    def is_finished(self) -> bool:
        """The end of the body was read and is right."""
        raise NotImplementedError

    def feed(self, data: bytes | bytearray | memoryview) -> list[memoryview]:
        """Decode what came; the pieces are views into `data`, not copies.

        Raises `IncompleteBodyError` (framing or length is wrong, data after the end),
        `InvalidChunkSizeError`, `SignatureDoesNotMatchError`, `MalformedTrailerError`;
        after an error the decoder is of no use.
        """
        raise NotImplementedError

    def finish(self) -> None:
        """Say that the body has ended; raises `IncompleteBodyError` if too early."""
        raise NotImplementedError
