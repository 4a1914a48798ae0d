"""Incremental decoder of aws-chunked bodies: signed, signed with trailer, unsigned.

Pure; the gateway's body streams feed it. The data of a chunk is given out as it comes,
before the chunk's signature can be known to be right: store nothing for good until
`finish()` has returned (a driver does so, it commits at the end of the body).

Source: S3 API reference, "Signature Calculations for the Authorization Header:
Transferring Payload in Multiple Chunks", and the same with trailing headers.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from ..errors import IncompleteBodyError
from .wire_errors import (
    InvalidChunkSizeError,
    MalformedTrailerError,
    SignatureDoesNotMatchError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ("MAX_CHUNK", "MAX_LINE", "MAX_TRAILER", "ChunkSigning", "ChunkedDecoder")

MAX_CHUNK = 5 * 1024**3
"""Bytes of payload in one chunk: the largest body S3 takes in one request."""

MAX_LINE = 1024
"""Bytes in the header line of a chunk, or in a line of the trailer, with its end."""

MAX_TRAILER = 4096
"""Bytes in the whole trailer."""

_CHUNK_HEADER = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;chunk-signature=([^\r]*))?\r")
_TRAILER_NAME = re.compile(rb"[a-z0-9-]+")
_TRAILER_SIGNATURE = "x-amz-trailer-signature"
_EMPTY_SHA256 = hashlib.sha256().hexdigest()


@dataclass(frozen=True, slots=True)
class ChunkSigning:
    """What signs the chunks: take it from `sigv4.Verified`."""

    signing_key: bytes
    seed_signature: str
    timestamp: str
    scope: str


class ChunkedDecoder:
    """Takes an aws-chunked body in pieces of any size, gives out its payload.

    Where chunks are signed, `feed` hashes what it is fed: call it in a thread. Chunks
    may be of any size from one byte (some clients send what a stream happens to give,
    where S3 wants 8 KiB), at about 3 us of CPU each.
    """

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
        x-amz-trailer announced, all of which must come, and no others.
        """
        self._decoded_length = decoded_length
        self._signing = signing
        self._has_trailer = has_trailer
        self._announced = frozenset(trailers)
        self._trailers: dict[str, str] = {}
        self._trailer_signed = signing is None
        self._trailer_room = MAX_TRAILER
        self._signature = signing.seed_signature if signing else ""
        self._claimed = b""
        self._sha256 = hashlib.sha256()
        self._received = 0
        self._remaining = 0  # of the payload of the chunk being read
        self._line = b""  # the part of a line that has come
        # What to do with the next line, and how long it may be. None: the body is over.
        self._on_line: Callable[[bytes], None] | None = self._chunk_header
        self._room = MAX_LINE

    @property
    def trailers(self) -> Mapping[str, str]:
        """The trailer without its signature, names in lower case; whole at the end."""
        return MappingProxyType(self._trailers)

    def feed(self, data: bytes | bytearray | memoryview) -> list[memoryview]:
        """Decode what came; the pieces are views into `data`, not copies.

        Raises `IncompleteBodyError` (framing or length is wrong, data after the end),
        `InvalidChunkSizeError`, `SignatureDoesNotMatchError`, `MalformedTrailerError`;
        after an error the decoder is of no use.
        """
        view = memoryview(data)
        pieces: list[memoryview] = []
        position = 0
        while position < len(view):
            if self._remaining:
                piece = view[position : position + self._remaining]
                position += len(piece)
                self._remaining -= len(piece)
                if self._signing:
                    self._sha256.update(piece)
                pieces.append(piece)
            else:
                position = self._read_line(view, position)
        return pieces

    def finish(self) -> None:
        """Say that the body has ended; raises `IncompleteBodyError` if too early."""
        if self._on_line is not None:
            raise IncompleteBodyError("The body ended before its last chunk.")

    def _read_line(self, view: memoryview, position: int) -> int:
        """Read on to the end of the line, and act on it once it is there."""
        if self._on_line is None:
            raise IncompleteBodyError("There is data behind the last chunk.")
        room = self._room - len(self._line)
        window = bytes(view[position : position + room])
        end = window.find(b"\n")
        if end < 0:
            if len(window) == room:
                raise IncompleteBodyError("A line of the chunked body is too long.")
            self._line += window
            return position + len(window)
        line = self._line + window[:end]
        self._line = b""
        self._on_line(line)
        return position + end + 1

    def _expect(self, on_line: Callable[[bytes], None], room: int) -> None:
        self._on_line = on_line
        self._room = room

    def _chunk_header(self, line: bytes) -> None:
        match = _CHUNK_HEADER.fullmatch(line)
        if match is None or (match[2] is None) != (self._signing is None):
            raise IncompleteBodyError("The header of a chunk cannot be read.")
        size = int(match[1], 16)
        if size > MAX_CHUNK:
            raise InvalidChunkSizeError
        self._received += size
        if self._received > self._decoded_length:
            raise IncompleteBodyError("The body is longer than was announced.")
        self._claimed = match[2] or b""
        self._remaining = size
        if size:
            self._expect(self._chunk_end, 2)
            return
        if self._received != self._decoded_length:
            raise IncompleteBodyError("The body is shorter than was announced.")
        self._check_chunk()
        if self._has_trailer:
            self._expect(self._trailer_line, MAX_LINE)
        else:
            self._expect(self._last_end, 2)

    def _chunk_end(self, line: bytes) -> None:
        if line != b"\r":
            raise IncompleteBodyError("A chunk does not end where its size says.")
        self._check_chunk()
        self._expect(self._chunk_header, MAX_LINE)

    def _last_end(self, line: bytes) -> None:
        if line != b"\r":
            raise IncompleteBodyError("The last chunk does not end with an empty line.")
        self._end()

    def _check_chunk(self) -> None:
        if self._signing:
            digest = self._sha256.hexdigest()
            self._sha256 = hashlib.sha256()
            self._check(
                self._signing, "PAYLOAD", f"{_EMPTY_SHA256}\n{digest}", self._claimed
            )

    def _check(
        self, signing: ChunkSigning, kind: str, hashes: str, claimed: bytes
    ) -> None:
        """Check a link of the chain of signatures; the next one builds on it."""
        to_sign = (
            f"AWS4-HMAC-SHA256-{kind}\n{signing.timestamp}\n{signing.scope}\n"
            f"{self._signature}\n{hashes}"
        )
        mac = hmac.digest(signing.signing_key, to_sign.encode(), "sha256")
        self._signature = mac.hex()
        if not hmac.compare_digest(self._signature.encode(), claimed):
            raise SignatureDoesNotMatchError

    def _trailer_line(self, line: bytes) -> None:
        self._trailer_room -= len(line) + 1
        if self._trailer_room < 0:
            raise MalformedTrailerError
        line = line.strip()
        if not line:
            # Some clients end the names with LF and CRLF before the signature.
            if self._trailer_signed:
                self._end()
            return
        name, colon, value = line.partition(b":")
        name = name.strip().lower()
        if not colon or not _TRAILER_NAME.fullmatch(name) or not value.isascii():
            raise MalformedTrailerError
        self._trailer_field(name.decode(), value.strip())

    def _trailer_field(self, name: str, value: bytes) -> None:
        if self._signing:
            if self._trailer_signed:
                raise MalformedTrailerError
            if name == _TRAILER_SIGNATURE:
                self._check_trailer(self._signing, value)
                return
        if name in self._trailers or name not in self._announced:
            raise MalformedTrailerError
        self._trailers[name] = value.decode()

    def _check_trailer(self, signing: ChunkSigning, claimed: bytes) -> None:
        lines = "".join(f"{name}:{value}\n" for name, value in self._trailers.items())
        digest = hashlib.sha256(lines.encode()).hexdigest()
        self._check(signing, "TRAILER", digest, claimed)
        self._trailer_signed = True

    def _end(self) -> None:
        if self._announced != self._trailers.keys():
            raise MalformedTrailerError
        self._on_line = None
