"""DeleteObject and DeleteObjects."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..driver import supports_delete_many
from ..errors import BlobError, InvalidArgumentError, StorageError
from ..types import DeleteGuard, DeleteResult
from . import xml
from .bodies import THREAD_BYTES, read_document
from .checksums import parse_checksum
from .faults import INTERNAL_ERROR, to_fault
from .headers import parse_etags, parse_http_date
from .responses import document, empty
from .wire_errors import InvalidRequestError
from .xml_requests import parse_delete_objects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

    from ..types import DeleteRequest
    from .call import Call

__all__ = ("delete_object", "delete_objects")


async def delete_object(call: Call) -> web.StreamResponse:
    """DeleteObject: of what is not there too; conditions hold or nothing happens."""
    guard = _guard(call)
    await call.check_bucket()
    await call.driver.file_delete(
        call.bucket,
        call.key,
        version_id=call.version_id,
        guard=guard,
        principal=call.principal,
    )
    return empty(204)


def _guard(call: Call) -> DeleteGuard | None:
    if_match = parse_etags(call.header.get("if-match"))
    size = call.header.get("x-amz-if-match-size")
    if size is not None and not (size.isascii() and size.isdigit() and len(size) < 16):
        raise InvalidArgumentError("x-amz-if-match-size must be a number of bytes.")
    date = call.header.get("x-amz-if-match-last-modified-time")
    modified = parse_http_date(date)
    if date is not None and modified is None:
        raise InvalidArgumentError("x-amz-if-match-last-modified-time must be a date.")
    if if_match is None and size is None and modified is None:
        return None
    return DeleteGuard(
        if_match=if_match,
        if_size=int(size) if size is not None else None,
        if_last_modified=modified,
    )


async def delete_objects(call: Call) -> web.StreamResponse:
    """DeleteObjects: up to 1,000; what fails is told, the others are deleted."""
    if "content-md5" not in call.header and parse_checksum(call.headers) is None:
        raise InvalidRequestError(
            "Missing required header for this request: Content-MD5 OR x-amz-checksum-*"
        )
    await call.check_bucket()
    body = await read_document(call)
    if len(body) > THREAD_BYTES:
        wanted = await asyncio.to_thread(parse_delete_objects, body)
    else:
        wanted = parse_delete_objects(body)
    results = await _delete_all(call, wanted.requests)
    failures = []
    for result in results:
        if result.error is not None:
            fault = to_fault(result.error) or INTERNAL_ERROR
            failures.append((result, fault.code, fault.message))
    return document(
        xml.delete_objects(
            [result for result in results if result.error is None],
            failures,
            quiet=wanted.quiet,
        )
    )


async def _delete_all(
    call: Call, requests: Sequence[DeleteRequest]
) -> Sequence[DeleteResult]:
    driver = call.driver
    if supports_delete_many(driver):
        return await driver.file_delete_many(
            call.bucket, requests, principal=call.principal
        )
    return [await _delete_one(call, request) for request in requests]


async def _delete_one(call: Call, request: DeleteRequest) -> DeleteResult:
    try:
        await call.driver.file_delete(
            call.bucket,
            request.key,
            version_id=request.version_id,
            guard=request.guard,
            principal=call.principal,
        )
    except StorageError:
        raise  # concerns them all
    except BlobError as error:
        return DeleteResult(request.key, request.version_id, error)
    return DeleteResult(request.key, request.version_id)
