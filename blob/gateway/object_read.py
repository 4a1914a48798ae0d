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
        version_id=call.query.get("versionId"),
        principal=call.principal,
    )
    async with reader:
        headers = _headers(call, reader.info, is_whole=not reader.is_partial)
        response = _response(
            headers,
            reader.info,
            reader.start,
            reader.stop,
            is_partial=reader.is_partial,
        )
        response.headers.update(call.common)
        await response.prepare(call.request)
        await _send(call, response, reader)
    return response


async def _send(call: Call, response: web.StreamResponse, reader: FileReader) -> None:
    """Stream the bytes; what cannot be sent whole ends in a broken connection.

    The status is out, so a clean end would make a short body look whole.
    """
    left = reader.stop - reader.start
    try:
        async for piece in reader:
            left -= len(piece)
            await response.write(piece)
    except ConnectionError:
        return  # the client is gone
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
        version_id=call.query.get("versionId"),
        principal=call.principal,
    )
    async with reader:
        info = reader.info
    is_partial = wanted is not None and range_applies(conditions, info)
    start, stop = resolve_range(wanted if is_partial else None, info.size)
    headers = _headers(call, info, is_whole=not is_partial)
    return _response(headers, info, start, stop, is_partial=is_partial)


def _headers(call: Call, info: FileInfo, *, is_whole: bool) -> CIMultiDict[str]:
    headers = object_headers(call, info)
    if is_whole and call.header.get("x-amz-checksum-mode", "").upper() == "ENABLED":
        headers.update(checksum_headers(info.checksums, info.checksum_type))
    return headers


def _response(
    headers: CIMultiDict[str],
    info: FileInfo,
    start: int,
    stop: int,
    *,
    is_partial: bool,
) -> web.StreamResponse:
    if is_partial:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{info.size}"
    response = web.StreamResponse(status=206 if is_partial else 200, headers=headers)
    response.content_length = stop - start
    return response
