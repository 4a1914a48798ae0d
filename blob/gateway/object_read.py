"""GetObject and HeadObject."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from aiohttp import web

from ..rules import range_applies, resolve_range
from .headers import parse_conditions, parse_range
from .responses import checksum_headers, object_headers

if TYPE_CHECKING:
    from multidict import CIMultiDict

    from ..driver import FileReader
    from ..types import FileInfo
    from .call import Call

__all__ = ("get_object", "head_object")

_log = logging.getLogger("blob.gateway")

# Bytes that are read before the status is sent: in one packet with it, and a failure
# is a clean 500.
_AT_ONCE = 64 * 1024


async def get_object(call: Call) -> web.StreamResponse:
    """GetObject: whole, or one range; with RFC 9110's conditions."""
    conditions = parse_conditions(call.headers)
    wanted = parse_range(call.header.get("range"))
    await call.check_bucket()
    reader = await call.driver.file_read(
        call.bucket,
        call.key,
        range=wanted,
        conditions=conditions,
        version_id=call.version_id,
        principal=call.principal,
    )
    async with reader:
        span = reader.start, reader.stop
        status, headers = _head(call, reader.info, span, is_partial=reader.is_partial)
        if reader.stop - reader.start <= _AT_ONCE:
            body = await _read_all(reader)
            return web.Response(status=status, headers=headers, body=body)
        response = web.StreamResponse(status=status, headers=headers)
        response.headers.update(call.common)
        await response.prepare(call.request)
        await _send(call, response, reader)
    return response


async def _read_all(reader: FileReader) -> bytes:
    body = b"".join([piece async for piece in reader])
    if len(body) != reader.stop - reader.start:
        raise RuntimeError(f"the driver's reader gave {len(body)} bytes")
    return body


async def _send(call: Call, response: web.StreamResponse, reader: FileReader) -> None:
    """Stream the bytes; what cannot be sent whole ends in a broken connection.

    The status is out, so a clean end would make a short body look whole.
    """
    left = reader.stop - reader.start
    try:
        async for piece in reader:
            left -= len(piece)
            if not await _is_taken(response, piece):
                _abort(call)
                return
    except Exception:  # noqa: BLE001 - whatever it is, the status is out
        _log.exception("reading %s bytes before the end of an object failed", left)
        _abort(call)
        return
    except BaseException:
        _abort(call)
        raise
    if left:
        _log.error("the driver's reader ended %s bytes before its end", left)
        _abort(call)


async def _is_taken(response: web.StreamResponse, piece: bytes) -> bool:
    """Write a piece; False where the client is gone, which is nobody's error."""
    try:
        await response.write(piece)
    except ConnectionError:
        return False
    return True


def _abort(call: Call) -> None:
    if call.request.transport is not None:
        call.request.transport.abort()


async def head_object(call: Call) -> web.StreamResponse:
    """HeadObject: what GetObject would say, for a range too."""
    conditions = parse_conditions(call.headers)
    wanted = parse_range(call.header.get("range"))
    await call.check_bucket()
    reader = await call.driver.file_read(
        call.bucket,
        call.key,
        head=True,
        conditions=conditions,
        version_id=call.version_id,
        principal=call.principal,
    )
    async with reader:
        info = reader.info
    is_partial = wanted is not None and range_applies(conditions, info)
    start, stop = resolve_range(wanted if is_partial else None, info.size)
    status, headers = _head(call, info, (start, stop), is_partial=is_partial)
    return web.StreamResponse(status=status, headers=headers)


def _head(
    call: Call, info: FileInfo, span: tuple[int, int], *, is_partial: bool
) -> tuple[int, CIMultiDict[str]]:
    """Return status and headers for the bytes of `span`, half open."""
    start, stop = span
    headers = object_headers(call, info)
    headers["Content-Length"] = str(stop - start)
    if is_partial:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{info.size}"
        return 206, headers
    if call.header.get("x-amz-checksum-mode", "").upper() == "ENABLED":
        headers.update(checksum_headers(info.checksums, info.checksum_type))
    return 200, headers
