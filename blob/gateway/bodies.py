"""The body of a request as a driver wants it: decoded, verified, as it comes.

`RequestBody` asks the network for more only when the driver asks it for more, so a slow
store slows the client. It verifies at its end what the headers promised (the signed
SHA-256, the signatures of chunks, the checksum of header or trailer), and raises there:
a driver commits only what came to its end. Used by every handler that takes a body.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections import deque
from typing import TYPE_CHECKING

from aiohttp import ClientError, hdrs
from aiohttp.http import HttpProcessingError

from ..errors import BadDigestError, EntityTooLargeError, IncompleteBodyError
from .call import wants_continue
from .checksums import (
    encode,
    header_name,
    new_hasher,
    parse_checksum,
    parse_trailer_names,
)
from .chunked import ChunkedDecoder, ChunkSigning
from .headers import parse_content_length, parse_content_md5, parse_decoded_length
from .wire_errors import ContentSHA256MismatchError, MissingContentLengthError
from .xml_requests import MAX_BODY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from ..types import Checksums
    from .call import Call
    from .checksums import Hasher
    from .sigv4 import Verified

__all__ = ("MAX_PUT", "THREAD_BYTES", "RequestBody", "read_document")

MAX_PUT = 5 * 1024**3
"""Bytes that one PUT may carry; more goes in parts."""

_EMPTY_SHA256 = hashlib.sha256().hexdigest()

THREAD_BYTES = 64 * 1024
"""Hashing more than this at once is done in a worker thread."""


class RequestBody:
    """An async iterator over the payload; raises at its end if it is not as promised.

    Making one checks the headers and reads nothing. `length` is the payload's length in
    bytes, without the framing of aws-chunked.
    """

    def __init__(
        self, call: Call, *, limit: int = MAX_PUT, is_checksummed: bool = True
    ) -> None:
        self.md5 = parse_content_md5(call.header.get("content-md5"))
        self.spec = parse_checksum(call.headers) if is_checksummed else None
        self.length = _length(call)
        if self.length > limit:
            raise EntityTooLargeError
        self._call = call
        self._content = call.request.content
        self._decoder = _decoder(call, self.length)
        self._sha256 = call.verified.sha256
        self._payload_hash = hashlib.sha256() if self._sha256 is not None else None
        self._checksum = new_hasher(self.spec.algorithm) if self.spec else None
        self._hashers = [h for h in (self._payload_hash, self._checksum) if h]
        self._hashing: asyncio.Future[None] | None = None
        self._views: deque[bytes | memoryview] = deque()
        self._is_begun = False
        self._is_ended = False

    def checksums(self) -> Checksums:
        """Return the checksum to keep; call it after the end."""
        if self.spec is None or self._checksum is None:
            return {}
        return {self.spec.algorithm: encode(self._checksum.digest())}

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes | memoryview:
        if not self._is_begun:
            self._is_begun = True
            await self._invite()
        while not self._views:
            if self._is_ended:
                raise StopAsyncIteration
            await self._fill()
        return self._views.popleft()

    async def _invite(self) -> None:
        """Send the 100: by now the request is proven, checked and has a taker."""
        if wants_continue(self._call.request):
            self._call.is_invited = True
            writer = self._call.request.writer
            try:
                await writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            except ConnectionError as error:
                raise IncompleteBodyError from error
            writer.output_size = 0  # the response itself has not begun

    async def _fill(self) -> None:
        await self._settle()
        data = await self._read()
        if not data:
            self._finish()
            self._is_ended = True
            return
        views: Sequence[bytes | memoryview] = [data]
        if self._decoder is not None:
            views = await self._decode(self._decoder, data)
        self._views.extend(view for view in views if len(view))
        self._begin_hashing(views)

    async def _read(self) -> bytes:
        try:
            data = await self._content.readany()
        except (OSError, ClientError, HttpProcessingError) as error:
            raise IncompleteBodyError from error
        if getattr(self._content, "total_compressed_bytes", None) is not None:
            # Stored like this, the object would not be what the client signed.
            raise RuntimeError(
                "the HTTP server decompressed a request body: run the application with"
                " auto_decompress=False, or by blob.gateway.Server"
            )
        return data

    async def _decode(self, decoder: ChunkedDecoder, data: bytes) -> list[memoryview]:
        # Signed chunks are hashed; and chunks of one byte would hold up the loop.
        if len(data) > THREAD_BYTES:
            return await asyncio.to_thread(decoder.feed, data)
        return decoder.feed(data)

    def _begin_hashing(self, views: Sequence[bytes | memoryview]) -> None:
        """Hash beside the driver's own work; `_settle` waits before the next piece."""
        if not self._hashers:
            return
        if sum(map(len, views)) <= THREAD_BYTES:
            _update(self._hashers, views)
            return
        loop = asyncio.get_running_loop()
        self._hashing = loop.run_in_executor(None, _update, self._hashers, views)

    async def _settle(self) -> None:
        hashing, self._hashing = self._hashing, None
        if hashing is not None:
            await hashing

    def _finish(self) -> None:
        """Raise unless the whole body is what the headers, or the trailer, promised."""
        if self._decoder is not None:
            self._decoder.finish()
        if self._payload_hash is not None and not hmac.compare_digest(
            self._payload_hash.hexdigest(), self._sha256 or ""
        ):
            raise ContentSHA256MismatchError
        if self.spec is None:
            return
        wanted = self.spec.value
        if wanted is None and self._decoder is not None:
            wanted = self._decoder.trailers.get(header_name(self.spec.algorithm))
        if wanted != self.checksums()[self.spec.algorithm]:
            raise BadDigestError(
                f"The {self.spec.algorithm.upper()} you specified did not match the"
                " calculated checksum."
            )


def _update(hashers: Sequence[Hasher], views: Sequence[bytes | memoryview]) -> None:
    for hasher in hashers:
        for view in views:
            hasher.update(view)


def _length(call: Call) -> int:
    if call.verified.payload.is_chunked:
        return parse_decoded_length(call.header.get("x-amz-decoded-content-length"))
    length = parse_content_length(call.header.get("content-length"))
    if length is None:
        raise MissingContentLengthError
    return length


def _decoder(call: Call, length: int) -> ChunkedDecoder | None:
    verified = call.verified
    if not verified.payload.is_chunked:
        return None
    return ChunkedDecoder(
        decoded_length=length,
        signing=_signing(verified) if verified.payload.has_signed_chunks else None,
        has_trailer=verified.payload.has_trailer,
        trailers=parse_trailer_names(call.headers),
    )


def _signing(verified: Verified) -> ChunkSigning:
    return ChunkSigning(
        signing_key=verified.signing_key,
        seed_signature=verified.signature,
        timestamp=verified.timestamp,
        scope=verified.scope,
    )


async def read_document(
    call: Call, *, limit: int = MAX_BODY, is_checksummed: bool = True
) -> bytes:
    """Read a body that is an XML document, verified like any other.

    A request without a body, and without a word about one, has an empty document.
    `is_checksummed` False where x-amz-checksum-* speaks of something else.
    """
    if (
        not call.request.can_read_body
        and hdrs.CONTENT_LENGTH not in call.request.headers
        and not _promises_body(call)
    ):
        return b""
    body = RequestBody(call, limit=limit, is_checksummed=is_checksummed)
    pieces = [bytes(piece) async for piece in body]
    document = b"".join(pieces)
    if body.md5 is not None:
        digest = await _in_thread_if_large(document)
        if digest != body.md5:
            raise BadDigestError(
                "The Content-MD5 you specified did not match what we received.",
            )
    return document


def _promises_body(call: Call) -> bool:
    """Whether a header speaks of a body: then it was there when it was signed."""
    return (
        call.verified.payload.is_chunked
        or call.verified.sha256 not in (None, _EMPTY_SHA256)
        or "content-md5" in call.header
        or parse_checksum(call.headers, composite=True) is not None
    )


async def _in_thread_if_large(document: bytes) -> bytes:
    if len(document) <= THREAD_BYTES:
        return hashlib.md5(document, usedforsecurity=False).digest()
    return await asyncio.to_thread(
        lambda: hashlib.md5(document, usedforsecurity=False).digest()
    )
